"""Main memory: how much, in which pages, on which nodes."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from membench.core.snapshot import Memory, Node
from membench.machine.cgroup import Limits
from membench.machine.cpus.topology import online_cpus
from membench.machine.kernel_text import cpu_list, fields, integer, numbered, read


def read_memory(root: Path = Path("/"), limits: Limits | None = None, page: int = 0) -> Memory:
    """The memory of the machine under ``root``.

    ``hugetlb_*`` count pages of the default size alone.  ``page`` is asked of the
    kernel where 0.
    """
    limits = limits or Limits()
    info = fields(read(root / "proc/meminfo"))
    total = _bytes(info, "MemTotal")
    huge = root / "sys/kernel/mm/transparent_hugepage"
    chosen = re.search(r"\[(\w+)\]", read(huge / "enabled"))
    return Memory(
        total=total,
        available=_bytes(info, "MemAvailable") or _bytes(info, "MemFree"),
        cgroup_limit=limits.memory,
        cgroup_used=limits.memory_used,
        page=page or os.sysconf("SC_PAGE_SIZE"),
        huge_page=integer(read(huge / "hpage_pmd_size")) or 0,
        thp=chosen[1] if chosen else "",
        hugetlb_total=integer(info.get("HugePages_Total", "")) or 0,
        hugetlb_free=integer(info.get("HugePages_Free", "")) or 0,
        nodes=_nodes(root, total) or (Node(0, online_cpus(root), total, (10,)),),
    )


def _nodes(root: Path, total: int) -> tuple[Node, ...]:
    """All nodes that sysfs knows, those without CPUs or memory too: distances count them."""
    nodes = []
    folders = numbered(root / "sys/devices/system/node", "node")
    for number, folder in folders:
        distances = [integer(text) for text in read(folder / "distance").split()]
        memory = re.search(r"MemTotal:\s*([0-9]{1,15}) kB", read(folder / "meminfo"))
        nodes.append(
            Node(
                node=number,
                cpus=cpu_list(read(folder / "cpulist")),
                memory=int(memory[1]) * 1024 if memory else 0,
                distances=tuple(distance for distance in distances if distance is not None),
            )
        )
    if len(nodes) == 1 and total:
        # The only node has it all; a virtual machine that was given memory while
        # it ran may show less at the node.
        return (replace(nodes[0], memory=total),)
    return tuple(nodes)


def _bytes(info: dict[str, str], key: str) -> int:
    number = integer(info.get(key, "").removesuffix(" kB"))
    return max(0, number or 0) * 1024
