"""Read the size, the kinds of pages and the NUMA nodes of main memory."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from membench.core.snapshot import Memory, Node
from membench.machine.cgroup import Limits
from membench.machine.kernel_text import fields, integer, read
from membench.machine.nodes import available_bytes, read_nodes

_GIVES = ("always", "madvise")
_POLICY = re.compile(r"[0-9a-f]+ (.+?)(?: (?:[a-zA-Z_]+|N\d+)=.*| (?:heap|stack|huge)\b.*)?$")


def read_memory(root: Path = Path("/"), limits: Limits | None = None, page: int = 0) -> Memory:
    """The memory of the machine under ``root``.

    ``page`` is the page size in bytes; with 0, the function asks the kernel.
    """
    limits = limits or Limits()
    info = fields(read(root / "proc/meminfo"))
    total = _bytes(info, "MemTotal")
    huge = root / "sys/kernel/mm/transparent_hugepage"
    size = integer(read(huge / "hpage_pmd_size")) or 0
    modes = _modes(huge)
    nodes = read_nodes(root, total)
    available = _bytes(info, "MemAvailable") or _bytes(info, "MemFree")
    return Memory(
        total=total,
        available=min(available, _grantable(nodes, root, available)),
        cgroup_limit=limits.memory,
        cgroup_used=limits.memory_used,
        page=page or os.sysconf("SC_PAGE_SIZE"),
        huge_page=size,
        thp=modes.get(size, _chosen(read(huge / "enabled"))),
        hugetlb_total=integer(info.get("HugePages_Total", "")) or 0,
        hugetlb_free=integer(info.get("HugePages_Free", "")) or 0,
        nodes=nodes,
        thp_allowed=_thp_allowed(root),
        small_thp=tuple(
            small for small, mode in sorted(modes.items()) if small < size and mode in _GIVES
        ),
        policy=_policy(root),
        hugetlb_bytes=_bytes(info, "Hugetlb"),
    )


def _modes(huge: Path) -> dict[int, str]:
    """Map each size of transparent huge pages, in bytes, to its mode, such as ``madvise``.

    ``inherit`` is replaced by the inherited mode. Linux 6.8 and newer have a mode for each size.
    Source: admin-guide/mm/transhuge.rst, "Global THP controls".
    """
    of_all = _chosen(read(huge / "enabled"))
    found: dict[int, str] = {}
    for path in huge.glob("hugepages-*kB/enabled"):
        size = integer(path.parent.name.removeprefix("hugepages-").removesuffix("kB"))
        if size is not None and (mode := _chosen(read(path))):
            found[size * 1024] = of_all if mode == "inherit" else mode
    return found


def _chosen(text: str) -> str:
    """The word in brackets, which is the selected choice in sysfs."""
    match = re.search(r"\[(\w+)\]", text)
    return match[1] if match else ""


def _policy(root: Path) -> str:
    """The default memory policy of this process; empty if unknown.

    Source: the second field of /proc/self/numa_maps, numa(7). A policy may contain spaces (``prefer
    (many):0``, ``weighted interleave:0-1``), so it ends only where the next field begins.
    """
    line = read(root / "proc/self/numa_maps").partition("\n")[0]
    match = _POLICY.match(line)
    return match[1] if match else ""


def _grantable(nodes: Sequence[Node], root: Path, available: int) -> int:
    """Available bytes on the nodes that ``cpuset.mems`` allows.

    The result is ``available`` if all nodes are allowed, or if an allowed node's memory is unknown.
    """
    if all(node.allowed for node in nodes):  # MemAvailable covers all nodes
        return available
    parts = [
        node.memory if (free := available_bytes(node.node, root)) is None else free
        for node in nodes
        if node.allowed
    ]
    return available if None in parts else sum(part or 0 for part in parts)


def _thp_allowed(root: Path) -> bool | None:
    """Whether this process may get huge pages, which prctl(2) can forbid; None if unknown."""
    return {"0": False, "1": True}.get(
        fields(read(root / "proc/self/status")).get("THP_enabled", "")
    )


def _bytes(info: dict[str, str], key: str) -> int:
    number = integer(info.get(key, "").removesuffix(" kB"))
    return max(0, number or 0) * 1024
