"""The compute roof: matrix products by the vendor's library."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from membench.core.case import Needs, axis, bench
from membench.core.terms import Metric, Stat
from membench.core.units import GIB
from membench.core.work import Timed, Work

if TYPE_CHECKING:
    from membench.gpu.protocol import Gpu


SAMPLES = 10
SAMPLE_S = 0.005


def _seconds(flops: float) -> Callable[[int], float]:
    """The operands, and the samples with what finds their length, at ``flops`` a second."""
    return lambda n: 0.1 + (SAMPLES + 4) * max(SAMPLE_S, 2 * n**3 / flops)


def _gemm(gpu: Gpu, kind: str, n: int) -> Work:
    from membench.workloads.products import SIZE, Product

    product = Product(gpu, kind, (n, n, n), seed=n)

    def run(iterations: int) -> None:
        for _ in range(iterations):
            product.once()

    return Timed(
        run=run,
        verify=lambda _iterations: product.verify(),
        size_bytes=2 * n * n * SIZE[kind] + 4 * n * n,
        metric=Metric.FLOPS,
        operations=2 * n**3,
        min_sample_s=SAMPLE_S,
        samples=SAMPLES,
        detail={"library": "cublasLt" if kind == "fp8" else "cuBLAS", "data": "random"},
    )


@bench(
    "gpu/gemm/fp32",
    version=1,
    needs=Needs.GPU,
    yields=(Metric.FLOPS, Stat.MEDIAN),
    profiles=("full",),
    seconds=_seconds(40e12),
    gpu_memory=3 * GIB,
)
@axis("n", quick=8192)
def fp32(gpu: Gpu, n: int) -> Work:
    """Products of n x n matrices in single precision, on the CUDA cores: GFLOP/s."""
    return _gemm(gpu, "fp32", n)


@bench(
    "gpu/gemm/tf32",
    version=1,
    needs=Needs.GPU,
    yields=(Metric.FLOPS, Stat.MEDIAN),
    profiles=("full",),
    seconds=_seconds(300e12),
    gpu_memory=3 * GIB,
)
@axis("n", quick=8192)
def tf32(gpu: Gpu, n: int) -> Work:
    """Products of n x n matrices in single precision, rounded to TF32 by the tensor cores."""
    return _gemm(gpu, "tf32", n)


@bench(
    "gpu/gemm/bf16",
    version=1,
    needs=Needs.GPU,
    yields=(Metric.FLOPS, Stat.MEDIAN),
    seconds=_seconds(500e12),
    gpu_memory=3 * GIB,
)
@axis("n", quick=8192, full=(8192, 4096))
def bf16(gpu: Gpu, n: int) -> Work:
    """Products of n x n matrices in BF16 with sums in single precision: GFLOP/s, random data."""
    return _gemm(gpu, "bf16", n)


@bench(
    "gpu/gemm/fp8",
    version=1,
    needs=Needs.GPU,
    yields=(Metric.FLOPS, Stat.MEDIAN),
    profiles=("full",),
    seconds=_seconds(900e12),
    gpu_memory=3 * GIB,
)
@axis("n", quick=8192)
def fp8(gpu: Gpu, n: int) -> Work:
    """Products of n x n matrices in FP8 (E4M3) with sums in single precision, by cublasLt."""
    return _gemm(gpu, "fp8", n)
