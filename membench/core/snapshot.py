"""The snapshot of a machine, which the sidecar stores.

Floor 1, plain data. Sizes are bytes, CPU numbers are the kernel's. An unknown fact is empty
(``""``, ``None``, ``()``), never a guess.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from functools import cached_property

from membench.core.record import record


@record
class Cache:
    """One CPU cache as sysfs describes it; a virtual machine may describe it wrongly."""

    level: int
    kind: str  # data | instruction | unified
    size: int
    line: int
    cpus: tuple[int, ...]  # the CPUs that share it


@record
class Core:
    """One logical CPU and where it sits.

    Attributes:
        core, package: physical core and package, numbered through the machine from 0 by their
            lowest CPUs, because the kernel's numbers may restart in each die or cluster.
        kind: 0 for the fastest kind of core in the machine, 1 for the next one, ...
        capacity: the kernel's relative computing capacity, 1024 for the fastest core, or None.
        clock: kHz at most, or None.
    """

    cpu: int
    core: int
    package: int
    node: int
    kind: int = 0
    capacity: int | None = None
    clock: int | None = None


@record
class Cpu:
    """The processors, and how much of them this process may use.

    Attributes:
        affinity: CPUs that the scheduler may put this process on.
        quota: CPU time that the control group grants, in CPUs, or None.
        usable: number of CPUs in the affinity, capped by the quota.
        staircase: bytes of a ring and ns of one dependent load through it, ascending, measured on
            the first CPU that is used; empty if not measured.
    """

    model: str
    architecture: str
    cores: tuple[Core, ...]
    affinity: tuple[int, ...]
    quota: float | None
    usable: int
    caches: tuple[Cache, ...]
    governor: str
    hypervisor: str  # empty on bare metal
    staircase: tuple[tuple[int, float], ...] = ()

    @property
    def kinds(self) -> tuple[int, ...]:
        """Number of CPUs of each kind of core, the fastest kind first."""
        counts = Counter(core.kind for core in self.cores)
        return tuple(counts[kind] for kind in sorted(counts))

    def cache_bytes(self, level: int) -> int:
        """Bytes of the data caches of ``level`` in the whole machine, 0 if unknown."""
        return sum(c.size for c in self.caches if c.level == level and c.kind != "instruction")

    @property
    def last_level_bytes(self) -> int:
        """Bytes of all last-level caches together, 0 if unknown."""
        data = [c.level for c in self.caches if c.kind != "instruction"]
        return self.cache_bytes(max(data)) if data else 0

    @cached_property
    def last_levels(self) -> Mapping[int, Cache]:
        """The last-level cache of each CPU, without CPUs for which the system reports none."""
        found: dict[int, Cache] = {}
        for cache in self.caches:
            if cache.kind != "instruction":
                for cpu in cache.cpus:
                    if cpu not in found or cache.level >= found[cpu].level:
                        found[cpu] = cache
        return found


class NodeKind(StrEnum):
    """The owner of a NUMA node's memory."""

    HOST = "host"  # that of its own processors
    GPU = "gpu"  # a GPU's own, which processors may read too
    PERSISTENT = "persistent"
    MEMORY_ONLY = "memory-only"  # no processors of its own: CXL, HBM in flat mode, ...


@record
class Node:
    """One NUMA node.

    Attributes:
        memory: bytes, None if the kernel does not report them.
        distances: to every node in the order of their numbers, as the firmware states them, 10
            being local.
        free: bytes when the snapshot was taken, or None.
        side_cache: bytes of a cache between the node's memory and the processors, such as DRAM in
            front of persistent memory; None if none is reported.
        allowed: this process may allocate on it (``cpuset.mems`` of its control group).
    """

    node: int
    cpus: tuple[int, ...]
    memory: int | None
    distances: tuple[int, ...]
    kind: NodeKind = NodeKind.HOST
    free: int | None = None
    side_cache: int | None = None
    allowed: bool = True


@record
class Memory:
    """Main memory, its pages, and the control group's limit.

    Attributes:
        huge_page: bytes of a transparent huge page, 0 if the kernel has none.
        thp: always | madvise | never for pages of that size, or empty.
        thp_allowed: whether this process may have transparent huge pages; None if unknown.
        small_thp: smaller sizes, in bytes, in which the kernel gives memory that asks for
            transparent huge pages.
        policy: where this process's pages come from unless a case asks otherwise, as numa_maps
            has it (``default``, ``bind:0``, ``interleave:0-1``); empty if unknown.
        hugetlb_bytes: memory set aside for hugetlbfs, pages of all sizes.
    """

    total: int
    available: int
    cgroup_limit: int | None
    cgroup_used: int | None
    page: int
    huge_page: int
    thp: str
    hugetlb_total: int
    hugetlb_free: int
    nodes: tuple[Node, ...]
    thp_allowed: bool | None = None
    small_thp: tuple[int, ...] = ()
    policy: str = ""
    hugetlb_bytes: int = 0

    @property
    def grantable(self) -> tuple[Node, ...]:
        """The nodes with memory (as far as known) on which this process may allocate."""
        return tuple(node for node in self.nodes if node.memory != 0 and node.allowed)

    def distance(self, cpus: int, memory: int) -> int | None:
        """The firmware's distance from the processors of node ``cpus`` to another node's memory."""
        numbers = [node.node for node in self.nodes]
        row = next((node.distances for node in self.nodes if node.node == cpus), ())
        place = numbers.index(memory) if memory in numbers else len(row)
        return row[place] if place < len(row) else None

    @property
    def budget(self) -> int:
        """Bytes that one case may hold: half of the usable ones, so that the machine responds."""
        return self.usable // 2

    @property
    def usable(self) -> int:
        """Bytes that may still be allocated: the available ones, capped by the control group."""
        if self.cgroup_limit is None:
            return self.available
        return max(0, min(self.available, self.cgroup_limit - (self.cgroup_used or 0)))


