"""The snapshot: the properties of a machine, stored in the JSON file beside the results.

Sizes are in bytes. CPUs have the numbers that the Linux kernel gives them. An unknown value is
empty (``""``, ``None`` or ``()``) or, in a few fields, 0. It is never a guess.
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
    """One CPU cache, as described in sysfs; a virtual machine may report wrong values.

    Attributes:
        kind: ``data``, ``instruction`` or ``unified``.
        line: bytes of a cache line.
        cpus: CPUs that share the cache.
    """

    level: int
    kind: str
    size: int
    line: int
    cpus: tuple[int, ...]


@record
class Core:
    """One logical CPU and its position in the topology.

    Attributes:
        core, package: numbers of the physical core and of the package, counted from 0 over the
            whole machine. The kernel's numbers may begin again at 0 in each die or cluster.
        node: number of the NUMA node.
        kind: 0 for the fastest kind of core in the machine, 1 for the next slower kind, ...
        capacity: the kernel's relative computing capacity, 1024 for the fastest core.
        clock: maximum clock in kHz.
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
    """The processors, and the CPUs that this process may use.

    Attributes:
        affinity: CPUs that the scheduler may run this process on.
        quota: CPU time that the control group grants, as a number of CPUs; None if there is no
            limit.
        usable: number of CPUs in the affinity, at most the quota (rounded up).
        staircase: pairs (buffer size in bytes, ns per load of a pointer chase in this buffer),
            ascending, measured on the first CPU of `placement`; empty if not measured.
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
        """Total size in bytes of all data and unified caches at ``level``; 0 if unknown."""
        return sum(c.size for c in self.caches if c.level == level and c.kind != "instruction")

    @property
    def last_level_bytes(self) -> int:
        """Total size in bytes of all last-level caches in the machine; 0 if unknown."""
        data = [c.level for c in self.caches if c.kind != "instruction"]
        return self.cache_bytes(max(data)) if data else 0

    @cached_property
    def last_levels(self) -> Mapping[int, Cache]:
        """The last-level cache by CPU number; CPUs without a reported cache are missing."""
        found: dict[int, Cache] = {}
        for cache in self.caches:
            if cache.kind != "instruction":
                for cpu in cache.cpus:
                    if cpu not in found or cache.level >= found[cpu].level:
                        found[cpu] = cache
        return found


class NodeKind(StrEnum):
    """The kind of memory that a NUMA node has."""

    HOST = "host"  # memory of the node's own processors
    GPU = "gpu"  # memory of a GPU that processors can also access
    PERSISTENT = "persistent"
    MEMORY_ONLY = "memory-only"  # a node without processors: CXL, HBM in flat mode, ...


@record
class Node:
    """One NUMA node.

    Attributes:
        distances: the firmware's distance to every node, in the order of node numbers; 10 is local.
        free: free bytes at the time of the snapshot.
        side_cache: size of a cache between the memory of the node and the processors, such as DRAM
            in front of persistent memory; None if the system reports no such cache.
        allowed: whether this process may allocate memory on the node (``cpuset.mems`` of the
            control group).
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
        cgroup_limit, cgroup_used: the control group's memory limit, and the memory in use under
            this limit; None if there is no limit.
        page: size of an ordinary page.
        huge_page: size of a transparent huge page; 0 if the kernel has no such pages.
        thp: ``always``, ``madvise`` or ``never``, for pages of ``huge_page`` bytes.
        hugetlb_total, hugetlb_free: numbers of hugetlbfs pages of the default size.
        thp_allowed: whether this process may have transparent huge pages; None if unknown.
        small_thp: smaller page sizes that the kernel may use for transparent huge pages.
        policy: this process's default NUMA policy in the notation of numa_maps (``default``,
            ``bind:0``, ``interleave:0-1``).
        hugetlb_bytes: memory reserved for hugetlbfs, over all page sizes.
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
        """The nodes on which this process may allocate; nodes of 0 bytes are left out."""
        return tuple(node for node in self.nodes if node.memory != 0 and node.allowed)

    def distance(self, cpus: int, memory: int) -> int | None:
        """The firmware's distance from the CPUs of node ``cpus`` to the memory of node ``memory``.

        The distance to local memory is 10. The result is None if the distance is unknown.
        """
        numbers = [node.node for node in self.nodes]
        row = next((node.distances for node in self.nodes if node.node == cpus), ())
        place = numbers.index(memory) if memory in numbers else len(row)
        return row[place] if place < len(row) else None

    @property
    def budget(self) -> int:
        """Bytes that one case may allocate: half of `usable`, so that the machine does not swap."""
        return self.usable // 2

    @property
    def usable(self) -> int:
        """Bytes that this process can allocate without swapping or exceeding `cgroup_limit`."""
        if self.cgroup_limit is None:
            return self.available
        return max(0, min(self.available, self.cgroup_limit - (self.cgroup_used or 0)))


