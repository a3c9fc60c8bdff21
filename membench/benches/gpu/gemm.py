"""The peak compute rate, measured by matrix products of the vendor's library."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from membench.core.case import PROFILES, Bench, Needs, axis, bench
from membench.core.terms import Metric, PeakBasis, Stat
from membench.core.units import GIB
from membench.core.work import Timed, Work

if TYPE_CHECKING:
    from membench.gpu.protocol import Gpu


SAMPLES = 10
SAMPLE_S = 0.005

TILE = 128
"""The number of rows and columns must be a multiple of this number.

The scales of MXFP8 and NVFP4 are stored for tiles of 128 rows.
"""

MOST_N = 16384
"""Maximum number of rows. Three such matrices in single precision have 3 GiB."""

PEAKS: tuple[tuple[str, dict[str, float]], ...] = (
    ("H[12]00 NVL", {"fp32": 60, "tf32": 417.5, "bf16": 835.5, "fp8": 1670.5}),
    ("H100 PCIe", {"fp32": 51.2, "tf32": 378, "bf16": 756, "fp8": 1513}),
    ("H100|H200|H800|GH200", {"fp32": 66.9, "tf32": 494.7, "bf16": 989.4, "fp8": 1978.9}),
    ("A100|A800", {"fp32": 19.5, "tf32": 156, "bf16": 312}),
    ("L40S", {"fp32": 91.6, "tf32": 183, "bf16": 362.05, "fp8": 733}),
    ("GB200", {"tf32": 1250, "bf16": 2500, "fp8": 5000, "mxfp8": 5000, "nvfp4": 10000}),
    ("B200", {"tf32": 1125, "bf16": 2250, "fp8": 4500, "mxfp8": 4500, "nvfp4": 9000}),
)
"""Pairs of a pattern for device names, and TFLOP/s of dense products by format.

The first matching pattern decides. The values are for the boost clock, and for sums in single
precision. Sources: NVIDIA's data sheets for H100 (SXM, PCIe, NVL), H200, A100, L40S, GB200 NVL72
(FP4: 1,440 PFLOP/s sparse, 720 dense, for 72 GPUs) and DGX B200 (FP4: 144 PFLOP/s sparse, 72 dense,
for 8 GPUs). If a data sheet gives only a value for sparse products, the entry is half of this
value. Boards with higher clocks than in their data sheet have no entry, and no peak.
"""


def spec_peak(device: str, kind: str) -> float | None:
    """GFLOP/s of ``device`` for the format ``kind``; None if `PEAKS` has no such entry."""
    for pattern, peaks in PEAKS:
        if re.search(rf"\b(?:{pattern})\b", device):
            return 1e3 * peaks[kind] if kind in peaks else None
    return None


def _gemm(gpu: Gpu, kind: str, n: int, out: str, *, fast: bool = False) -> Work:
    import numpy as np

    from membench.workloads.products import STORED, Product, bytes_of

    product = Product(gpu, kind, (n, n, n), n, out, fast=fast)

    def run(iterations: int) -> None:
        for _ in range(iterations):
            product.once()

    peak = spec_peak(gpu.properties.name, kind)
    return Timed(
        run=run,
        verify=lambda _iterations: product.verify(),
        size_bytes=2 * bytes_of(kind, n * n) + n * n * np.dtype(STORED[out]).itemsize,
        metric=Metric.FLOPS,
        operations=2 * n**3,
        min_sample_s=SAMPLE_S,
        samples=SAMPLES,
        peak=peak,
        peak_basis=PeakBasis.SPEC if peak else None,
        detail={
            "library": "cublasLt" if "fp" in kind and kind != "fp32" else "cuBLAS",
            "data": "random",
        },
    )


def _product(
    kind: str, flops: float, *, version: int, quick: bool = False
) -> Callable[[Callable[..., Work]], Bench]:
    """A decorator that declares the bench for format ``kind``.

    ``flops`` is an estimate of the operations per second. If ``quick`` is True, the bench is in
    both profiles, otherwise only in the full profile.
    """
    return bench(
        f"gpu/gemm/{kind}",
        version=version,
        needs=Needs.GPU,
        yields=(Metric.FLOPS, Stat.MEDIAN),
        profiles=tuple(PROFILES) if quick else ("full",),
        seconds=lambda n, **_: 0.1 + (SAMPLES + 4) * max(SAMPLE_S, 2 * n**3 / flops),
        gpu_memory=3 * GIB,
    )


@_product("fp32", 40e12, version=1)
@axis("n", quick=8192, step=TILE, most=MOST_N)
def fp32(gpu: Gpu, n: int) -> Work:
    """Multiply n x n matrices in single precision on the CUDA cores."""
    return _gemm(gpu, "fp32", n, "fp32")


@_product("tf32", 300e12, version=1)
@axis("n", quick=8192, step=TILE, most=MOST_N)
def tf32(gpu: Gpu, n: int) -> Work:
    """Multiply n x n matrices of single-precision numbers; the tensor cores round these to TF32."""
    return _gemm(gpu, "tf32", n, "fp32")


# version 2: the result is BF16, as in inference engines and similar benchmarks
@_product("bf16", 500e12, version=2, quick=True)
@axis("n", quick=8192, full=(8192, 4096), step=TILE, most=MOST_N)
@axis("out", quick="bf16", full=("bf16", "fp32"))
def bf16(gpu: Gpu, n: int, out: str) -> Work:
    """Multiply n x n matrices of random data in BF16, with sums in single precision.

    ``out`` is the format of the result. Inference engines use BF16.
    """
    return _gemm(gpu, "bf16", n, out)


# version 2: fast accumulation, and a BF16 result
@_product("fp8", 900e12, version=2)
@axis("n", quick=8192, step=TILE, most=MOST_N)
@axis("sums", quick="fast", full=("fast", "exact"))
@axis("out", quick="bf16", full=("bf16", "fp32"))
def fp8(gpu: Gpu, n: int, sums: str, out: str) -> Work:
    """Multiply n x n matrices in FP8 (E4M3) by cublasLt, with sums in single precision.

    With ``sums=fast`` the tensor cores may keep fewer bits of partial sums (fast accumulation), as
    in inference engines. ``sums=exact`` forbids fast accumulation. ``out`` is the format of the
    result.
    """
    return _gemm(gpu, "fp8", n, out, fast=sums == "fast")


@_product("mxfp8", 3000e12, version=1)
@axis("n", quick=8192, step=TILE, most=MOST_N)
def mxfp8(gpu: Gpu, n: int) -> Work:
    """Multiply n x n matrices in MXFP8 (E4M3 with one scale per 32 numbers) on Blackwell.

    The result is BF16. All scales are 1.
    """
    return _gemm(gpu, "mxfp8", n, "bf16")


@_product("nvfp4", 6000e12, version=1)
@axis("n", quick=8192, step=TILE, most=MOST_N)
def nvfp4(gpu: Gpu, n: int) -> Work:
    """Multiply n x n matrices in NVFP4 (E2M1 with one scale per 16 numbers) on Blackwell.

    The result is BF16. All scales are 1. The numbers are random among +-1 and +-1.5.
    """
    return _gemm(gpu, "nvfp4", n, "bf16")
