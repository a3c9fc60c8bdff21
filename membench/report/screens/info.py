"""The machine snapshot for a person: `membench info`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from membench.core.snapshot import Cache, Gpu, GpuLinks, Machine, Node, NodeKind
from membench.core.units import about_size, format_size


def print_machine(console: Console, machine: Machine) -> None:
    """Two columns, fact and value; an absent fact is left out."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for fact, value in facts(machine):
        if value:
            table.add_row(fact, Text(value))
    console.print(table)


def facts(machine: Machine) -> list[tuple[str, str]]:
    """What a machine is, as (fact, value) for a person; an absent fact has an empty value."""
    cpu, memory, gpus = machine.cpu, machine.memory, machine.gpus
    huge = f", transparent huge pages {memory.thp}" if memory.thp else ""
    return [
        ("machine", machine.slug),
        ("system", f"{machine.system}, Linux {machine.kernel}, {machine.libc}"),
        ("virtual", cpu.hypervisor),
        ("CPU", f"{cpu.model} ({cpu.architecture})"),
        ("CPUs", _cpus(machine)),
        *((f"L{cache.level} {cache.kind}", text) for cache, text in _caches(cpu.caches)),
        ("governor", cpu.governor),
        (
            "memory",
            (
                f"{about_size(memory.total)}, {about_size(memory.usable)} usable, "
                f"pages of {format_size(memory.page)}{huge}"
            ),
        ),
        ("limit", about_size(memory.cgroup_limit) if memory.cgroup_limit else ""),
        (
            "huge pages",
            f"{memory.hugetlb_free} of {memory.hugetlb_total} free" if memory.hugetlb_total else "",
        ),
        *(
            (
                f"NUMA node {node.node}",
                _node(node),
            )
            for node in memory.nodes
        ),
        ("NVIDIA driver", f"{gpus.driver}, CUDA {gpus.cuda}" if gpus.driver else ""),
        *(
            (
                f"GPU {gpu.index}",
                _gpu(gpu),
            )
            for gpu in gpus.devices
        ),
        *(
            (f"links of GPU {gpu.index}", _links(gpu, links))
            for gpu, links in zip(gpus.devices, machine.links, strict=False)
        ),
        *(
            (fault.where, f"{'' if fault.shown else 'cannot be used: '}{fault.problem}")
            for fault in gpus.faults
        ),
        *((f"remedy for {fault.where}", fault.remedy) for fault in gpus.faults),
        ("GPU", "" if gpus.present or gpus.problem else "none found"),
        ("GPU problem", "" if gpus.faults and not gpus.present else gpus.problem),
        ("GPU remedy", "" if gpus.faults and not gpus.present else gpus.remedy),
        *(
            (
                "results on",
                f"{place.path}: {place.kind} on {place.device}, {about_size(place.free)} free"
                + (f", no O_DIRECT: {place.direct_io}" if place.direct_io else ""),
            )
            for place in machine.filesystems
        ),
        ("Python", machine.python),
        ("packages", " ".join(f"{name} {version}" for name, version in machine.packages.items())),
    ]


def _node(node: Node) -> str:
    """``64.0 GiB, CPUs 0-7, distances 10 21``; what kind it is where it is not the host's own."""
    parts = [
        "memory unknown" if node.memory is None else about_size(node.memory),
        "" if node.kind is NodeKind.HOST else _NODE_KINDS[node.kind],
        "" if node.allowed else "none of it granted (cpuset.mems)",
        f"CPUs {ranges(node.cpus)}" if node.cpus else "no CPUs",
        f"behind a cache of {about_size(node.side_cache)}" if node.side_cache else "",
        f"distances {' '.join(map(str, node.distances))}" if node.distances else "",
    ]
    return ", ".join(part for part in parts if part)


_NODE_KINDS = {
    NodeKind.GPU: "memory of a GPU",
    NodeKind.PERSISTENT: "persistent memory",
    NodeKind.MEMORY_ONLY: "memory only",
}


def _gpu(gpu: Gpu) -> str:
    """``NVIDIA H100, 80.0 GiB, sm_9.0``."""
    memory = "memory unknown" if not gpu.memory else about_size(gpu.memory)  # old sidecars say 0
    parts = [
        gpu.name,
        f"works in the host's memory of {memory}" if gpu.integrated and gpu.memory else memory,
        f"sm_{gpu.compute_capability}" if gpu.compute_capability else "",
        _ADDRESSING.get(gpu.addressing, ""),
        "" if gpu.memory_node is None else f"memory is NUMA node {gpu.memory_node}",
    ]
    return ", ".join(part for part in parts if part)


_ADDRESSING = {
    "ats": "reads the system's memory by its page tables (ATS)",
    "hmm": "reads the system's memory by page faults (HMM)",
}


def _cpus(machine: Machine) -> str:
    cpu = machine.cpu
    physical = len({(core.package, core.core) for core in cpu.cores})
    packages = len({core.package for core in cpu.cores})
    text = f"{len(cpu.cores)} logical, {physical} cores, {packages} sockets; {cpu.usable} usable"
    kinds = cpu.kinds
    if len(kinds) > 1:
        text += f"; of the fastest kind of core {kinds[0]}, of slower kinds {_listed(kinds[1:])}"
    return text + (f" (quota {cpu.quota:g})" if cpu.quota is not None else "")


def _listed(numbers: Iterable[int]) -> str:
    return " and ".join(map(str, numbers))


def _caches(caches: tuple[Cache, ...]) -> list[tuple[Cache, str]]:
    counts = Counter((cache.level, cache.kind, cache.size, cache.line) for cache in caches)
    firsts = {(cache.level, cache.kind, cache.size, cache.line): cache for cache in caches}
    return [
        (firsts[key], f"{count} x {format_size(key[2])}, lines of {key[3]} B, as the system says")
        for key, count in sorted(counts.items())
    ]


def _links(gpu: Gpu, links: GpuLinks) -> str:
    """``PCIe 5.0 x16, 18 NVLinks, memory node 1, BAR1 128 GiB``."""
    node = "memory node unknown" if links.node is None else f"memory node {links.node}"
    parts = [
        f"PCIe {links.generation_max}.0 x{links.width_max}" if links.generation_max else "",
        "C2C: chip-to-chip link to the CPU" if links.c2c else "",
        "C2C: in one package with the CPU" if gpu.integrated and not links.c2c else "",
        f"{links.nvlinks} NVLinks" if links.nvlinks else "",
        node,
        f"BAR1 {about_size(links.bar1)}" if links.bar1 else "",
    ]
    return ", ".join(part for part in parts if part)


def ranges(numbers: tuple[int, ...]) -> str:
    """``(0, 1, 2, 5)`` -> ``0-2,5``."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ",".join(f"{p[0]}-{p[-1]}" if len(p) > 1 else str(p[0]) for p in parts)
