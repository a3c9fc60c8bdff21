"""Bandwidth of main memory: STREAM's kernels, and mixtures of reads and writes.

The byte count is the number of bytes that the algorithm reads plus the number that it writes, as in
STREAM (https://www.cs.virginia.edu/stream/ref.html). Write-allocate traffic is not counted.
`stores=nt` avoids this traffic and therefore shows more of the hardware's bandwidth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from membench.core.axes import AUTO
from membench.core.case import Bench, Needs, axis, bench
from membench.core.errors import VerificationFailed, skip
from membench.core.terms import BytesConvention
from membench.core.text import counted
from membench.core.units import MIB
from membench.core.work import Timed, Work
from membench.host.compiled.pattern import CHUNK
from membench.host.memory.sharing import (
    BLOCK,
    PAGE,
    all_thread_counts,
    parts,
    require_mixture,
    thread_counts,
)

if TYPE_CHECKING:
    from membench.host.memory.backend import CpuBackend
    from membench.host.memory.streams import Doubles
    from membench.host.memory.thread_pool import ThreadSlot


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
    helped = parts(size, min(cpu.helpers(count), max(count, size // PAGE)))
    helping = len(helped)
    reads = operation == "read"
    salts = [*(() if reads else (None,)), SALT_A, SALT_B][: len(arrays)]
    fresh = [salt is None or salt != was for salt, was in zip(salts, cpu.contents, strict=True)]

    def fill(helper: int) -> None:
        part = slice(helped[helper].start // 8, helped[helper].stop // 8)
        for array, salt, wanted in zip(arrays, salts, fresh, strict=True):
            if salt is None:
                engine.poison(array[part])
            elif wanted:  # the previous case left other values in the inputs
                engine.fill(array[part], part.start, salt)

    cpu.each(helping, fill)
    sums = [0]

    def run(iterations: int) -> None:
        jobs = [
            lambda slot, own=own: engine.run(slot, operation, stores, own, iterations)
            for own in mine
        ]
        sums[0] += sum(cpu.launch(jobs))

    def verify_sum(iterations: int) -> None:
        words = arrays[0].view(np.uint64)
        part = [words[cut.start // 8 : cut.stop // 8] for cut in helped]
        once = sum(cpu.each(helping, lambda helper: int(np.add.reduce(part[helper]))))
        if (sums[0] - once * iterations) % 2**64:
            raise VerificationFailed(
                f"{operation}: the sum of the words is {sums[0] % 2**64}, "
                f"not {once * iterations % 2**64}"
            )
        cpu.vouch(pages, salts)

    def verify_elements(iterations: int) -> None:
        del iterations  # every pass writes the same values

        def check(helper: int) -> int:
            part = slice(helped[helper].start // 8, helped[helper].stop // 8)
            return engine.check(operation, arrays[0][part], part.start)

        _refuse_wrong(operation, arrays[0], cpu.each(helping, check))
        cpu.vouch(pages, salts)  # the right output values prove that the inputs were right

    return Timed(
        run=run,
        size_bytes=size * len(arrays),
        bytes_moved=size * len(arrays),
        bytes_convention=BytesConvention.RW_SUM,
        verify=verify_sum if reads else verify_elements,
        samples=8,
        stop="agreed",
        detail={
            "engine": engine.name,
            "threads": count,
            "huge": cpu.huge_share(pages),
            **({"vector": engine.vector_bits} if engine.vector_bits else {}),
        },
    )


def _refuse_wrong(operation: str, written: Doubles, found: Iterable[int]) -> None:
    """Raise `VerificationFailed` if an element of ``written`` is wrong.

    For each checked range, ``found`` has the index of a wrong element, or -1 if all are right.
    """
    wrong = [index for index in found if index >= 0]
    if wrong:
        from membench.host.memory.streams import expected

        index = wrong[0]
        raise VerificationFailed(
            f"{operation}: element {index} is {written[index]}, "
            f"not {expected(operation, index, 1)[0]}"
        )


def _seconds(arrays: int) -> Callable[..., float]:
    return lambda size, **_: 0.1 + arrays * size * 0.1 / 2**28


VERSION = 2  # since version 2: `size=auto`

SWEPT = ("read", "triad")
"""Kernels that the full profile measures at all sizes and numbers of threads."""

SIZES = (AUTO, "1GiB")

QUICK_ON_ALL = ("scale",)
"""Kernels that the quick profile runs only on all threads.

