"""Print the properties of a machine for `membench info`."""

from __future__ import annotations

from collections import Counter
from operator import itemgetter

from membench.core.messages import listed, tr, tr_n
from membench.core.snapshot import (
    Cache,
    Filesystem,
    GpuIdentity,
    GpuLinks,
    Machine,
    Memory,
    Node,
    NodeKind,
)
from membench.core.text import counted
from membench.core.units import about_size, format_size
from membench.report.screens.console import Screen
from membench.report.screens.text_table import print_facts


def print_machine(screen: Screen, machine: Machine) -> None:
    print_facts(screen, filter(itemgetter(1), facts(machine)), "bold")


def facts(machine: Machine) -> list[tuple[str, str]]:
    """The properties of ``machine`` as pairs (name, value); an unknown value is empty."""
    cpu, memory, gpus = machine.cpu, machine.memory, machine.gpus
    return [
        (tr("machine"), machine.slug),
        (tr("system"), listed((machine.system, f"Linux {machine.kernel}", machine.libc))),
        (tr("virtual"), cpu.hypervisor),
        (tr("CPU"), f"{cpu.model} ({cpu.architecture})"),
        (tr("CPUs"), _cpus(machine)),
        *_caches(cpu.caches),
        (tr("governor"), cpu.governor),
        (tr("memory"), _memory(memory)),
        (tr("memory limit"), about_size(memory.cgroup_limit) if memory.cgroup_limit else ""),
        (
            tr("huge pages"),
            tr(
                "{free} of {total} pages free",
                free=memory.hugetlb_free,
                total=memory.hugetlb_total,
            )
            if memory.hugetlb_total
            else "",
        ),
        *(
            (
                tr("NUMA node {node}", node=node.node),
                _node(node),
            )
            for node in memory.nodes
        ),
        (tr("NVIDIA driver"), f"{gpus.driver}, CUDA {gpus.cuda}" if gpus.driver else ""),
        *(
            (
                f"GPU {gpu.index}",
                _gpu(gpu),
            )
            for gpu in gpus.devices
        ),
        *(
            (tr("links of GPU {index}", index=gpu.index), _links(gpu, links))
            for gpu in gpus.devices
            for links in machine.links  # without GPUs that stopped responding
            if links.uuid == gpu.uuid
        ),
        *(
            (
                fault.where,
                fault.problem if fault.shown else tr("cannot be used: {why}", why=fault.problem),
            )
            for fault in gpus.faults
        ),
        *((tr("remedy for {what}", what=fault.where), fault.remedy) for fault in gpus.faults),
        (tr("GPU"), "" if gpus.present or gpus.problem else tr("none found")),
        (tr("GPU problem"), "" if gpus.faults and not gpus.present else gpus.problem),
        (tr("GPU remedy"), "" if gpus.faults and not gpus.present else gpus.remedy),
        *(
            (tr("results are on"), place)
            for place in dict.fromkeys(map(_filesystem, machine.filesystems))
        ),
        ("Python", machine.python),
        (
            tr("packages"),
            " ".join(f"{name} {version}" for name, version in machine.packages.items()),
        ),
    ]


def _memory(memory: Memory) -> str:
    size, usable, page = (
        about_size(memory.total),
        about_size(memory.usable),
        format_size(memory.page),
    )
    text = tr("{size}, {usable} usable, pages of {page}", size=size, usable=usable, page=page)
    huge = [tr("transparent huge pages {thp}", thp=memory.thp)] if memory.thp else []
    return listed((text, *huge))


def _filesystem(place: Filesystem) -> str:
    text = tr(
        "{path}: {kind} on {device}, {free} free",
        path=place.path,
        kind=place.kind,
        device=place.device,
        free=about_size(place.free),
    )
    no_direct = [tr("no O_DIRECT: {reason}", reason=place.direct_io)] if place.direct_io else []
    return listed((text, *no_direct))


