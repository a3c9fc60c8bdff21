"""Allocate memory with a chosen kind of page.

NumPy requests huge pages for large arrays, and malloc does not. This difference changes the latency
of the same loop by a factor of 1.5. So every array is mapped with an explicit kind of page.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from membench.core.errors import MembenchError, skip
from membench.core.units import MIB, about_size
from membench.machine.pages import huge_page_bytes, huge_page_size

Bytes = npt.NDArray[np.uint8]

ALIGNMENT = 2 * MIB
"""Minimum alignment of a mapping in bytes: a huge page on machines with pages of 4 KiB."""

PAGES = ("thp", "4k")

STAGGER = 96 * 1024
"""Gap in bytes between neighbouring arrays, like STREAM's OFFSET.

Arrays at a distance of a power of two share cache sets and DRAM banks, which reduces the bandwidth
by 20 to 40 %. This gap was the best or nearly the best of the gaps from 4 KiB to 544 KiB, with two
and three arrays and both kinds of page.
"""

_MADVICE = {"thp": mmap.MADV_HUGEPAGE, "4k": mmap.MADV_NOHUGEPAGE}
_MBIND = {"x86_64": 237, "aarch64": 235}
_MPOL_BIND = 2


def map_pages(size: int, pages: str, node: int | None = None) -> Bytes:
    """Map ``size`` bytes of new memory, aligned to `ALIGNMENT`, without touching a page.

    With ``thp``, memory that is not smaller than a huge page is aligned to a huge page. The mapping
    exists as long as the array or a view of the array.

    Args:
        pages: ``thp`` requests transparent huge pages, which the kernel may refuse (see
            `huge_bytes`). ``4k`` forbids huge pages.
        node: NUMA node that must provide the pages; None for any node.

    Raises:
        Skip: this system cannot bind memory to ``node``.
        MembenchError: the memory cannot be allocated.
    """
    huge = huge_page_size()
    alignment = huge if pages == "thp" and size >= huge else ALIGNMENT
    try:
        room = size + alignment + 2 * mmap.PAGESIZE
        mapping = mmap.mmap(-1, room, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MembenchError(
            f"{about_size(size)} of memory cannot be allocated: {error.strerror}"
        ) from error
    whole: Bytes = np.frombuffer(mapping, np.uint8)
    # A kernel without transparent huge pages, such as a real-time kernel, refuses both requests.
    # The memory is then on small pages, and `huge_bytes` reports this.
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
    """Make the pages of ``guard`` inaccessible.

    Otherwise the kernel would merge adjacent mappings with equal flags, and would count their huge
    pages together.
    """
    address, size = ctypes.c_void_p(guard.ctypes.data), ctypes.c_size_t(guard.nbytes)
    ctypes.CDLL(None).mprotect(address, size, ctypes.c_int(0))  # PROT_NONE


def _bind(memory: Bytes, node: int) -> None:
    number = _MBIND.get(platform.machine())
    if number is None:
        skip(f"membench cannot bind memory to a node on the architecture {platform.machine()}")
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
        skip(f"memory cannot be bound to node {node}: {os.strerror(ctypes.get_errno())}")


def huge_bytes(memory: Bytes) -> int:
    """Bytes on huge pages in a mapping from `map_pages`; 0 if smaps cannot be read."""
    # The kernel reports only one count per mapping.
    whole = memory.base if isinstance(memory.base, np.ndarray) else memory
    return huge_page_bytes(int(whole.ctypes.data), whole.nbytes)


Span = tuple[int, int]
"""Begin and end of an array, as byte offsets in its mapping."""


@dataclass
class _Arena:
    """A mapping, and the known contents of the arrays in it.

    Attributes:
        taken: how many bytes, from the start of the mapping on, cases have used.
        owner: the ``owner`` of the `Arenas.take` call that made the mapping.
        spans: the spans of the arrays of the last case.
    """

    memory: Bytes
    owner: object
    taken: int = 0
    spans: tuple[Span, ...] = ()
    contents: dict[Span, object] = field(default_factory=dict)

    def hand_out(self, spans: tuple[Span, ...]) -> list[object]:
        """Return the known content of each of ``spans``; None if the content is unknown.

        Afterwards, the contents of all spans that overlap ``spans`` count as unknown, because the
        case may overwrite the arrays.
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
        limit: maximum touched bytes of all mappings. If a call of `take` would exceed this limit,
            the mappings with the other kinds of page are freed.
        nodes: number of NUMA nodes of the machine. With several nodes, touched pages are freed
            before other threads use them.

    Attributes:
        contents: for each array of the last `take`, the content recorded by `vouch`; None if the
            content is unknown.
    """

    def __init__(self, limit: int, nodes: int = 1) -> None:
        self._limit = limit
        self._nodes = nodes
        self._arenas: dict[str, _Arena] = {}
        self.contents: list[object] = []

    def take(self, pages: str, sizes: Sequence[int], owner: object = None) -> list[Bytes]:
        """Arrays of ``sizes`` bytes at staggered addresses, possibly with data of an earlier case.

        The caller must no longer use arrays from an earlier call.

        Args:
            pages: ``thp`` or ``4k``; see `map_pages`.
            owner: any comparable value that identifies the assignment of threads to the arrays.

        Raises:
            ValueError: ``pages`` is not a kind of page.
            MembenchError: the arrays exceed the limit, or the memory cannot be allocated.
        """
        if pages not in PAGES:
            raise ValueError(f"'{pages}' is not a kind of page; the kinds are {', '.join(PAGES)}")
        spans = [-(-size // 4096) * 4096 + STAGGER for size in sizes]
        total = sum(spans)
        if total > self._limit:
            raise MembenchError(
                f"needs {about_size(total)} of memory, but membench may use only "
                f"{about_size(self._limit)}"
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
        """Record the contents of the arrays that the last `take` for ``pages`` returned.

        Args:
            contents: for each array, a value that identifies its content; None if the content is
                unknown.
        """
        arena = self._arenas[pages]
        known = zip(arena.spans, contents, strict=True)
        arena.contents |= {span: content for span, content in known if content is not None}

    def _reserve(self, total: int, pages: str) -> Bytes:
        """Map as many bytes as the limit allows, so that later cases reuse touched pages.

        If the system refuses this size, map only ``total`` bytes.
        """
        try:
            return map_pages(self._limit, pages)
        except MembenchError:
            # With strict overcommit, the system counts reserved address space as used memory.
            return map_pages(total, pages)

    def huge_share(self, pages: str) -> str:
        arena = self._arenas[pages]
        return f"{min(100, 100 * huge_bytes(arena.memory) / arena.taken):.0f}%"

    def clear(self) -> None:
        self._arenas.clear()
