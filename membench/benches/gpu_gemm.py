"""The compute roof: matrix products by the vendor's library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from membench.case import Needs, axis, bench
from membench.terms import Metric, Stat
from membench.units import GIB
from membench.work import Timed, Work

if TYPE_CHECKING:
    from membench.backends.gpu import Gpu


def _gemm(gpu: Gpu, kind: str, n: int) -> Work:
    from membench.backends.gpu_product import SIZE, Product

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
        min_sample_s=0.005,
        samples=10,
        detail={"library": "cublasLt" if kind == "fp8" else "cuBLAS", "data": "random"},
    )


@bench(
    "gpu/gemm/fp32",
    version=1,
    needs=Needs.GPU,
    yields=(Metric.FLOPS, Stat.MEDIAN),
    profiles=("full",),
    seconds=0.7,
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
    seconds=0.6,
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
    seconds=0.4,
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
    seconds=0.4,
    gpu_memory=3 * GIB,
)
@axis("n", quick=8192)
def fp8(gpu: Gpu, n: int) -> Work:
    """Products of n x n matrices in FP8 (E4M3) with sums in single precision, by cublasLt."""
    return _gemm(gpu, "fp8", n)
