"""Arenas: pages have the requested kind, remain between cases, and never exceed the limit."""

from __future__ import annotations

import ctypes
import errno
import mmap
import resource
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest

from membench.core.errors import MembenchError, Skip
from membench.core.units import MIB
from membench.host.memory import arena as arena_module
from membench.host.memory.arena import ALIGNMENT, Arenas, huge_bytes, map_pages
from membench.machine.pages import node_of_pages

LIMIT = 64 * MIB
HAS_HUGE = Path("/sys/kernel/mm/transparent_hugepage/enabled")
needs_huge = pytest.mark.skipif(
    not HAS_HUGE.exists() or "[never]" in HAS_HUGE.read_text(), reason="no transparent huge pages"
)


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def test_small_pages_are_small_and_each_costs_a_fault() -> None:
    memory = map_pages(8 * MIB, "4k")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    memory[:: resource.getpagesize()] = 1
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    pages = memory.size // resource.getpagesize()
    assert pages <= faults <= pages + 64
    assert huge_bytes(memory) == 0


def test_a_kernel_without_huge_pages_gives_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real-time kernel has no huge pages. Cases still run there, and their rows have a flag."""

    class Refusing(mmap.mmap):
        def madvise(self, *_: int) -> None:
            raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(mmap, "mmap", Refusing)
    arenas = Arenas(LIMIT, 1)
    (memory,) = arenas.take("thp", [16 * MIB], "owner")
    memory[:] = 1
    if not HAS_HUGE.exists() or "[always]" not in HAS_HUGE.read_text():
        assert arenas.huge_share("thp") == "0%"


@needs_huge
def test_huge_pages_are_huge_and_few_faults() -> None:
    memory = map_pages(16 * MIB, "thp")
    assert memory.ctypes.data % ALIGNMENT == 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    memory[::4096] = 1
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    huge = huge_bytes(memory)
    assert 0 < huge <= 16 * MIB
    expected = huge // ALIGNMENT + (memory.size - huge) // resource.getpagesize()
    assert expected <= faults <= expected + 64


@needs_huge
def test_huge_pages_are_counted_beside_a_mapping_that_is_alike() -> None:
    """The kernel puts the new mapping next to the other mappings."""
    beside = [map_pages(64 * MIB, "thp") for _ in range(2)]
    memory = map_pages(16 * MIB, "thp")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    memory[::4096] = 1
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    huge = huge_bytes(memory)
    expected = huge // ALIGNMENT + (memory.size - huge) // resource.getpagesize()
    assert expected <= faults <= expected + 64
    assert [huge_bytes(one) for one in beside] == [0, 0]


@needs_huge
def test_the_share_counts_what_was_taken() -> None:
    arenas = Arenas(LIMIT)
    for size in (6 * MIB, 2 * MIB):
        arrays = arenas.take("thp", [size] * 2)
        for array in arrays:
            array.fill(1)
    assert 70 <= int(arenas.huge_share("thp").rstrip("%")) <= 100
    arenas.take("4k", [MIB])[0].fill(1)
    assert arenas.huge_share("4k") == "0%"


def test_arrays_are_aligned_staggered_and_apart() -> None:
    arenas = Arenas(LIMIT)
    sizes = [4 * MIB, 4 * MIB, 4 * MIB]
    arrays = arenas.take("4k", sizes)
    spans = sorted((a.ctypes.data, a.ctypes.data + a.size) for a in arrays)
    for a, b in pairwise(spans):
        assert a[1] < b[0]
    for a, b in combinations(spans, 2):
        distance = b[0] - a[0]
        assert distance & (distance - 1), "a power of two apart"
        assert distance % (256 * 1024)
    assert [a.size for a in arrays] == sizes
    assert all(a.ctypes.data % 4096 == 0 for a in arrays)


def test_pages_are_kept_between_cases() -> None:
    arenas = Arenas(LIMIT)
    (first,) = arenas.take("4k", [4 * MIB])
    first.fill(7)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    (second,) = arenas.take("4k", [4 * MIB])
    assert second.ctypes.data == first.ctypes.data
    assert (second == 7).all()
    # The arena grows in place, so no page is touched again.
    (larger,) = arenas.take("4k", [8 * MIB])
    assert larger.ctypes.data == first.ctypes.data
    assert (larger[: 4 * MIB] == 7).all()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 2048 + 600


def test_pages_are_given_back_where_other_threads_of_another_node_take_over() -> None:
    arenas = Arenas(LIMIT, nodes=2)
    arenas.take("4k", [MIB], owner=1)[0].fill(7)
    assert (arenas.take("4k", [MIB], owner=1)[0] == 7).all()
    assert not arenas.take("4k", [MIB], owner=2)[0].any()


def test_the_limit_holds_for_all_kinds_together() -> None:
    arenas = Arenas(LIMIT)
    with pytest.raises(
        MembenchError, match=r"needs 64.9 MiB of memory, but membench may use only 64.0 MiB"
    ):
        arenas.take("4k", [65 * MIB - 200_000])
    before = resident()
    arenas.take("thp", [40 * MIB])[0].fill(1)
    arenas.take("4k", [40 * MIB])[0].fill(1)
    assert resident() - before < LIMIT + 4 * MIB
    arenas.clear()
    assert resident() - before < 8 * MIB


def test_memory_that_cannot_be_reserved_is_taken_as_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    real = map_pages

    def stingy(size: int, pages: str, node: int | None = None) -> arena_module.Bytes:
        asked.append(size)
        if size > 8 * MIB:
            raise MembenchError("no")
        return real(size, pages, node)

    monkeypatch.setattr(arena_module, "map_pages", stingy)
    arenas = Arenas(LIMIT)
    assert arenas.take("4k", [MIB])[0].size == MIB
    assert arenas.take("4k", [2 * MIB])[0].size == 2 * MIB
    assert asked[0] == LIMIT
    assert asked[1] < 2 * MIB < asked[3]


def test_what_cannot_be_had_is_said_in_one_line() -> None:
    with pytest.raises(MembenchError, match="cannot be allocated"):
        map_pages(1 << 60, "4k")
    with pytest.raises(ValueError, match="not a kind of page"):
        Arenas(LIMIT).take("2m", [4096])


def test_memory_can_be_bound_to_a_node() -> None:
    try:
        memory = map_pages(MIB, "4k", node=0)
    except Skip as skipped:
        pytest.skip(str(skipped))
    memory.fill(1)
    nodes = node_of_pages([memory.ctypes.data + offset for offset in range(0, MIB, 4096)])
    assert set(nodes) <= {0}
    with pytest.raises(Skip, match="node 900"):
        map_pages(MIB, "4k", node=900)


def test_a_view_outlives_the_arenas() -> None:
    arenas = Arenas(LIMIT)
    (array,) = arenas.take("4k", [MIB])
    array.fill(3)
    arenas.clear()
    part = array.view(np.int64)[:8]
    del array
    assert ctypes.c_int64.from_address(part.ctypes.data).value == part[0]


def test_contents_are_known_until_their_place_is_taken() -> None:
    arenas = Arenas(LIMIT, 1)
    arenas.take("4k", [MIB, MIB, MIB])
    assert arenas.contents == [None, None, None]
    arenas.vouch("4k", [None, "a", "b"])
    arenas.take("4k", [MIB])  # the first buffer alone
    arenas.take("4k", [MIB, MIB])
    assert arenas.contents == [None, "a"]
    arenas.vouch("4k", ["x", "a"])
    arenas.take("4k", [MIB // 2])  # a part of the first buffer
    arenas.take("4k", [MIB, MIB, MIB])
    assert arenas.contents == [None, "a", "b"]
    arenas.take("thp", [MIB])
    assert arenas.contents == [None]
    arenas.take("4k", [MIB, MIB, MIB])
    assert arenas.contents == [None, None, None]  # in use, with unknown contents


def test_pages_that_moved_to_another_owner_hold_nothing() -> None:
    arenas = Arenas(LIMIT, 2)
    arenas.take("4k", [MIB], owner=1)
    arenas.vouch("4k", ["a"])
    arenas.take("4k", [MIB], owner=1)
    assert arenas.contents == ["a"]
    arenas.vouch("4k", ["a"])
    arenas.take("4k", [MIB], owner=2)
    assert arenas.contents == [None]
