"""Memory with a chosen kind of page.

NumPy's arrays get huge pages by default and a C program's arrays do not, which changes the latency
of the same loop by 1.5x. So every array is mapped with a declared kind of page.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from membench.core.errors import MembenchError, skip
from membench.core.units import MIB
from membench.machine.pages import huge_page_bytes, huge_page_size

Bytes = npt.NDArray[np.uint8]

ALIGNMENT = 2 * MIB
"""Alignment of every array: a huge page on machines with pages of 4 KiB."""

PAGES = ("thp", "4k")

STAGGER = 96 * 1024
"""Gap in bytes between neighbouring arrays.

Array lengths are mostly powers of two. Spacing by a power of two puts the arrays into the same
cache sets and DRAM banks and costs 20 to 40 % (the reason for STREAM's OFFSET). Of the gaps from 4
KiB to 544 KiB, this one was the best or nearly the best for two and three arrays, on both kinds of
page.
"""

_MADVICE = {"thp": mmap.MADV_HUGEPAGE, "4k": mmap.MADV_NOHUGEPAGE}
_MBIND = {"x86_64": 237, "aarch64": 235}
_MPOL_BIND = 2


def map_pages(size: int, pages: str, node: int | None = None) -> Bytes:
    """Map ``size`` bytes of new memory, aligned to a huge page if large enough.

    No page is touched. The mapping exists as long as the array or a view of it.

    Args:
        pages: ``thp`` requests transparent huge pages (`huge_bytes` checks whether the kernel
            provided them); ``4k`` forbids them.
        node: memory node that the pages must come from.

    Raises:
        Skip: the kernel has no memory policies.
        MembenchError: the memory cannot be allocated.
    """
    huge = huge_page_size()
    alignment = huge if pages == "thp" and size >= huge else ALIGNMENT
    try:
        room = size + alignment + 2 * mmap.PAGESIZE
        mapping = mmap.mmap(-1, room, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MembenchError(
            f"{size} bytes of memory cannot be allocated: {error.strerror}"
        ) from error
    whole: Bytes = np.frombuffer(mapping, np.uint8)
    # A kernel without transparent huge pages, such as a real-time kernel, refuses both requests.
    # The memory is then on small pages, as it is when they are switched off, and `huge_bytes`
    # reports this.
    with contextlib.suppress(OSError):
        mapping.madvise(_MADVICE[pages])
    first = mmap.PAGESIZE
    start = first + -(whole.ctypes.data + first) % alignment
    memory = whole[start : start + size]
    end = start + -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
    for guard in (whole[:start], whole[end:]):
        _forbid(guard)
    if node is not None:
        _bind(memory, node)
    return memory


def _forbid(guard: Bytes) -> None:
    """Make these pages inaccessible, so that they separate their two neighbours.

    The kernel merges two adjacent mappings with equal flags, and counts their huge pages together.
    """
    address, size = ctypes.c_void_p(guard.ctypes.data), ctypes.c_size_t(guard.nbytes)
    ctypes.CDLL(None).mprotect(address, size, ctypes.c_int(0))  # PROT_NONE


def _bind(memory: Bytes, node: int) -> None:
    number = _MBIND.get(platform.machine())
    if number is None:
        skip(f"memory cannot be bound to a node on {platform.machine()}")
    words = node // 64 + 1
    mask = (ctypes.c_ulong * words)()
    mask[node // 64] = 1 << node % 64
    libc = ctypes.CDLL(None, use_errno=True)
    length = -(-memory.size // 4096) * 4096
    failed = libc.syscall(
        ctypes.c_long(number),
        ctypes.c_void_p(memory.ctypes.data),
        ctypes.c_ulong(length),
        ctypes.c_long(_MPOL_BIND),
        mask,
        ctypes.c_ulong(64 * words + 1),
        ctypes.c_ulong(0),
    )
    if failed:
        skip(f"mbind to node {node} is not allowed here (errno {ctypes.get_errno()})")


def huge_bytes(memory: Bytes) -> int:
    """Bytes of a mapping from `map_pages` that are on huge pages, read from smaps."""
    # The whole mapping, because the kernel reports only one count per mapping.
    whole = memory.base if isinstance(memory.base, np.ndarray) else memory
    return huge_page_bytes(int(whole.ctypes.data), whole.nbytes)


Span = tuple[int, int]
"""Begin and end of an array, in bytes of its mapping."""


@dataclass
class _Arena:
    """A mapping, and what is known about the arrays in it.

    Attributes:
        taken: bytes that were given to cases, and are therefore touched.
        spans: the spans of the arrays that were given to a case last.
        contents: span -> content, for the arrays whose content is known.
    """

    memory: Bytes
    owner: object
    taken: int = 0
    spans: tuple[Span, ...] = ()
    contents: dict[Span, object] = field(default_factory=dict)

    def hand_out(self, spans: tuple[Span, ...]) -> list[object]:
        """The known content of each of ``spans``, or None.

        From then on it is unknown, because the case may overwrite it.
        """
        self.spans = spans
        found = [self.contents.get(span) for span in spans]
        self.contents = {
            known: content
            for known, content in self.contents.items()
            if not any(known[0] < end and begin < known[1] for begin, end in spans)
        }
        return found


class Arenas:
    """One mapping for each kind of page, kept between cases because the first touch is expensive.

    Args:
        limit: maximum bytes of all mappings together; other mappings are freed before a new one
            exceeds it.
        nodes: number of NUMA nodes of the machine. If there are several, touched pages are freed
            when a different assignment of threads would use them.

    Attributes:
        contents: the content of each array that was taken last, as given to `vouch`; None if it is
            unknown.
    """

    def __init__(self, limit: int, nodes: int = 1) -> None:
        self._limit = limit
        self._nodes = nodes
        self._arenas: dict[str, _Arena] = {}
        self.contents: list[object] = []

    def take(self, pages: str, sizes: Sequence[int], owner: object = None) -> list[Bytes]:
        """Arrays of ``sizes`` bytes, staggered; they contain what the previous case left there.

        Arrays from an earlier call must not be used any more.

        Args:
            owner: identifies which thread touches which part; any comparable value.
        """
        if pages not in PAGES:
            raise ValueError(f"'{pages}' is not a kind of page: {', '.join(PAGES)}")
        spans = [-(-size // 4096) * 4096 + STAGGER for size in sizes]
        total = sum(spans)
        if total > self._limit:
            raise MembenchError(
                f"needs {total / MIB:.0f} MiB of memory, {self._limit / MIB:.0f} MiB are usable"
            )
        arena = self._arenas.get(pages)
        moved = arena is not None and self._nodes > 1 and arena.owner != owner
        if arena is None or moved or arena.memory.size < total:
            self._arenas.pop(pages, None)
            arena = self._arenas[pages] = _Arena(self._reserve(total, pages), owner)
        if total + sum(a.taken for kind, a in self._arenas.items() if kind != pages) > self._limit:
            self._arenas = {pages: arena}
        arena.taken = max(arena.taken, total)
        starts = [int(start) for start in np.cumsum([0, *spans[:-1]])]
        places = tuple((start, start + size) for start, size in zip(starts, sizes, strict=True))
        self.contents = arena.hand_out(places)
        return [arena.memory[begin:end] for begin, end in places]

    def vouch(self, pages: str, contents: Sequence[object]) -> None:
        """Remember what the arrays taken last from ``pages`` contain, until they are taken again.

        Args:
            contents: a value for each array that identifies its content; None if it is unknown.
        """
        arena = self._arenas[pages]
        known = zip(arena.spans, contents, strict=True)
        arena.contents |= {span: content for span, content in known if content is not None}

    def _reserve(self, total: int, pages: str) -> Bytes:
        """Reserve address space for the largest case, so that growth keeps the touched pages."""
        try:
            return map_pages(self._limit, pages)
        except MembenchError:
            # Strict overcommit: the system counts reserved address space as memory.
            return map_pages(total, pages)

    def huge_share(self, pages: str) -> str:
        """The share of the arrays that is on huge pages, read from smaps: ``100%``."""
        arena = self._arenas[pages]
        return f"{min(100, 100 * huge_bytes(arena.memory) / arena.taken):.0f}%"

    def clear(self) -> None:
        """Free all mappings."""
        self._arenas.clear()
