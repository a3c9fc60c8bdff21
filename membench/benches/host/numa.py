"""Bandwidth and latency from the CPUs of one NUMA node to the memory of this or another node."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING

from membench.core.axes import AUTO, Value
from membench.core.case import Needs, axis, bench
from membench.core.errors import VerificationFailed, skip
from membench.core.sizes.placement import placement
from membench.core.snapshot import Machine, Node, NodeKind
from membench.core.terms import BytesConvention, Metric, Stat
from membench.core.units import MIB, about_size
from membench.core.work import Observation, Observed, Work
from membench.host.memory.sharing import PAGE, parts
from membench.machine.nodes import available_bytes

if TYPE_CHECKING:
    from membench.host.memory.arena import Bytes
    from membench.host.memory.backend import CpuBackend
    from membench.host.memory.thread_pool import ThreadSlot

LOADS = 32768
LEAST_SAMPLES, MOST_SAMPLES = 5, 512
MOST_PAIRS = 16
"""With more node pairs than this number, membench measures only some pairs.

16 pairs take 56 s in five rounds.
"""

PROBES = 64  # number of pages whose memory node is checked


def cpu_nodes(machine: Machine) -> tuple[Value, ...]:
    """The NUMA nodes with CPUs that this process may use."""
    usable = set(machine.cpu.affinity)
    return tuple(n.node for n in machine.memory.nodes if usable & set(n.cpus)) or (0,)


def cpus_of(machine: Machine, node: int) -> tuple[int, ...]:
    """The CPUs of ``node`` that this process may use."""
    mine = {core.cpu for core in machine.cpu.cores if core.node == node}
    return tuple(cpu for cpu in placement(machine) if cpu in mine)


def memory_nodes(machine: Machine) -> tuple[Value, ...]:
    """The NUMA nodes on which this process may allocate memory."""
    return tuple(node.node for node in machine.memory.grantable) or (0,)


def worth_measuring(machine: Machine, cpu: int, mem: int, **_: Value) -> bool:
    """Whether the pair (``cpu``, ``mem``) of nodes is measured; see `MOST_PAIRS`."""
    cpus = tuple(int(node) for node in cpu_nodes(machine))
    grantable = machine.memory.grantable
    if len(cpus) * len(grantable) <= MOST_PAIRS:
        return True
    return (cpu, mem) in _outermost(cpus, grantable, machine.memory.nodes)


@cache
def _outermost(
    cpus: tuple[int, ...], grantable: tuple[Node, ...], nodes: tuple[Node, ...]
) -> frozenset[tuple[int, int]]:
    """Pairs (CPU node, memory node): at most two for each distance and kind of memory.

    One is the pair whose node numbers differ least; the other is the pair whose node numbers differ
    most. If pairs of the same distance differ in speed, for example because of a longer route,
    these two probably differ.
    """
    place = {node.node: number for number, node in enumerate(nodes)}
    rows = {node.node: node.distances for node in nodes}
    alike: dict[tuple[NodeKind, int], list[tuple[int, int, int]]] = {}
    for cpu in cpus:
        for node in grantable:
            far = int(node.node != cpu)
            row = rows.get(cpu, ())
            distance = row[place[node.node]] if len(row) == len(nodes) else far
            pair = (abs(cpu - node.node), cpu, node.node)
            alike.setdefault((node.kind, distance), []).append(pair)
    return frozenset(pair[1:] for pairs in alike.values() for pair in (min(pairs), max(pairs)))


@bench(
    "host/numa",
    version=2,  # version 2: `size=auto`; the CPU that runs the chase links the ring
    needs=(Needs.JIT, Needs.TWO_NUMA_NODES),
    yields=((Metric.BANDWIDTH, Stat.MEDIAN), (Metric.LATENCY, Stat.MEDIAN)),
    grid=("cpu", "mem"),
    profiles=("full",),
    seconds=0.7,  # 0.3 s of observation; the rest as in host/loaded
    memory=lambda size, **_: 2 * size + 2 * MIB,
    on_machine=worth_measuring,
    cpus=lambda machine, cpu, **_: cpus_of(machine, cpu),
)
@axis("size", quick=AUTO, least=PAGE, power=True)
@axis("cpu", quick=cpu_nodes, closed=True)
@axis("mem", quick=memory_nodes, closed=True)
def numa(backend: CpuBackend, size: int, cpu: int, mem: int) -> Work:
    """Bandwidth and latency from the CPUs of one NUMA node to the memory of a NUMA node.

    Two phases alternate: all CPUs of the node read, and then one CPU runs a pointer chase. With
    more than 16 pairs of nodes, at most two pairs are measured for each distance and kind of
    memory.
    """
    mine = cpus_of(backend.machine, cpu)
    threads = [place for place, number in enumerate(backend.cpus) if number in mine]
    if not threads:
        skip(f"this process is not allowed to use any CPU of node {cpu}")
    free = available_bytes(mem)
    if free is not None and free < 2 * size + MIB:
        skip(
            f"needs {about_size(2 * size + MIB)} of memory, but node {mem} has only "
            f"{about_size(free)} free"
        )
    pair = _Pair(backend, size, threads, mem)
    kinds = {node.node: node.kind for node in backend.machine.memory.nodes}
    kind = kinds.get(mem, NodeKind.HOST)
    return Observed(
        observe=pair.observe,
        seconds=0.3,
        timer=backend.timer,
        size_bytes=2 * size,
        bytes_moved=size,
        bytes_convention=BytesConvention.RW_SUM,
        verify=pair.verify,
        flags=() if kind is NodeKind.HOST else ("other-memory",),
        detail={
            "engine": "numba",
            "threads": len(threads),
            "placement": pair.placement,
            "memory": kind,
            "huge": pair.huge,
        },
    )


class _Pair:
    """The threads of a case, the table that all threads read, and the ring for the pointer chase.

    Attributes:
        placement: ``proven`` if the kernel reported the node of the pages, otherwise ``unproven``.
        huge: share of the memory that is on huge pages, such as ``100%``.
    """

    def __init__(self, backend: CpuBackend, size: int, threads: list[int], node: int) -> None:
        import numpy as np

        from membench.host.compiled.pattern import SALT_A
        from membench.host.memory.arena import huge_bytes, map_pages
        from membench.host.memory.ring import HostRing, Walk

        self._backend, self._size, self._threads = backend, size, threads
        self._engine = backend.streams
        self._engine.prepare("read", "plain")
        memory, self._table = (map_pages(size, "thp", node=node) for _ in range(2))
        ring = HostRing.over(memory, backend.line_bytes)
        cuts = parts(size, len(threads))
        self._pieces = [self._table[cut].view(np.float64) for cut in cuts]

        def fill(index: int) -> None:
            self._engine.fill(self._pieces[index], cuts[index].start // 8, SALT_A)
            if index == 0:
                ring.link()  # no other CPU's cache has lines of this memory

        backend.each(threads, fill)
        if reason := backend.unpinned(threads):
            skip(f"threads cannot be pinned to the CPUs of a node: {reason}")
        huge = huge_bytes(memory) + huge_bytes(self._table)
        self.huge = f"{min(100, 100 * huge / (2 * size)):.0f}%"
        self.placement = self._prove([memory, self._table], node)
        self._walk = Walk(ring)
        self._sum = self._passes = 0

    def observe(self, seconds: float) -> Observation:
        """Alternate between the bandwidth of all threads and the latency of one thread."""
        bandwidths: list[float] = []
        latencies: list[float] = []
        end = time.monotonic() + seconds
        while len(bandwidths) < LEAST_SAMPLES or (
            time.monotonic() < end and len(bandwidths) < MOST_SAMPLES
        ):
            bandwidths.append(self._size / self._read())
            self._backend.launch([self._walk.job(LOADS)], self._threads[:1])
            latencies.append(self._backend.span_ns / LOADS)
        return Observation(
            {
                (Metric.BANDWIDTH, Stat.MEDIAN): bandwidths,
                (Metric.LATENCY, Stat.MEDIAN): latencies,
            }
        )

    def _read(self) -> int:
        def job(slot: ThreadSlot) -> int:
            return self._engine.run(slot, "read", "plain", [self._pieces[slot.index]], 1)

        self._sum += sum(self._backend.launch([job] * len(self._threads), self._threads))
        self._passes += 1
        return self._backend.span_ns

    def _prove(self, arrays: list[Bytes], node: int) -> str:
        from membench.machine.pages import node_of_pages

        step = self._size // PROBES
        bases = [int(array.ctypes.data) for array in arrays]
        nodes = node_of_pages([base + n * step for base in bases for n in range(PROBES)])
        if any(found != node for found in nodes):
            raise VerificationFailed(
                f"pages are on nodes {sorted(set(nodes))} instead of node {node}"
            )
        return "proven" if nodes else "unproven"

    def verify(self) -> None:
        import numpy as np

        self._walk.verify()
        expected = int(np.add.reduce(self._table.view(np.uint64))) * self._passes
        if (self._sum - expected) % 2**64:
            raise VerificationFailed("the words that were read do not add up to the table's sum")
