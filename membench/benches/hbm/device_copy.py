"""Copies within GPU memory, by the driver or by a kernel, and fills (memset) by the driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from membench.core.axes import AUTO, OMITTED
from membench.core.case import Needs, axis, bench
from membench.core.errors import VerificationFailed
from membench.core.sizes.reach import CACHE_MULTIPLE
from membench.core.terms import BytesConvention, PeakBasis
from membench.core.units import GIB, MIB
from membench.core.work import Timed, Work
from membench.gpu.units import VECTOR
from membench.workloads.link_copy import copies

if TYPE_CHECKING:
    from membench.gpu.protocol import Gpu

BYTE = 0x3C

SIZES = ("64KiB", "512KiB", "4MiB", "32MiB", "256MiB", "2GiB")

_SALT = 71


@bench(
    "hbm/d2d",
    version=2,  # since version 2: `size=auto`
    needs=Needs.GPU,
    # The seconds cover fourteen copies at 2.5 TB/s, and filling and checking at 2 TB/s.
    seconds=lambda size, **_: 0.06 + 0.014 * size / GIB,
    gpu_memory=lambda size, **_: 2 * size + MIB,
)
@axis("size", quick=AUTO, full=(AUTO, *SIZES), step=VECTOR)
@axis("count", quick="rw_sum", full=("rw_sum", "payload"))
@axis("engine", quick=OMITTED, full=(OMITTED, "tma"))
def d2d(gpu: Gpu, size: int, count: str, engine: str) -> Work:
    """Copy within GPU memory, by cudaMemcpyAsync or by a kernel.

    The driver chooses the engine of cudaMemcpyAsync. ``engine=tma`` is a kernel with bulk copies
    through shared memory (compute capability 9.0 or newer). `hbm/copy` measures copies by loads and
    stores. ``count=payload`` counts each copied byte once, like copies between tiers.
    ``count=rw_sum`` counts each byte twice (one read and one write), like STREAM.
    """
    from membench.gpu.verify.pattern import Patterns

    source, target = gpu.allocate(size), gpu.allocate(size)
    patterns = Patterns(gpu)
    patterns.fill(source, _SALT)
    patterns.poison(target)
    once = copies(gpu, engine or "ce", target.address, source.address, size)
    both = count == "rw_sum"
    peak = gpu.properties.peak_bandwidth if both else None

    def run(iterations: int) -> None:
        for _ in range(iterations):
            once(None)

    return Timed(
        run=run,
        verify=lambda _iterations: patterns.check("hbm/d2d", target, _SALT),
        size_bytes=2 * size,
        bytes_moved=2 * size if both else size,
        bytes_convention=BytesConvention.RW_SUM if both else BytesConvention.PAYLOAD,
        min_sample_s=0.001,
        peak=peak,
        peak_basis=PeakBasis.QUERIED if peak else None,
        flags=("cache-served",) if 2 * size < CACHE_MULTIPLE * gpu.properties.l2_bytes else (),
        detail={"api": "cp.async.bulk" if engine else "cudaMemcpyAsync"},
    )


@bench(
    "hbm/memset",
    profiles=("full",),
    version=2,  # since version 2: `size=auto`
    needs=Needs.GPU,
    seconds=lambda size: 0.06 + 0.007 * size / GIB,
    gpu_memory=lambda size: size + MIB,
)
@axis("size", quick=AUTO, full=(AUTO, *SIZES), step=VECTOR)
def memset(gpu: Gpu, size: int) -> Work:
    """Fill GPU memory by cudaMemsetAsync."""
    from membench.gpu.verify.pattern import Patterns

    target = gpu.allocate(size)
    patterns = Patterns(gpu)
    patterns.poison(target)
    peak = gpu.properties.peak_bandwidth

    def run(iterations: int) -> None:
        for _ in range(iterations):
            gpu.fill(target, BYTE)

    def verify(iterations: int) -> None:
        if not iterations:
            raise VerificationFailed("hbm/memset: no fill was executed")
        patterns.check_value("hbm/memset", target, BYTE * 0x01010101)

    return Timed(
        run=run,
        verify=verify,
        size_bytes=size,
        bytes_moved=size,
        bytes_convention=BytesConvention.RW_SUM,
        min_sample_s=0.001,
        peak=peak,
        peak_basis=PeakBasis.QUERIED if peak else None,
        flags=("cache-served",) if size < CACHE_MULTIPLE * gpu.properties.l2_bytes else (),
        detail={"api": "cudaMemsetAsync"},
    )