@record
class GpuIdentity:
    """One NVIDIA GPU, with the properties that NVML reports.

    Attributes:
        index: the NVML index.
        uuid: a hash of the GPU's UUID; different for every GPU, but does not reveal the UUID.
        memory: size of the memory; for an integrated GPU, of the host's memory.
        integrated: whether the GPU has no memory of its own and uses host memory.
        addressing: how the GPU accesses pageable system memory: ``ats``, ``hmm`` or ``none``.
        memory_node: the NUMA node with the memory of the GPU; None if the memory is not a node.
    """

    index: int
    name: str
    uuid: str
    memory: int | None
    compute_capability: str
    sm_mhz: int = 0  # maximum SM clock, 0 if unknown
    integrated: bool | None = None
    addressing: str = ""
    memory_node: int | None = None


@record
class GpuFault:
    """A problem of a GPU that is present.

    Attributes:
        index: the NVML index of the GPU; None if all GPUs are affected.
        problem, remedy: one line each; ``remedy`` is an action that the user can take.
        shown: whether `Gpus.devices` contains the GPU in spite of the problem.
    """

    index: int | None
    problem: str
    remedy: str
    shown: bool = False

    @property
    def where(self) -> str:
        """The affected GPU in words: ``GPU 1``, or ``GPUs`` for all."""
        return "GPUs" if self.index is None else f"GPU {self.index}"


@record
class Gpus:
    """The GPUs of the machine, and the problem if membench cannot use GPUs.

    Attributes:
        driver: NVIDIA driver version; empty if there is no driver, or if its version is unknown.
        cuda: newest CUDA version that the driver supports.
        devices: the GPUs that this process may use according to CUDA_VISIBLE_DEVICES.
        problem, remedy: the reason why membench cannot use any GPU, and an action that the user can
            take, one line each; empty if there is no problem.
        faults: problems of single GPUs; membench can still measure the healthy GPUs.
    """

    driver: str = ""
    cuda: str = ""
    devices: tuple[GpuIdentity, ...] = ()
    problem: str = ""
    remedy: str = ""

    faults: tuple[GpuFault, ...] = ()

    @property
    def present(self) -> bool:
        """Whether `devices` contains a GPU, usable or not."""
        return bool(self.devices)

    @property
    def usable(self) -> bool:
        """Whether `devices` contains a GPU, and `problem` is empty."""
        return self.present and not self.problem


@record
class GpuLinks:
    """The links of a GPU. A field is None if NVML and the firmware do not report the value.

    Attributes:
        uuid: as in `GpuIdentity`.
        generation, width: PCI Express generation and number of lanes at the time of the snapshot.
            An idle link may use a lower generation. Both are None for an integrated GPU, and for a
            GPU with ``c2c`` that reports only PCIe 1.0 x1.
        generation_max, width_max: maximum that both the GPU and the slot support.
        nvlinks: number of NVLinks that are up; 0 if NVML reports none.
        nvlink_version: version of the NVLinks, in NVML's numbering.
        c2c: whether the chip-to-chip link to the CPU is in use.
        node: the host NUMA node that the GPU is attached to.
        bar1: bytes of GPU memory that the PCIe bus can address at once.
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
    """The filesystem of a path.

    Attributes:
        path: the path. If it does not exist, the other fields describe the nearest existing parent.
        mount: the mount point.
        kind: type of the filesystem, such as ``ext4``, ``tmpfs`` or ``overlay``.
        options: mount options, without those that identify users or servers.
        device: the block device, such as ``/dev/vda``; empty if there is none.
        free: free bytes for an ordinary user; 0 if unknown.
        direct_io: the reason why O_DIRECT reaches no device; empty if it may reach a device.
    """

    path: str
    mount: str
    kind: str
    options: str
    device: str
    free: int
    direct_io: str


@record
class Machine:
    """A machine at the time of a run.

    Attributes:
        slug: name of the machine, ``[a-z0-9._-]+``, made from the hardware and never from the host
            name. A label from the user replaces the slug in paths and in the column `machine`.
        load: load averages over 1, 5 and 15 minutes.
        packages: versions of the Python distributions that affect results, by name.
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
