"""Bandwidth of main memory: STREAM's kernels, and mixtures of reads and writes.

Counting is STREAM's (https://www.cs.virginia.edu/stream/ref.html): bytes that
the algorithm reads plus bytes that it writes.  What a cache fetches before an
ordinary store overwrites it is not counted, which is why `stores=nt`, where
nothing is fetched, shows more of the hardware's ability.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from membench.core.axes import AUTO, Value
from membench.core.case import Needs, axis, bench
from membench.core.errors import VerificationFailed, skip
from membench.core.snapshot import Machine
from membench.core.terms import BytesConvention
from membench.core.units import MIB
from membench.core.work import Timed, Work

if TYPE_CHECKING:
    from membench.host.memory.backend import CpuBackend
    from membench.host.memory.thread_pool import Seat

PAGE = 4096
HUGE_PAGE = 2 * MIB


def thread_counts(machine: Machine) -> tuple[Value, ...]:
    """``all``, and 1 where that is another number."""
    return ("all", 1) if machine.cpu.usable > 1 else ("all",)


def all_thread_counts(machine: Machine) -> tuple[Value, ...]:
    """1, 2, 4, ... below the number of usable CPUs, and ``all``."""
    counts: list[Value] = []
    count = 1
    while count < machine.cpu.usable:
        counts.append(count)
        count *= 2
    return (*counts, "all")


def parts(size: int, threads: int) -> list[slice]:
    """``size`` bytes cut into one part a thread, at pages; at huge pages where parts are large.

    A huge page belongs to the thread that touches it first, so it should not be shared.

    Raises:
        Skip: there are more threads than pages.
    """
    grain = HUGE_PAGE if size // threads >= 8 * HUGE_PAGE else PAGE
    if size % PAGE:
        skip(f"the size must be a multiple of {PAGE} bytes")
    if size // grain < threads:
        skip(f"{size} bytes cannot be shared by {threads} threads")
    cuts = [size * n // threads // grain * grain for n in range(threads)]
    return [slice(begin, end) for begin, end in zip(cuts, [*cuts[1:], size], strict=True)]


def _stream(
    cpu: CpuBackend, operation: str, size: int, threads: int | str, pages: str, stores: str
) -> Work:
    import numpy as np

    from membench.host.compiled.pattern import ARRAYS, SALT_A, SALT_B

    engine = cpu.streams
    engine.prepare(operation, stores)
    count = cpu.threads(threads)
    cuts = parts(size, count)
    raw = cpu.arrays(pages, [size] * ARRAYS[operation], count)
    arrays = [array.view(np.float64) for array in raw]
    mine = [[array[cut.start // 8 : cut.stop // 8] for array in arrays] for cut in cuts]
    reads = operation == "read"

    def fill(thread: int) -> None:
        first = cuts[thread].start // 8
        if not reads:
            engine.poison(mine[thread][0])
        for array, salt in zip(mine[thread][0 if reads else 1 :], (SALT_A, SALT_B), strict=False):
            engine.fill(array, first, salt)

    cpu.each(count, fill)
    sums = [0]

    def run(iterations: int) -> None:
        jobs = [
            lambda seat, own=own: engine.run(seat, operation, stores, own, iterations)
            for own in mine
        ]
        sums[0] += sum(cpu.launch(jobs))

    def verify_sum(iterations: int) -> None:
        once = int(np.add.reduce(arrays[0].view(np.uint64)))
        if (sums[0] - once * iterations) % 2**64:
            raise VerificationFailed(
                f"{operation}: the words sum up to {sums[0] % 2**64}, "
                f"not to {once * iterations % 2**64}"
            )

    def verify_elements(iterations: int) -> None:
        del iterations  # every pass writes the same
        found = cpu.each(count, lambda t: engine.check(operation, mine[t][0], cuts[t].start // 8))
        wrong = [index for index in found if index >= 0]
        if wrong:
            from membench.host.memory.streams import expected

            index = wrong[0]
            raise VerificationFailed(
                f"{operation}: element {index} is {arrays[0][index]}, "
                f"not {expected(operation, index, 1)[0]}"
            )

    return Timed(
        run=run,
        size_bytes=size * len(arrays),
        bytes_moved=size * len(arrays),
        bytes_convention=BytesConvention.RW_SUM,
        verify=verify_sum if reads else verify_elements,
        samples=8,
        detail={
            "engine": engine.name,
            "threads": count,
            "huge": cpu.huge_share(pages),
            **({"vector": engine.vector_bits} if engine.vector_bits else {}),
        },
    )


def _memory(arrays: int) -> Callable[..., float]:
    return lambda size, **_: arrays * size + MIB


def _seconds(arrays: int) -> Callable[..., float]:
    return lambda size, **_: 0.1 + arrays * size * 0.1 / 2**28


SIZES = (AUTO, "256MiB", "1GiB")
"""Of `read` and `triad`: the full profile sweeps one kernel that only reads and one with all."""

VERSION = 2
"""2: `size=auto` is the default, and arrays grow with the caches in reach."""


@bench("ddr/read", version=VERSION, seconds=_seconds(1), memory=_memory(1))
@axis("size", quick=AUTO, full=SIZES)
@axis("threads", quick=thread_counts, full=all_thread_counts)
@axis("pages", quick="thp", full=("thp", "4k"))
def read(cpu: CpuBackend, size: int, threads: int | str, pages: str) -> Work:
    """Sum one array: bandwidth of reading alone.

    ``size`` is the bytes of the array, as in all kernels of this family.
    """
    return _stream(cpu, "read", size, threads, pages, "plain")


@bench("ddr/write", version=VERSION, seconds=_seconds(1), memory=_memory(1))
@axis("size", quick=AUTO)
@axis("threads", quick=thread_counts)
@axis("pages", quick="thp", full=("thp", "4k"))
@axis("stores", quick=("plain", "nt"))
def write(cpu: CpuBackend, size: int, threads: int | str, pages: str, stores: str) -> Work:
    """Fill one array with a constant: bandwidth of writing alone."""
    return _stream(cpu, "write", size, threads, pages, stores)


@bench("ddr/copy", version=VERSION, seconds=_seconds(2), memory=_memory(2))
@axis("size", quick=AUTO)
@axis("threads", quick=thread_counts)
@axis("pages", quick="thp", full=("thp", "4k"))
@axis("stores", quick=("plain", "nt"))
def copy(cpu: CpuBackend, size: int, threads: int | str, pages: str, stores: str) -> Work:
    """STREAM copy: c = a, one array read and one written."""
    return _stream(cpu, "copy", size, threads, pages, stores)


@bench("ddr/scale", version=VERSION, seconds=_seconds(2), memory=_memory(2))
@axis("size", quick=AUTO)
@axis("threads", quick=thread_counts)
@axis("pages", quick="thp", full=("thp", "4k"))
@axis("stores", quick=("plain", "nt"))
def scale(cpu: CpuBackend, size: int, threads: int | str, pages: str, stores: str) -> Work:
    """STREAM scale: b = 3 c, one array read and one written."""
    return _stream(cpu, "scale", size, threads, pages, stores)


@bench("ddr/add", version=VERSION, seconds=_seconds(3), memory=_memory(3))
@axis("size", quick=AUTO)
@axis("threads", quick=thread_counts)
@axis("pages", quick="thp", full=("thp", "4k"))
@axis("stores", quick=("plain", "nt"))
def add(cpu: CpuBackend, size: int, threads: int | str, pages: str, stores: str) -> Work:
    """STREAM add: c = a + b, two arrays read and one written."""
    return _stream(cpu, "add", size, threads, pages, stores)


@bench("ddr/triad", version=VERSION, seconds=_seconds(3), memory=_memory(3))
@axis("size", quick=AUTO, full=SIZES)
@axis("threads", quick=thread_counts, full=all_thread_counts)
@axis("pages", quick="thp", full=("thp", "4k"))
@axis("stores", quick=("plain", "nt"))
def triad(cpu: CpuBackend, size: int, threads: int | str, pages: str, stores: str) -> Work:
    """STREAM triad: a = b + 3 c, two arrays read and one written."""
    return _stream(cpu, "triad", size, threads, pages, stores)


@bench(
    "ddr/mix",
    version=VERSION,
    needs=Needs.JIT,
    profiles=("full",),
    seconds=_seconds(1),
    memory=_memory(1),
)
@axis("size", quick=AUTO)
@axis("reads", quick=(100, 75, 67, 50, 0), most=100)
@axis("threads", quick=thread_counts)
def mix(cpu: CpuBackend, size: int, reads: int, threads: int | str) -> Work:
    """Reads and writes mixed: ``reads`` percent of the chunks are read, the others written.

    A chunk has 16 KiB.  Every chunk counts once, whichever it is.
    """
    import numpy as np

    from membench.host.compiled.pattern import CHUNK, SALT_A
    from membench.host.memory import traffic_kernels as host_traffic

    entry, check = host_traffic.mix.entry, host_traffic.check_chunks.entry
    cpu.streams.prepare("read", "plain")
    count = cpu.threads(threads)
    chunks = size // CHUNK // count
    if not chunks:
        skip(f"{size} bytes cannot be shared by {count} threads")
    (memory,) = cpu.arrays("thp", [chunks * CHUNK * count], count)
    regions = np.split(memory.view(np.float64), count)
    cpu.each(count, lambda thread: cpu.streams.fill(regions[thread], 0, SALT_A))
    sums = [0]

    def run(iterations: int) -> None:
        def job(seat: Seat) -> int:
            base = regions[seat.index].ctypes.data
            return int(entry(*seat.gate, iterations, base, chunks, reads))

        sums[0] += sum(cpu.launch([job] * count))

    def verify(iterations: int) -> None:
        found = cpu.each(
            count, lambda thread: check(regions[thread].ctypes.data, 0, chunks, reads, chunks)
        )
        if any(index >= 0 for index in found):
            raise VerificationFailed(f"mix: element {max(found)} of a thread's part is wrong")
        words = np.add.reduce(regions[0].view(np.uint64).reshape(chunks, -1), axis=1)
        numbers = np.arange(chunks)
        read = (numbers + 1) * reads // 100 > numbers * reads // 100
        expected = int(np.add.reduce(words[read])) * count * iterations
        if (sums[0] - expected) % 2**64:
            raise VerificationFailed(
                f"mix: the words that were read sum up to {sums[0] % 2**64}, "
                f"not to {expected % 2**64}"
            )

    return Timed(
        run=run,
        size_bytes=memory.size,
        bytes_moved=memory.size,
        bytes_convention=BytesConvention.RW_SUM,
        verify=verify,
        samples=8,
        detail={"engine": "numba", "threads": count, "huge": cpu.huge_share("thp")},
    )