@record
class GpuIdentity:
    """One NVIDIA GPU as NVML names it.

    Attributes:
        uuid: a hash, which tells two cards apart and does not identify either.
        memory: bytes; the host's for an integrated GPU, None if unknown.
        integrated: it has no memory of its own and uses the host's; None if unknown.
        addressing: how it reads the system's own memory: ``ats``, ``hmm``, ``none``, or empty.
        memory_node: the NUMA node under which the processors see its memory, or None.
    """

    index: int
    name: str
    uuid: str
    memory: int | None
    compute_capability: str
    sm_mhz: int = 0  # highest clock of its multiprocessors, 0 where unknown
    integrated: bool | None = None
    addressing: str = ""
    memory_node: int | None = None


@record
class GpuFault:
    """A GPU that is present and has a problem.

    Attributes:
        index: its NVML index; None if all GPUs are affected.
        problem, remedy: one line each.
        shown: it is nevertheless one of `Gpus.devices`.
    """

    index: int | None
    problem: str
    remedy: str
    shown: bool = False

    @property
    def where(self) -> str:
        """``GPU 1``, or ``all GPUs`` in words."""
        return "GPUs" if self.index is None else f"GPU {self.index}"


@record
class Gpus:
    """The GPUs, and the reason if they cannot be used.

    Attributes:
        driver: NVIDIA driver version, empty without a driver.
        cuda: newest CUDA version that the driver supports.
        devices: the GPUs visible to this process (CUDA_VISIBLE_DEVICES honoured).
        problem: one line, empty if GPUs can be used.
        remedy: one line that names what to install or do, empty without a problem.
        faults: problems of single GPUs; the other GPUs are measured.
    """

    driver: str = ""
    cuda: str = ""
    devices: tuple[GpuIdentity, ...] = ()
    problem: str = ""
    remedy: str = ""

    faults: tuple[GpuFault, ...] = ()

    @property
    def present(self) -> bool:
        """Whether there is a GPU, usable or not."""
        return bool(self.devices)

    @property
    def usable(self) -> bool:
        """Whether there is a GPU and no problem prevents its use."""
        return self.present and not self.problem


@record
class GpuLinks:
    """The links of a GPU; None for what NVML and the firmware do not report.

    Attributes:
        uuid: hashed, as in `GpuIdentity`.
        generation, width: of PCI Express when the snapshot was taken; an idle link may be slow.
        generation_max, width_max: the most that device and slot support together.
        nvlinks: NVLinks that are up; ``nvlink_version`` is NVML's number of their kind.
            None where there is no such link (an integrated GPU; ``c2c`` and nothing but 1.0 x1).
        c2c: the chip-to-chip link to the CPU is in use.
        node: the host's NUMA node that it is attached to.
        bar1: bytes of device memory that the bus can address at once.
    """

    uuid: str
    generation: int | None = None
    generation_max: int | None = None
    width: int | None = None
    width_max: int | None = None
    nvlinks: int = 0
    nvlink_version: int | None = None
    c2c: bool | None = None
    node: int | None = None
    bar1: int | None = None


@record
class Filesystem:
    """The filesystem that holds a path."""

    path: str
    mount: str
    kind: str  # ext4, xfs, tmpfs, overlay, ...
    options: str
    device: str
    free: int
    direct_io: str  # empty if O_DIRECT reaches a device here, else why not


@record
class Machine:
    """A machine at the moment of a run.

    Attributes:
        slug: name for paths and the `machine` column, ``[a-z0-9._-]+``; never the host name.
        packages: distribution -> version, for those that affect results.
        links: the links of the GPUs, in the order of ``gpus.devices``.
        former: slugs that earlier versions of membench gave to this machine.
    """

    slug: str
    cpu: Cpu
    memory: Memory
    gpus: Gpus
    filesystems: tuple[Filesystem, ...]
    system: str  # e.g. Debian GNU/Linux 12 (bookworm)
    kernel: str
    libc: str
    python: str
    load: tuple[float, ...] = ()
    packages: dict[str, str] = field(default_factory=dict)
    links: tuple[GpuLinks, ...] = ()
    former: tuple[str, ...] = ()
