"""Read the kind, size and free bytes of each NUMA node's memory, and its memory-side cache.

Sources:

- The kernel's Documentation/ABI/stable/sysfs-devices-node and admin-guide/mm/numaperf.rst
  (memory-side caches).
- ``target_node`` in /sys/bus/dax for memory that a device provides. The memory is persistent if the
  device is on an NVDIMM bus.
- /proc/driver/nvidia/gpus/*/numa_status of NVIDIA's driver.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from membench.core.snapshot import Cpu, Gpus, Memory, Node, NodeKind
from membench.machine.cpus.topology import online_cpus
from membench.machine.kernel_text import cpu_list, cpu_set, entries, fields, integer, numbered, read

_STATUS = re.compile(r"^Node:\s*([0-9]{1,9})$", re.MULTILINE)


def read_nodes(root: Path, total: int) -> tuple[Node, ...]:
    """All nodes in sysfs, including nodes without CPUs or memory.

    If sysfs lists no node, the result is one node with all online CPUs and the ``total`` bytes of
    memory.
    """
    folders = numbered(root / "sys/devices/system/node", "node")
    given, allowed = _given(root), _allowed(root)
    nodes = tuple(
        replace(_node(number, folder, given), allowed=not allowed or number in allowed)
        for number, folder in folders
    )
    if not nodes:
        return (Node(0, online_cpus(root), total, (10,)),)
    if len(nodes) == 1 and total:
        # sysfs may report less than all memory if a virtual machine got more while it ran.
        return (replace(nodes[0], memory=total),)
    return nodes


def seen_together(nodes: tuple[Node, ...], cpu: Cpu, gpus: Gpus) -> tuple[Node, ...]:
    """A copy of ``nodes`` with corrections from the facts about processors and GPUs.

    A node keeps only the CPUs that ``cpu`` lists. A node without CPUs whose memory belongs to one
    of ``gpus`` gets the kind GPU.
    """
    described = {core.cpu for core in cpu.cores}
    theirs = {gpu.memory_node for gpu in gpus.devices}
    return tuple(
        replace(
            node,
            cpus=tuple(one for one in node.cpus if one in described),
            kind=NodeKind.GPU if node.node in theirs and not node.cpus else node.kind,
        )
        for node in nodes
    )


def of_the_host(memory: Memory) -> Memory:
    """A copy of ``memory`` without the memory of GPUs, which the kernel's sizes include."""
    theirs = [node for node in memory.nodes if node.kind is NodeKind.GPU]
    total = max(0, memory.total - sum(node.memory or 0 for node in theirs))
    # `available` already excludes nodes that this process may not use.
    free = sum(node.free or 0 for node in theirs if node.allowed)
    return replace(memory, total=total, available=min(total, max(0, memory.available - free)))


def available_bytes(node: int, root: Path = Path("/")) -> int | None:
    """Free bytes of ``node``, including reclaimable page cache; None if unknown."""
    info = read(root / f"sys/devices/system/node/node{node}/meminfo")
    free = _bytes(info, "MemFree")
    if free is None:
        return None
    return free + sum(_bytes(info, rf"{kind}\(file\)") or 0 for kind in ("Active", "Inactive"))


def _allowed(root: Path) -> tuple[int, ...]:
    """The nodes on which this process may allocate; empty if unknown."""
    status = fields(read(root / "proc/self/status"))
    return cpu_list(status.get("Mems_allowed_list", ""))


def _node(number: int, folder: Path, given: Mapping[int, NodeKind]) -> Node:
    cpus = cpu_set(folder, "cpulist", "cpumap")
    distances = [integer(text) for text in read(folder / "distance").split()]
    info = read(folder / "meminfo")
    kind = NodeKind.HOST if cpus else given.get(number, NodeKind.MEMORY_ONLY)
    return Node(
        node=number,
        cpus=cpus,
        memory=_bytes(info, "MemTotal"),
        distances=tuple(distance for distance in distances if distance is not None),
        kind=kind,
        free=_bytes(info, "MemFree"),
        side_cache=_side_cache(folder / "memory_side_cache"),
    )


def _bytes(info: str, key: str) -> int | None:
    found = re.search(rf"{key}:\s*([0-9]{{1,15}}) kB", info)
    return int(found[1]) * 1024 if found else None


def _side_cache(folder: Path) -> int | None:
    """Bytes of the largest cache between a node's memory and the processors; None without one."""
    sizes = [integer(read(index / "size")) for _, index in numbered(folder, "index")]
    return max((size for size in sizes if size), default=None)


def _given(root: Path) -> dict[int, NodeKind]:
    """Find the nodes whose memory a device provides; map their numbers to their kinds."""
    found: dict[int, NodeKind] = {}
    for device in entries(root / "sys/bus/dax/devices"):
        node = integer(read(device / "target_node"))
        if node is not None and node >= 0:
            persistent = "/ndbus" in str(device.resolve())
            found[node] = NodeKind.PERSISTENT if persistent else NodeKind.MEMORY_ONLY
    for gpu in entries(root / "proc/driver/nvidia/gpus"):
        if status := _STATUS.search(read(gpu / "numa_status")):
            found[int(status[1])] = NodeKind.GPU
    return found
