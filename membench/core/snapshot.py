"""What a machine is: the snapshot that stands in the sidecar.

Floor 1, plain data.  Sizes are bytes, CPU numbers are the kernel's.  An absent
fact is empty (``""``, ``None``, ``()``), never a guess.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property


@dataclass(frozen=True)
class Cache:
    """One CPU cache as sysfs describes it; a virtual machine may describe it wrongly."""

    level: int
    kind: str  # data | instruction | unified
    size: int
    line: int
    cpus: tuple[int, ...]  # the CPUs that share it


@dataclass(frozen=True)
class Core:
    """One logical CPU and where it sits.

    Attributes:
        core, package: physical core and package, counted through the machine from 0 in the order
            of their lowest CPUs: the kernel's own numbers may begin anew in each die or cluster.
        kind: 0 where its core is of the fastest kind in the machine, 1 of the next one, ...
        capacity: what the kernel says that it computes, 1024 being the fastest core; or None.
        clock: kHz at most, or None.
    """

    cpu: int
    core: int
    package: int
    node: int
    kind: int = 0
    capacity: int | None = None
    clock: int | None = None


@dataclass(frozen=True)
class Cpu:
    """The processors, and how much of them this process may use.

    Attributes:
        affinity: CPUs that the scheduler may put this process on.
        quota: CPUs' worth of time that the control group grants, or None.
        usable: threads that make sense: the affinity's count, capped by the quota.
        staircase: bytes of a ring and ns of one dependent load through it, ascending, measured
            on the first CPU that is used; empty where it was not.
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
        """How many CPUs there are of each kind of core, the fastest kind first."""
        counts = Counter(core.kind for core in self.cores)
        return tuple(counts[kind] for kind in sorted(counts))

    def cache_bytes(self, level: int) -> int:
        """Bytes of the data caches of ``level`` in the whole machine, 0 where unknown."""
        return sum(c.size for c in self.caches if c.level == level and c.kind != "instruction")

    @property
    def last_level_bytes(self) -> int:
        """Bytes of all last-level caches together, 0 where unknown."""
        data = [c.level for c in self.caches if c.kind != "instruction"]
        return self.cache_bytes(max(data)) if data else 0

    @cached_property
    def last_levels(self) -> Mapping[int, Cache]:
        """The last-level cache of each CPU; one for which the system describes none is absent."""
        found: dict[int, Cache] = {}
        for cache in self.caches:
            if cache.kind != "instruction":
                for cpu in cache.cpus:
                    if cpu not in found or cache.level >= found[cpu].level:
                        found[cpu] = cache
        return found


class NodeKind(StrEnum):
    """Whose memory a NUMA node is."""

    HOST = "host"  # that of its own processors
    GPU = "gpu"  # a GPU's own, which processors may read too
    PERSISTENT = "persistent"
    MEMORY_ONLY = "memory-only"  # no processors of its own: CXL, HBM in flat mode, ...


@dataclass(frozen=True)
class Node:
    """One NUMA node.

    Attributes:
        memory: bytes, None where the kernel does not say.
        distances: to every node in the order of their numbers, as the firmware states them, 10
            being local.
        free: bytes when the snapshot was taken, or None.
        side_cache: bytes of the cache between the node's memory and the processors, such as the
            DRAM before persistent memory; None where no such cache is reported.
        allowed: this process may be given memory of it (``cpuset.mems`` of its control group).
    """

    node: int
    cpus: tuple[int, ...]
    memory: int | None
    distances: tuple[int, ...]
    kind: NodeKind = NodeKind.HOST
    free: int | None = None
    side_cache: int | None = None
    allowed: bool = True


