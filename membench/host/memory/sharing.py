"""The numbers of threads that cases use, and the share of an array for each thread."""

from __future__ import annotations

from membench.core.axes import Value
from membench.core.errors import skip
from membench.core.snapshot import Machine
from membench.core.text import counted
from membench.core.units import MIB, about_size
from membench.host.compiled.pattern import CHUNK

PAGE = 4096
BLOCK = 256
"""Divisor of every share of an array in bytes, because of `membench.host.memory.streams`."""
HUGE_PAGE = 2 * MIB
MIXED = 100
"""Minimum number of chunks per thread for a mixture of reads and writes."""


def thread_counts(machine: Machine) -> tuple[Value, ...]:
    """The values of the axis ``threads``: ``all``, and 1 if the machine has several usable CPUs."""
    return ("all", 1) if machine.cpu.usable > 1 else ("all",)


def all_thread_counts(machine: Machine) -> tuple[Value, ...]:
    """Powers of two below the number of usable CPUs, and ``all``, for the axis ``threads``."""
    counts: list[Value] = []
    count = 1
    while count < machine.cpu.usable:
        counts.append(count)
        count *= 2
    return (*counts, "all")


def require_mixture(reads: int, chunks: int) -> None:
    """Skip the case if a thread has too few ``chunks`` for a mixture with ``reads`` percent reads.

    With `MIXED` chunks or more, the share of chunks that are read is within one percentage point of
    ``reads``.
    """
    if 0 < reads < 100 and chunks < MIXED:
        skip(
            f"size is too small: with reads={reads}, each thread needs at least "
            f"{about_size(MIXED * CHUNK)}"
        )


def parts(size: int, threads: int) -> list[slice]:
    """Divide ``size`` bytes into one slice per thread, at multiples of 4 KiB.

    If a share has at least 16 MiB, the boundaries between slices are multiples of 2 MiB. The end of
    the last slice is ``size``.

    Raises:
        Skip: ``size`` is not a multiple of 256 B, or there are more threads than whole pages.
    """
    # A huge page is on the node of the thread that first touches it. In an array whose start is not
    # aligned to huge pages (`STAGGER` in arena.py), at most about 1 % of a share is on a huge page
    # of the next thread.
    grain = HUGE_PAGE if size // threads >= 8 * HUGE_PAGE else PAGE
    if size % BLOCK:
        skip(f"size {size} B is not a multiple of {BLOCK} B")
    if size // grain < threads:
        skip(f"size {size} B is too small for {counted(threads, 'thread')}")
    cuts = [size * n // threads // grain * grain for n in range(threads)]
    return [slice(begin, end) for begin, end in zip(cuts, [*cuts[1:], size], strict=True)]