Copy, which moves the same number of bytes, also runs on one thread.
"""


NT_ON_ONE = ("write", "copy")
"""Kernels that the full profile also runs with non-temporal stores on one thread."""


def _kernel(operation: str, arrays: int, description: str) -> Bench:
    def run(
        cpu: CpuBackend, size: int, threads: int | str, pages: str, stores: str = "plain"
    ) -> Work:
        return _stream(cpu, operation, size, threads, pages, stores)

    run.__doc__ = description
    swept = operation in SWEPT
    function: Callable[..., Work] = run
    if operation != "read":
        function = axis("stores", quick=("plain", "nt"))(function)
    function = axis("pages", quick="thp", full=("thp", "4k"))(function)
    function = axis(
        "threads",
        quick="all" if operation in QUICK_ON_ALL else thread_counts,
        full=all_thread_counts if swept else thread_counts,
    )(function)
    function = axis("size", quick=AUTO, full=SIZES if swept else AUTO, least=PAGE, step=BLOCK)(
        function
    )
    return bench(
        f"ddr/{operation}",
        version=VERSION,
        seconds=_seconds(arrays),
        memory=lambda size, **_: arrays * size + MIB,
        second_grid=("threads", "stores") if operation in NT_ON_ONE else (),
    )(function)


read = _kernel(
    "read",
    1,
    """Sum of one array: bandwidth of reads alone.

    ``size`` is the size of one array in bytes, as in all kernels of this family.
    """,
)
write = _kernel("write", 1, "Fill one array with a constant: bandwidth of writes alone.")
copy = _kernel("copy", 2, "STREAM copy: c = a, one array read and one written.")
scale = _kernel("scale", 2, "STREAM scale: b = 3 c, one array read and one written.")
add = _kernel("add", 3, "STREAM add: c = a + b, two arrays read and one written.")
triad = _kernel("triad", 3, "STREAM triad: a = b + 3 c, two arrays read and one written.")


@bench(
    "ddr/mix",
    version=VERSION,
    needs=Needs.JIT,
    profiles=("full",),
    seconds=_seconds(1),
    memory=lambda size, **_: size + MIB,
)
@axis("size", quick=AUTO, step=CHUNK)
@axis("reads", quick=(100, 75, 67, 50, 0), most=100)
@axis("threads", quick=thread_counts)
def mix(cpu: CpuBackend, size: int, reads: int, threads: int | str) -> Work:
    """Read and write chunks of 16 KiB, with a given percentage of reads.

    A chunk is either read or written as a whole. The bandwidth counts each chunk once.
    """
    import numpy as np

    from membench.host.compiled.pattern import SALT_A
    from membench.host.memory.kernels import host_traffic

    entry, check = host_traffic.mix, host_traffic.check_chunks
    cpu.streams.prepare("read", "plain")
    count = cpu.threads(threads)
    chunks = size // CHUNK // count
    if not chunks:
        skip(f"size {size} B is too small for {counted(count, 'thread')}")
    require_mixture(reads, chunks)
    (memory,) = cpu.arrays("thp", [chunks * CHUNK * count], count)
    regions = np.split(memory.view(np.float64), count)
    cpu.each(count, lambda thread: cpu.streams.fill(regions[thread], 0, SALT_A))
    sums = [0]

    def run(iterations: int) -> None:
        def job(slot: ThreadSlot) -> int:
            base = regions[slot.index].ctypes.data
            return int(entry(*slot.barrier, iterations, base, chunks, reads))

        sums[0] += sum(cpu.launch([job] * count))

    def verify(iterations: int) -> None:
        found = cpu.each(
            count, lambda thread: check(regions[thread].ctypes.data, 0, chunks, reads, chunks)
        )
        if any(index >= 0 for index in found):
            raise VerificationFailed(
                f"mix: element {max(found)} of a thread's region has a wrong value"
            )
        words = np.add.reduce(regions[0].view(np.uint64).reshape(chunks, -1), axis=1)
        numbers = np.arange(chunks)
        read = (numbers + 1) * reads // 100 > numbers * reads // 100
        expected = int(np.add.reduce(words[read])) * count * iterations
        if (sums[0] - expected) % 2**64:
            raise VerificationFailed(
                f"mix: the sum of the words that were read is {sums[0] % 2**64}, "
                f"not {expected % 2**64}"
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
