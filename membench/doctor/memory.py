"""Checks of main memory: free memory, page sizes, nodes, swap and limits."""

from __future__ import annotations

from membench.core.snapshot import NodeKind
from membench.core.units import GIB, MIB, about_size, format_size
from membench.doctor.facts import Facts
from membench.doctor.finding import UNKNOWN, Finding, fail, fine, warn

NEEDED = 2 * GIB
"""Available memory in bytes that suffices for every case of the quick profile.

A case uses at most half of the available memory.
"""

LARGEST = 32 * MIB
"""Size in bytes of the largest huge page that fits in the arrays of every case.

The size of a huge page depends on the page size of the kernel: 2 MiB with pages of 4 KiB, 32 MiB
with pages of 16 KiB, and 512 MiB with pages of 64 KiB.
"""

SWAP_SHARE = 0.01
"""Largest share of memory (0 to 1) that may be swapped out without a warning."""

LOCKED = 8 * MIB
"""Default limit of locked memory in bytes, since Linux 5.16 (MLOCK_LIMIT in linux/resource.h)."""


def available(facts: Facts) -> Finding:
    """Fail if the available memory is below `NEEDED`, because membench then skips cases."""
    memory = facts.machine.memory
    if not memory.total:
        return fine("memory", UNKNOWN)
    seen = f"{about_size(memory.available)} of {about_size(memory.total)} available"
    if memory.hugetlb_bytes:
        seen += f", {about_size(memory.hugetlb_bytes)} are reserved for hugetlbfs"
    if memory.available < NEEDED:
        # ps does not count pages of hugetlbfs.
        fix = "stop other programs; to find the largest: ps -eo rss,comm --sort=-rss | head"
        if memory.available + memory.hugetlb_bytes >= NEEDED:
            fix = (
                "release unused reserved pages: echo 0 | sudo tee "
                "/sys/kernel/mm/hugepages/hugepages-*/nr_hugepages"
            )
        return fail("memory", f"{seen}; the quick profile needs {about_size(NEEDED)}", fix)
    return fine("memory", seen)


def limit(facts: Facts) -> Finding:
    """Fail if the control group leaves less than `NEEDED`; warn if less than twice `NEEDED`."""
    memory = facts.machine.memory
    if memory.cgroup_limit is None:
        return fine("memory-limit", "none")
    room = max(0, memory.cgroup_limit - (memory.cgroup_used or 0))
    seen = (
        f"the control group allows {about_size(room)} more (its limit is "
        f"{about_size(memory.cgroup_limit)})"
    )
    fix = "raise the memory limit of the container (--memory), or run outside the container"
    if room < NEEDED:
        return fail("memory-limit", f"{seen}; the quick profile needs {about_size(NEEDED)}", fix)
    if room < 2 * NEEDED:
        return warn("memory-limit", f"{seen}: the full profile may skip its largest cases", fix)
    return fine("memory-limit", seen)


def huge_pages(facts: Facts) -> Finding:
    """Warn if cases that ask for huge pages get small pages, which makes latencies longer."""
    memory = facts.machine.memory
    if not memory.thp:
        return fine(
            "huge-pages",
            f"{UNKNOWN}: if the kernel does not support huge pages, rows with pages=thp get the "
            "flag few-huge-pages",
        )
    seen = f"transparent huge pages: {memory.thp}"
    if memory.thp == "never":
        small = " or ".join(map(format_size, memory.small_thp))
        where = f"pages of {small}" if small else "small pages"
        setting = f"hugepages-{memory.huge_page // 1024}kB/enabled"
        return warn(
            "huge-pages",
            f"{seen}, so rows with pages=thp use {where} and get the flag few-huge-pages",
            "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled; if the file "
            f"{setting} in the same folder shows [never], write inherit to this file",
        )
    if memory.thp_allowed is False:
        return warn(
            "huge-pages",
            f"{seen}, but disabled for this process: rows with pages=thp get the flag "
            "few-huge-pages",
            "start membench without prctl(PR_SET_THP_DISABLE); systemd: MemoryTHP=inherit",
        )
    if memory.huge_page > LARGEST:
        return warn(
            "huge-pages",
            f"{seen}; a huge page has {about_size(memory.huge_page)}, so cases with smaller arrays "
            "get no huge pages, and their rows get the flag few-huge-pages",
            "boot a kernel with pages of 4 KiB, which has huge pages of 2 MiB",
        )
    return fine("huge-pages", seen)


def nodes(facts: Facts) -> Finding:
    """Warn if the kernel moves pages between NUMA nodes, or interleaves pages over NUMA nodes."""
    populated = facts.machine.memory.grantable
    if len(populated) < 2:
        there = sum(node.memory != 0 for node in facts.machine.memory.nodes)
        if there > 1:
            return fine("numa", f"this process may use only {len(populated)} of {there} nodes")
        return fine("numa", "1 memory node")
    others = sum(node.kind is not NodeKind.HOST for node in populated)
    seen = f"{len(populated)} memory nodes"
    seen += f" ({others} without ordinary host memory)" if others else ""
    balancing = facts.settings.numa_balancing
    policy = facts.machine.memory.policy
    if "interleave" in policy:
        return warn(
            "numa",
            f"{seen}, and this process allocates pages from several nodes in turn ({policy}): ddr "
            "rows describe all these nodes together",
            "to measure one node, start membench without numactl --interleave",
        )
    if policy not in ("", "default", "local"):
        seen += f", memory policy {policy}"
    if balancing:
        return warn(
            "numa",
            f"{seen}, and the kernel moves pages between the nodes (NUMA balancing is on)",
            "echo 0 | sudo tee /proc/sys/kernel/numa_balancing",
        )
    node = populated[0].node
    return fine(
        "numa",
        f"{seen}, NUMA balancing {UNKNOWN if balancing is None else 'off'}",
        f"to measure only one node: numactl --cpunodebind={node} --membind={node} membench run",
    )


def swap(facts: Facts) -> Finding:
    """Warn if more than `SWAP_SHARE` of the memory is swapped out.

    The kernel may read swapped pages back during a measurement.
    """
    total, used = facts.noise.swap_total, facts.noise.swap_used
    if total is None or used is None:
        return fine("swap", UNKNOWN)
    if not total:
        return fine("swap", "none")
    seen = f"{about_size(used)} of {about_size(total)} in use"
    if used <= SWAP_SHARE * facts.machine.memory.total:
        return fine("swap", seen)
    return warn("swap", seen, "free memory, then empty the swap: sudo swapoff -a && sudo swapon -a")


def locked(facts: Facts) -> Finding:
    """Warn if the limit of locked memory is below `LOCKED`: too low for registered I/O buffers."""
    limit = facts.settings.locked
    if limit is None:
        return fine("locked-memory", "no limit")
    seen = f"this process may lock at most {about_size(limit)} of memory"
    if limit >= LOCKED:
        return fine("locked-memory", seen)
    return warn(
        "locked-memory",
        f"{seen}, which is too little for registered I/O buffers",
        "run ulimit -l unlimited, or set memlock in /etc/security/limits.conf",
    )


CHECKS = (available, limit, huge_pages, nodes, swap, locked)