@dataclass(frozen=True)
class Memory:
    """Main memory, its pages, and the control group's cap.

    Attributes:
        huge_page: bytes of a transparent huge page, 0 where there is none.
        thp: always | madvise | never, or empty.
        thp_allowed: whether this process may have transparent huge pages; None where nobody says.
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

    @property
    def grantable(self) -> tuple[Node, ...]:
        """The nodes that have memory, as far as is known, of which this process may be given."""
        return tuple(node for node in self.nodes if node.memory != 0 and node.allowed)

    def distance(self, cpus: int, memory: int) -> int | None:
        """From the processors of node ``cpus`` to the memory of node ``memory``; None: unknown."""
        numbers = [node.node for node in self.nodes]
        row = next((node.distances for node in self.nodes if node.node == cpus), ())
        place = numbers.index(memory) if memory in numbers else len(row)
        return row[place] if place < len(row) else None

    @property
    def budget(self) -> int:
        """Bytes that one case may hold: half of the usable ones keep the machine alive."""
        return self.usable // 2

    @property
    def usable(self) -> int:
        """Bytes that may still be asked for: what is available, capped by the control group."""
        if self.cgroup_limit is None:
            return self.available
        return max(0, min(self.available, self.cgroup_limit - (self.cgroup_used or 0)))


@dataclass(frozen=True)
class GpuIdentity:
    """One NVIDIA GPU as NVML names it.

    Attributes:
        uuid: hashed: enough to tell two cards apart, useless to find one.
        memory: bytes; of an integrated GPU those of the host, None where nobody says.
        integrated: it has no memory of its own and works in the host's; None where unknown.
        addressing: how it reads the system's own memory: ``ats``, ``hmm``, ``none``, or empty.
        memory_node: the memory node that its own memory is to the processors, or None.
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


@dataclass(frozen=True)
class GpuFault:
    """A GPU that is there and not right.

    Attributes:
        index: NVML's number of it; None where it is about all of them.
        problem, remedy: one line each.
        shown: it is one of `Gpus.devices` all the same.
    """

    index: int | None
    problem: str
    remedy: str
    shown: bool = False

    @property
    def where(self) -> str:
        """``GPU 1``, or all of them."""
        return "GPUs" if self.index is None else f"GPU {self.index}"


@dataclass(frozen=True)
class Gpus:
    """The GPUs, and why they cannot be used if they cannot.

    Attributes:
        driver: NVIDIA driver version, empty without a driver.
        cuda: newest CUDA version that the driver supports.
        devices: the GPUs visible to this process (CUDA_VISIBLE_DEVICES honoured).
        problem: one line, empty where GPUs can be used.
        remedy: one line: what to install or do, empty where nothing is wrong.
        faults: what is not right with single GPUs; the others are measured.
    """

    driver: str = ""
    cuda: str = ""
    devices: tuple[GpuIdentity, ...] = ()
    problem: str = ""
    remedy: str = ""

    faults: tuple[GpuFault, ...] = ()

    @property
    def present(self) -> bool:
        """There is a GPU, usable or not."""
        return bool(self.devices)

    @property
    def usable(self) -> bool:
        """There is a GPU and nothing stands in its way."""
        return self.present and not self.problem


@dataclass(frozen=True)
class GpuLinks:
    """What a GPU is connected with; None where NVML or the firmware does not say.

    Attributes:
        uuid: hashed, as in `GpuIdentity`.
        generation, width: of PCI Express when the snapshot was taken: an idle link is slow.
        generation_max, width_max: the best that device and slot can do together.
        nvlinks: NVLinks that are up; ``nvlink_version`` is NVML's number of their kind.
            None where there is no such link (an integrated GPU; ``c2c`` and nothing but 1.0 x1).
        c2c: the chip-to-chip link to the CPU is in use.
        node: memory node of the host that it sits at.
        bar1: bytes of device memory that the bus can reach at once.
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


@dataclass(frozen=True)
class Filesystem:
    """Where a path lives."""

    path: str
    mount: str
    kind: str  # ext4, xfs, tmpfs, overlay, ...
    options: str
    device: str
    free: int
    direct_io: str  # empty if O_DIRECT reaches a device here, else why not


@dataclass(frozen=True)
class Machine:
    """A machine at the moment of a run.

    Attributes:
        slug: name for paths and the `machine` column, ``[a-z0-9._-]+``; never the host name.
        packages: distribution -> version of what a result depends on.
        links: what the GPUs are connected with, in the order of ``gpus.devices``.
        former: slugs that earlier versions of membench gave this machine.
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
