"""Memory facts from recorded trees, and proof of page placement on real memory."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from membench.core.snapshot import Node
from membench.machine.cgroup import Limits
from membench.machine.memory import read_memory
from membench.machine.pages import huge_page_bytes, node_of_pages

Tree = dict[str, str]
Plant = Callable[[Mapping[str, str]], Path]
KIB = 1024
MIB = 1024**2


def test_two_nodes(plant: Plant, two_sockets: Tree) -> None:
    memory = read_memory(plant(two_sockets), Limits(None, 4 * MIB, MIB))
    assert (memory.total, memory.available) == (528280000 * KIB, 500000000 * KIB)
    assert (memory.thp, memory.huge_page) == ("madvise", 2 * MIB)
    assert (memory.hugetlb_total, memory.hugetlb_free) == (16, 4)
    assert memory.nodes == (
        Node(0, (0, 1, 4, 5), 264000000 * KIB, (10, 21), free=KIB),
        Node(1, (2, 3, 6, 7), 264280000 * KIB, (21, 10), free=KIB),
    )
    assert memory.usable == 3 * MIB


def test_memory_of_other_nodes_is_not_available(plant: Plant, two_sockets: Tree) -> None:
    """MemAvailable counts the memory of all nodes, but the control group has only one node."""
    node = "sys/devices/system/node/node1/meminfo"
    text = "Node 1 MemTotal: 264280000 kB\nNode 1 MemFree: 90000000 kB\n"
    text += "Node 1 Active(file): 4000000 kB\nNode 1 Inactive(file): 6000000 kB\n"
    own = {"proc/self/status": "Mems_allowed_list:\t1\n"}
    assert read_memory(plant(two_sockets | own | {node: text})).available == 100000000 * KIB
    every = {"proc/self/status": "Mems_allowed_list:\t0-1\n"}
    assert read_memory(plant(two_sockets | every)).available == 500000000 * KIB
    silent = two_sockets | own | {node: ""}
    assert read_memory(plant(silent)).available == 500000000 * KIB


def test_a_node_without_cpus_stays(plant: Plant, grace: Tree) -> None:
    memory = read_memory(plant(grace), page=65536)
    assert (memory.page, memory.thp, memory.huge_page) == (65536, "always", 512 * MIB)
    assert [node.cpus for node in memory.nodes] == [(0, 1), ()]
    assert all(len(node.distances) == len(memory.nodes) for node in memory.nodes)


def test_a_node_is_made_up_where_sysfs_has_none(plant: Plant, bare: Tree) -> None:
    memory = read_memory(plant(bare))
    assert (memory.thp, memory.huge_page, memory.hugetlb_total) == ("", 0, 0)
    assert memory.nodes == (Node(0, (0,), 1024 * KIB, (10,)),)


def test_the_only_node_has_all_the_memory(plant: Plant, bare: Tree) -> None:
    node = {
        "sys/devices/system/node/node0/cpulist": "0",
        "sys/devices/system/node/node0/distance": "10",
        "sys/devices/system/node/node0/meminfo": "Node 0 MemTotal: 100 kB",
    }
    assert read_memory(plant(bare | node)).nodes == (Node(0, (0,), 1024 * KIB, (10,)),)


def test_old_kernels_do_not_say_what_is_available(plant: Plant, odd_vm: Tree) -> None:
    assert read_memory(plant(odd_vm)).available == 1000000 * KIB


def _smaps(*mappings: tuple[int, int, int]) -> dict[str, str]:
    lines = [
        f"{low:x}-{high:x} rw-p 00000000 00:00 0 \nSize: 1 kB\nAnonHugePages: {kilobytes:>8} kB\n"
        for low, high, kilobytes in mappings
    ]
    return {"proc/self/smaps": "".join(lines)}


def test_huge_pages_of_a_range(plant: Plant) -> None:
    root = plant(
        _smaps(
            (0x1000, 0x2000, 0),
            (2 * MIB, 6 * MIB, 4096),
            (8 * MIB, 16 * MIB, 4096),
            (32 * MIB, 34 * MIB, 2048),
        )
    )
    assert huge_page_bytes(2 * MIB, 4 * MIB, root) == 4 * MIB
    assert huge_page_bytes(8 * MIB, 8 * MIB, root) == 4 * MIB
    assert huge_page_bytes(2 * MIB, 14 * MIB, root) == 8 * MIB  # spans two mappings and a gap
    # In a half-huge mapping, the huge pages may all be in the other half.
    assert huge_page_bytes(8 * MIB, 4 * MIB, root) == 0
    # Here the other half is too small for all huge pages.
    assert huge_page_bytes(2 * MIB, 2 * MIB, root) == 2 * MIB
    assert huge_page_bytes(20 * MIB, MIB, root) == 0


def test_huge_pages_without_smaps(tmp_path: Path) -> None:
    assert huge_page_bytes(0, MIB, tmp_path) == 0


def _touched(length: int, advice: int) -> tuple[mmap.mmap, int]:
    area = mmap.mmap(-1, length, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    area.madvise(advice)
    for offset in range(0, length, 4096):
        area[offset] = 1
    return area, ctypes.addressof(ctypes.c_char.from_buffer(area))


def _huge_bytes_of_the_process() -> int:
    rollup = Path("/proc/self/smaps_rollup").read_text(encoding="ascii", errors="replace")
    (line,) = (line for line in rollup.splitlines() if line.startswith("AnonHugePages:"))
    return int(line.split()[1]) * KIB


def test_real_memory_in_small_and_huge_pages() -> None:
    memory = read_memory()
    if memory.thp not in ("always", "madvise") or memory.huge_page > 4 * MIB:
        pytest.skip("no transparent huge pages of a handy size here")
    length = 16 * MIB
    before = _huge_bytes_of_the_process()
    _, small = _touched(length, mmap.MADV_NOHUGEPAGE)
    assert huge_page_bytes(small, length) == 0
    _, huge = _touched(length, mmap.MADV_HUGEPAGE)
    proven = huge_page_bytes(huge, length)
    assert proven % memory.huge_page == 0
    assert proven <= length
    if memory.thp == "madvise":  # with "always", the memory of the interpreter may have grown too
        assert proven == _huge_bytes_of_the_process() - before


def test_the_node_of_real_pages() -> None:
    area = mmap.mmap(-1, 8 * mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    area.madvise(mmap.MADV_NOHUGEPAGE)
    area[0] = 1
    start = ctypes.addressof(ctypes.c_char.from_buffer(area))
    answer = node_of_pages([start, start + 4 * mmap.PAGESIZE])
    if not answer:
        pytest.skip("move_pages is not permitted here")
    assert answer[0] in {node.node for node in read_memory().nodes}
    assert answer[1] == -1  # a page that was never touched
    assert node_of_pages([]) == []
