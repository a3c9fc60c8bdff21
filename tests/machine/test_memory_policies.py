"""Transparent huge page sizes, memory policies and hugetlbfs, as the kernel reports them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from membench.analysis.facts import sidecar_facts
from membench.core.plain import dump
from membench.machine.memory import read_memory

Plant = Callable[[Mapping[str, str]], Path]
THP = "sys/kernel/mm/transparent_hugepage"
KIB = 1024


def modes(of_all: str, **sizes: str) -> dict[str, str]:
    """The sysfs tree of a kernel with 4 KiB pages. Each file has its mode in brackets."""
    words = ("always", "inherit", "madvise", "never")
    choices = {"of_all": of_all, **sizes}
    text = {
        name: " ".join(f"[{word}]" if word == mode else word for word in words) + "\n"
        for name, mode in choices.items()
    }
    tree = {f"{THP}/hpage_pmd_size": "2097152\n", f"{THP}/enabled": text.pop("of_all")}
    for name, line in text.items():
        tree[f"{THP}/hugepages-{name.removeprefix('of_')}kB/enabled"] = line
    # A size that only shared memory supports.
    tree[f"{THP}/hugepages-8kB/shmem_enabled"] = "[inherit]\n"
    return tree


@pytest.mark.parametrize(
    ("of_all", "sizes", "thp", "small"),
    [
        ("madvise", {"of_2048": "inherit", "of_64": "never"}, "madvise", ()),
        ("never", {"of_2048": "inherit", "of_64": "inherit"}, "never", ()),
        # Never for 2 MiB, whatever the mode for all sizes.
        ("madvise", {"of_2048": "never"}, "never", ()),
        # Huge pages, although the mode for all sizes is never.
        ("never", {"of_2048": "always"}, "always", ()),
        ("always", {"of_2048": "never", "of_64": "inherit", "of_16": "madvise"}, "never", (16, 64)),
        ("madvise", {}, "madvise", ()),  # before Linux 6.8
    ],
)
def test_the_mode_of_a_size_decides_and_inherit_is_that_of_all(
    plant: Plant, of_all: str, sizes: dict[str, str], thp: str, small: tuple[int, ...]
) -> None:
    memory = read_memory(plant(modes(of_all, **sizes)))
    assert (memory.thp, memory.small_thp) == (thp, tuple(size * KIB for size in small))
    facts = sidecar_facts({"machine": {"memory": dump(memory)}})
    assert facts["thp"] == thp
    assert facts["multi-size thp"] == (" ".join(f"{n}KiB" for n in small) or "none")


@pytest.mark.parametrize(
    ("line", "policy"),
    [
        ("55d0c0c00000 default file=/usr/bin/python3.11 mapped=3 N0=3", "default"),
        (
            "7f0000000000 interleave:0-1 anon=12 N0=6 N1=6 kernelpagesize_kB=4",
            "interleave:0-1",
        ),
        ("7f0000000000 prefer (many):0 heap anon=3 dirty=3 N0=3", "prefer (many):0"),
        ("7f0000000000 weighted interleave:0-1", "weighted interleave:0-1"),
        ("7f0000000000 bind=static:0 stack anon=4", "bind=static:0"),
        ("", ""),
    ],
)
def test_a_policy_may_hold_spaces(plant: Plant, line: str, policy: str) -> None:
    memory = read_memory(plant({"proc/self/numa_maps": f"{line}\nnext default\n"}))
    assert memory.policy == policy


def test_memory_of_hugetlbfs_is_counted_in_all_sizes(plant: Plant) -> None:
    """HugePages_Total counts only the default size, here no page. One page of 1 GiB is reserved."""
    text = "MemTotal: 24684096 kB\nHugePages_Total: 0\nHugepagesize: 2048 kB\nHugetlb: 1048576 kB\n"
    memory = read_memory(plant({"proc/meminfo": text}))
    assert (memory.hugetlb_total, memory.hugetlb_bytes) == (0, 1 << 30)


def test_this_process_has_a_policy_that_the_kernel_knows() -> None:
    assert read_memory().policy.partition(":")[0] in {
        *("", "default", "local", "bind", "prefer", "interleave"),
        *("prefer (many)", "weighted interleave"),
    }