def _node(node: Node) -> str:
    """A text such as ``64.0 GiB, CPUs 0-7, NUMA distances 10 21``."""
    distances = " ".join(map(str, node.distances))
    parts = [
        tr("memory unknown") if node.memory is None else about_size(node.memory),
        _NODE_KINDS.get(node.kind, ""),
        "" if node.allowed else tr("not allowed for this process (cpuset.mems)"),
        tr("CPUs {cpus}", cpus=ranges(node.cpus)) if node.cpus else tr("no CPUs"),
        tr("behind a cache of {size}", size=about_size(node.side_cache)) if node.side_cache else "",
        tr("NUMA distances {distances}", distances=distances) if distances else "",
    ]
    return listed(part for part in parts if part)


_NODE_KINDS = {
    NodeKind.GPU: tr("memory of a GPU"),
    NodeKind.PERSISTENT: tr("persistent memory"),
    NodeKind.MEMORY_ONLY: tr("memory without CPUs"),
}


def _gpu(gpu: GpuIdentity) -> str:
    """A text such as ``NVIDIA H100, 80.0 GiB, sm_9.0``."""
    known = bool(gpu.memory)  # results files of old versions have 0 for unknown memory
    memory = about_size(gpu.memory) if gpu.memory else tr("memory unknown")
    shared = tr("uses the host's memory of {size}", size=memory)
    parts = [
        gpu.name,
        shared if gpu.integrated and known else memory,
        f"sm_{gpu.compute_capability}" if gpu.compute_capability else "",
        _ADDRESSING.get(gpu.addressing, ""),
        "" if gpu.memory_node is None else tr("memory is NUMA node {node}", node=gpu.memory_node),
    ]
    return listed(part for part in parts if part)


_ADDRESSING = {
    "ats": tr("reads system memory through the host's page tables (ATS)"),
    "hmm": tr("reads system memory through page faults (HMM)"),
}


def _cpus(machine: Machine) -> str:
    cpu = machine.cpu
    text: str = tr_n(
        "{logical} logical, {cores} cores, {count} socket; {usable} usable",
        "{logical} logical, {cores} cores, {count} sockets; {usable} usable",
        len({core.package for core in cpu.cores}),
        logical=len(cpu.cores),
        cores=len({(core.package, core.core) for core in cpu.cores}),
        usable=cpu.usable,
    )
    kinds = cpu.kinds
    if len(kinds) > 1:
        text = tr(
            "{cpus}; fastest cores {fastest}, slower cores {slower}",
            cpus=text,
            fastest=kinds[0],
            slower=listed(map(str, kinds[1:])),
        )
    if cpu.quota is None:
        return text
    return tr("{cpus} (quota {quota})", cpus=text, quota=f"{cpu.quota:g}")


def _caches(caches: tuple[Cache, ...]) -> list[tuple[str, str]]:
    counts = Counter((cache.level, cache.kind, cache.size, cache.line) for cache in caches)
    return [
        (
            _cache(level, kind),
            tr(
                "{count} x {size}, lines of {line} B, as reported by the system",
                count=count,
                size=format_size(size),
                line=line,
            ),
        )
        for (level, kind, size, line), count in sorted(counts.items())
    ]


def _cache(level: int, kind: str) -> str:
    match kind:
        case "data":
            return tr("L{level} data", level=level)
        case "instruction":
            return tr("L{level} instruction", level=level)
        case "unified":
            return tr("L{level} unified", level=level)
    return f"L{level} {kind}"


def _links(gpu: GpuIdentity, links: GpuLinks) -> str:
    """A text such as ``PCIe 5.0 x16, 18 NVLinks, memory node 1``."""
    node = (
        tr("memory node unknown")
        if links.node is None
        else tr("memory node {node}", node=links.node)
    )
    parts = [
        f"PCIe {links.generation_max}.0 x{links.width_max}" if links.generation_max else "",
        counted(links.nvlinks, "NVLink") if links.nvlinks else "",
        tr("C2C: chip-to-chip link to the CPU") if links.c2c else "",
        tr("in one package with the CPU") if gpu.integrated and not links.c2c else "",
        node,
        f"BAR1 {about_size(links.bar1)}" if links.bar1 else "",
    ]
    return listed(part for part in parts if part)


def ranges(numbers: tuple[int, ...]) -> str:
    """``(0, 1, 2, 5)`` -> ``0-2,5``."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ",".join(f"{p[0]}-{p[-1]}" if len(p) > 1 else str(p[0]) for p in parts)
