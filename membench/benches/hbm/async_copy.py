"""Bandwidth of three methods to read GPU memory into shared memory, and latency of bulk copies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from membench.core.axes import AUTO
from membench.core.case import Needs, axis, bench
from membench.core.errors import skip
from membench.core.sizes.reach import CACHE_MULTIPLE
from membench.core.terms import BytesConvention, Metric, PeakBasis, Stat
from membench.core.text import counted
from membench.core.units import KIB, MIB
from membench.core.work import Observed, Timed, Work
from membench.gpu.bulk import require_bulk
from membench.gpu.units import LINE, VECTOR

if TYPE_CHECKING:
    from membench.gpu.protocol import Gpu

BLOCK = 256
LOADS = 4
"""Number of plain loads that a thread has in flight."""

MOST_STAGES = 32
"""Maximum tiles in flight."""

HOPS, LAUNCHES = 4096, 5
"""Hops per launch, and launches. A launch takes about 4 ms at 1 us per hop."""

_SALT = 67


def in_flight(method: str, tile: int, stages: int) -> int:
    """Maximum bytes in flight per SM."""
    return min(tile, BLOCK * LOADS * 16) if method == "ld" else tile * stages


def sensible(_profile: str, method: str, tile: int, stages: int, **_: int) -> bool:
    # The bench checks the GPU's own limit of shared memory.
    return stages == 1 if method == "ld" else tile * stages <= 208 * KIB


@bench(
    "hbm/async",
    version=2,  # since version 2: `size=auto`
    needs=Needs.GPU,
    profiles=("full",),
    seconds=lambda size, method, tile, stages: (
        0.05 + 12 * size / min(2.5e12, 1.5e8 * in_flight(method, tile, stages))
    ),
    gpu_memory=lambda size, **_: size + MIB,
    grid=("method", "tile", "stages"),
    where=sensible,
)
@axis("size", quick=AUTO, step=VECTOR)
@axis("method", quick=("bulk", "cp", "ld"))
@axis("tile", quick=("16KiB", "1KiB", "4KiB", "64KiB"), step=VECTOR)
@axis("stages", quick=(2, 1, 4, 8), most=MOST_STAGES)
def asynchronous(gpu: Gpu, size: int, method: str, tile: int, stages: int) -> Work:
    """Measure how the read bandwidth into shared memory depends on the bytes in flight per SM.

    One block runs on each SM. ``method`` is one of:

    - ``ld`` loads through registers.
    - ``cp`` uses cp.async with 16 bytes per thread.
    - ``bulk`` uses one-dimensional bulk copies of whole tiles (compute capability 9.0 or newer).

    With ``cp`` and ``bulk``, ``stages`` tiles are in flight at the same time. Until the memory is
    saturated, the bandwidth is the number of bytes in flight divided by the latency (Little's law).
    """
    import numpy as np

    from membench.gpu.protocol import KernelVariant
    from membench.gpu.verify.content import BlockSums
    from membench.gpu.verify.pattern import Patterns, pattern_sum

    if method == "bulk":
        require_bulk(gpu)
    if method == "ld" and stages != 1:
        skip(f"method=ld needs stages=1, not stages={stages}")
    kernel = gpu.kernel(KernelVariant.of("async.cu", STAGES=stages), f"async_{method}")
    shared = tile * stages
    if shared + kernel.shared_bytes > gpu.properties.shared_per_block:
        skip(f"the shared memory of a block is too small for {counted(stages, 'tile')} of {tile} B")
    if size % tile:
        skip(f"size {size} B is not a multiple of tile {tile} B")
    blocks = gpu.properties.sms
    memory = gpu.allocate(size)
    Patterns(gpu).fill(memory, _SALT)
    sums = BlockSums(gpu, blocks)
    args = (sums.buffer, memory, np.uint32(tile // 16), np.uint32(size // tile))
    peak = gpu.properties.peak_bandwidth

    def run(iterations: int) -> None:
        for _ in range(iterations):
            gpu.launch(kernel, blocks, BLOCK, args, shared=shared)

    def verify(iterations: int) -> None:
        sums.check("hbm/async", iterations * pattern_sum(size // 4, _SALT))

    return Timed(
        run=run,
        verify=verify,
        size_bytes=size,
        bytes_moved=size,
        bytes_convention=BytesConvention.PAYLOAD,
        min_sample_s=0.0,
        samples=8,
        peak=peak,
        peak_basis=PeakBasis.QUERIED if peak else None,
        flags=("cache-served",) if size < CACHE_MULTIPLE * gpu.properties.l2_bytes else (),
        detail={
            "in_flight": in_flight(method, tile, stages),
            "blocks": blocks,
            "registers": kernel.registers,
        },
    )


@bench(
    "hbm/bulk",
    version=1,
    needs=Needs.GPU,
    profiles=("full",),
    yields=(Metric.LATENCY, Stat.MEDIAN),
    seconds=0.05 + (LAUNCHES + 1) * HOPS * 1.0e-6,
    gpu_memory=lambda size: size + MIB,
)
@axis("size", quick="1GiB", least=2 * LINE, step=LINE)
def bulk(gpu: Gpu, size: int) -> Work:
    """Latency of a dependent bulk copy (TMA) of 16 bytes from GPU memory into shared memory.

    The pointers form one random cycle through lines of 128 bytes, as in `gpu/chase`. A hop is the
    copy, the wait for its end, and the load of the next address from shared memory.
    """
    from membench.gpu.verify.walk import Walker

    walker = Walker(gpu, gpu.allocate(size), size // LINE, "cg", bulk=True)
    return Observed(
        observe=lambda _seconds: walker.bulk_trips(HOPS, LAUNCHES),
        seconds=0.05,
        timer="globaltimer",
        size_bytes=size,
        verify=walker.verify,
        flags=("cache-served",) if size < CACHE_MULTIPLE * gpu.properties.l2_bytes else (),
    )
