"""Checks of main memory: free memory, page sizes, nodes, swap and limits."""

from __future__ import annotations

from membench.core.snapshot import NodeKind
from membench.core.units import GIB, MIB, about_size, format_size
from membench.doctor.facts import Facts
from membench.doctor.finding import UNKNOWN, Finding, fail, fine, warn

NEEDED = 2 * GIB
"""Usable memory in bytes that is enough for every case of the quick profile.

Cases use at most half.
"""

LARGEST = 32 * MIB
"""Largest huge page that is small enough for the arrays of every case.

Huge pages have 2 MiB on kernels with pages of 4 KiB, 32 MiB with pages of 16 KiB, and 512 MiB with
pages of 64 KiB.
"""

SWAP_SHARE = 0.01
"""Swap in use below this share of memory is assumed to hold only unneeded pages."""

LOCKED = 8 * MIB
"""Bytes that Linux grants by default since 5.16 (MLOCK_LIMIT of include/uapi/linux/resource.h)."""


def available(facts: Facts) -> Finding:
    """Cases that do not fit in the available memory are skipped."""
    memory = facts.machine.memory
    if not memory.total:
        return fine("memory", UNKNOWN)
    seen = f"{about_size(memory.available)} of {about_size(memory.total)} available"
    if memory.hugetlb_bytes:
        seen += f", {about_size(memory.hugetlb_bytes)} are reserved for hugetlbfs"
    if memory.available < NEEDED:
        # ps does not count pages of hugetlbfs.
        fix = (
            "stop other programs; to see which use most memory: ps -eo rss,comm --sort=-rss | head"
        )
        if memory.available + memory.hugetlb_bytes >= NEEDED:
            fix = (
                "release unused reserved pages: echo 0 | sudo tee "
                "/sys/kernel/mm/hugepages/hugepages-*/nr_hugepages"
            )
        return fail("memory", f"{seen}, the quick profile needs {about_size(NEEDED)}", fix)
    return fine("memory", seen)


def limit(facts: Facts) -> Finding:
    """A control group's memory limit also covers the page cache of membench's files."""
    memory = facts.machine.memory
    if memory.cgroup_limit is None:
        return fine("memory-limit", "none")
    room = max(0, memory.cgroup_limit - (memory.cgroup_used or 0))
    seen = f"the control group leaves {about_size(room)} of {about_size(memory.cgroup_limit)}"
    fix = "raise the container's memory limit (--memory), or run outside it"
    if room < NEEDED:
        return fail("memory-limit", f"{seen}, the quick profile needs {about_size(NEEDED)}", fix)
    if room < 2 * NEEDED:
        return warn("memory-limit", f"{seen}: larger cases will be skipped", fix)
    return fine("memory-limit", seen)


def huge_pages(facts: Facts) -> Finding:
    """Without huge pages, latencies include page-table walks."""
    memory = facts.machine.memory
    if not memory.thp:
        return fine(
            "huge-pages",
            f"{UNKNOWN}: if the kernel does not support them, rows with pages=thp are flagged "
            "few-huge-pages",
        )
    seen = f"transparent huge pages: {memory.thp}"
    if memory.thp == "never":
        small = " or ".join(map(format_size, memory.small_thp))
        where = f"pages of {small}" if small else "small ones"
        setting = f"hugepages-{memory.huge_page // 1024}kB/enabled"
        return warn(
            "huge-pages",
            f"{seen}, so rows with pages=thp use {where} and are flagged few-huge-pages",
            "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled; if "
            f"{setting} in that folder is never, write inherit to it",
        )
    if memory.thp_allowed is False:
        return warn(
            "huge-pages",
            f"{seen}, but they are disabled for this process: rows with pages=thp are flagged "
            "few-huge-pages",
            "start it without prctl(PR_SET_THP_DISABLE); systemd: MemoryTHP=inherit",
        )
    if memory.huge_page > LARGEST:
        return warn(
            "huge-pages",
            f"{seen} of {about_size(memory.huge_page)}: cases with smaller arrays get no huge "
            "pages and are flagged few-huge-pages",
            "boot a kernel with pages of 4 KiB, which has huge pages of 2 MiB",
        )
    return fine("huge-pages", seen)


def nodes(facts: Facts) -> Finding:
    """If the kernel moves pages between nodes, or takes them from several nodes, results change."""
    populated = facts.machine.memory.grantable
    if len(populated) < 2:
        return fine("numa", "1 memory node")
    others = sum(node.kind is not NodeKind.HOST for node in populated)
    seen = f"{len(populated)} memory nodes"
    seen += f", {others} of them not ordinary host memory" if others else ""
    balancing = facts.settings.numa_balancing
    policy = facts.machine.memory.policy
    if "interleave" in policy:
        return warn(
            "numa",
            f"{seen}, and this process allocates from several in turn ({policy}): ddr rows "
            "describe all of them together",
            "start it without numactl --interleave to measure one node",
        )
    if policy not in ("", "default", "local"):
        seen += f", memory policy {policy}"
    if balancing:
        return warn(
            "numa",
            f"{seen}, and the kernel moves pages between them (NUMA balancing is on)",
            "echo 0 | sudo tee /proc/sys/kernel/numa_balancing",
        )
    node = populated[0].node
    return fine(
        "numa",
        f"{seen}, NUMA balancing {UNKNOWN if balancing is None else 'off'}",
        f"to measure only one node: numactl --cpunodebind={node} --membind={node} membench run",
    )


def swap(facts: Facts) -> Finding:
    """Pages that are swapped out may be read back during a measurement."""
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
    """Registered I/O buffers, which a device accesses directly, need memory that may be locked."""
    limit = facts.settings.locked
    if limit is None:
        return fine("locked-memory", "no limit")
    seen = f"at most {about_size(limit)} may be locked"
    if limit >= LOCKED:
        return fine("locked-memory", seen)
    return warn(
        "locked-memory",
        f"{seen}: too little for registered I/O buffers",
        "run ulimit -l unlimited, or set memlock in /etc/security/limits.conf",
    )


CHECKS = (available, limit, huge_pages, nodes, swap, locked)
