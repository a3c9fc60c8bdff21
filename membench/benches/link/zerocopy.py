"""Kernels that read and write host memory directly, without a copy.

The report computes the bytes in flight as bandwidth x round-trip time (Little's law).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from membench.core.axes import Value
from membench.core.case import Bench, Needs, axis, bench
from membench.core.errors import VerificationFailed
from membench.core.terms import BytesConvention, Metric, Stat
from membench.core.units import MIB
from membench.core.work import Observed, Timed, Work
from membench.gpu.units import LINE, VECTOR
from membench.workloads.kv_move import MOST_GRID

if TYPE_CHECKING:
    from membench.gpu.protocol import Gpu

SIZE = 128 * MIB
"""Maximum bytes that a case reads or writes; larger than the L2 caches of today's GPUs."""

FEW = 16
"""With fewer thread blocks than this number, a case accesses only `SIZE` / `FEW` bytes."""

MOST_UNROLL = 8
"""Maximum accesses in flight per thread without spilled registers."""

HOPS = 4096
"""About 5 ms per launch, at 1.3 us per hop."""

LAUNCHES = 5

_SALT = 53


def _seconds(block: int, grid: int, **_: Value) -> float:
    # GB/s, and about 0.1 GB/s per thread block with blocks of 16 bytes
    pace = min(30.0, 0.4 * grid if grid else 30.0) * (0.3 if block < 128 else 1.0)
    return 0.07 + 8 * _bytes(grid) / 1e9 / pace


def _bytes(grid: int) -> int:
    return SIZE if not grid or grid >= FEW else SIZE // FEW


def far_apart(blocks: int) -> int:
    """An odd factor f; the mapping b -> f b modulo ``blocks`` separates neighbouring blocks.

    ``blocks`` is a power of two, so the mapping visits each block once. f is near ``blocks``
    divided by the golden ratio (Knuth, "The Art of Computer Programming" 3, section 6.4).
    """
    return int(blocks * 0.6180339887) | 1


def _access(gpu: Gpu, operation: str, block: int, grid: int, unroll: int, order: str) -> Work:
    import numpy as np

    from membench.gpu.link_protocol import link_detail, link_flags
    from membench.gpu.protocol import KernelVariant
    from membench.gpu.verify.pattern import Patterns, pattern_sum

    size = _bytes(grid)
    links = gpu.links
    patterns = Patterns(gpu)
    host = links.memory(size, "pinned")
    total = gpu.allocate(16)
    gpu.fill(total, 0)
    kernel = gpu.kernel(KernelVariant.of("zerocopy.cu", UNROLL=unroll), f"zerocopy_{operation}")
    threads = 256
    blocks = grid or gpu.properties.sms * gpu.occupancy(kernel, threads)
    shift = np.uint32((block // VECTOR).bit_length() - 1)
    factor = np.uint32(far_apart(size // block) if order == "rand" else 1)
    count = np.uint64(size // VECTOR)
    if operation == "read":
        patterns.fill(host, _SALT)
        args: tuple[object, ...] = (total, host, count, shift, factor)
    else:
        args = (host, count, shift, factor, np.uint32(_SALT))

    def run(iterations: int) -> None:
        for _ in range(iterations):
            gpu.launch(kernel, blocks, threads, args)

    def verify(iterations: int) -> None:
        if operation == "write":
            patterns.check("write", host, _SALT)
            return
        found = int(gpu.download(total, np.uint32, 1)[0])
        expected = pattern_sum(size // 4, _SALT) * iterations % 2**32
        if found != expected:
            raise VerificationFailed(f"read: the sum of the words is {found}, not {expected}")

    return Timed(
        run=run,
        verify=verify,
        size_bytes=size,
        bytes_moved=size,
        bytes_convention=BytesConvention.PAYLOAD,
        min_sample_s=0.001,
        samples=6,
        flags=link_flags(links),
        detail={
            **link_detail(links),
            "grid": blocks,
            "threads": threads,
            "registers": kernel.registers,
        },
    )


def _declare(operation: str) -> Callable[[Callable[..., Work]], Bench]:
    def decorate(function: Callable[..., Work]) -> Bench:
        blocks = ("64KiB", "16B", "64B", "128B", "512B", "4KiB")
        function = axis("order", quick="rand", full=("rand", "seq"))(function)
        function = axis("unroll", quick=4, full=(4, 1, 2), most=MOST_UNROLL)(function)
        function = axis("grid", quick=0, full=(0, 1, 4, 16, 64), most=MOST_GRID)(function)
        function = axis(
            "block", quick="64KiB", full=blocks, least=VECTOR, most=SIZE // FEW, power=True
        )(function)
        return bench(
            f"zerocopy/{operation}",
            version=1,
            needs=Needs.GPU,
            seconds=_seconds,
            memory=SIZE,
            gpu_memory=MIB,
        )(function)

    return decorate


@_declare("read")
def read(gpu: Gpu, block: int, grid: int, unroll: int, order: str) -> Work:
    """Read host memory from the SMs, block by block, each block once.

    ``grid`` is the number of thread blocks; 0 means as many as are resident at once. ``unroll`` is
    the number of 16-byte loads that a thread has in flight.
    """
    return _access(gpu, "read", block, grid, unroll, order)


@_declare("write")
def write(gpu: Gpu, block: int, grid: int, unroll: int, order: str) -> Work:
    """Write host memory from the SMs, block by block, each block once.

    ``grid`` is the number of thread blocks; 0 means as many as are resident at once. ``unroll`` is
    the number of 16-byte stores that a thread issues together.
    """
    return _access(gpu, "write", block, grid, unroll, order)


@bench(
    "zerocopy/chase",
    version=1,
    needs=Needs.GPU,
    yields=((Metric.LATENCY, Stat.MEDIAN), (Metric.LATENCY, Stat.P99)),
    seconds=0.06 + 2 * LAUNCHES * HOPS * 1.3e-6,
    memory=lambda size, **_: size,
    gpu_memory=MIB,
)
@axis("size", quick=("64MiB",), full=("64MiB", "64KiB", "256MiB"), least=2 * LINE, step=LINE)
def chase(gpu: Gpu, size: int) -> Work:
    """Round-trip time of one dependent load of host memory by a GPU thread.

    The pointers form one random cycle over all lines of 128 bytes. Every load bypasses the caches
    (``ld.global.cv``). The median is over whole launches. p99 is over single hops, and includes one
    clock read.
    """
    from membench.gpu.link_protocol import link_detail, link_flags
    from membench.gpu.verify.walk import Walker

    links = gpu.links
    walker = Walker(gpu, links.memory(size, "pinned"), size // LINE)

    return Observed(
        observe=lambda _seconds: walker.round_trips(HOPS, LAUNCHES),
        seconds=0.1,
        timer="globaltimer",
        size_bytes=size,
        verify=walker.verify,
        flags=link_flags(links),
        detail=link_detail(links),
    )
