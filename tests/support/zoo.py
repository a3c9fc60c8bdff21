"""Real machines as generated sysfs and procfs trees.

The first twelve machines are in published test data of other projects: hwloc (tests/hwloc/linux,
tests/hwloc/xml), util-linux (tests/ts/lscpu/dumps), ghw and NRI Resource Policy. The hybrid desktop
is hwloc's ``20em64t-hybrid-1p6c2t+2ca4co1t``. GH200, Orin, WSL2 and lxcfs follow the documentation
of NVIDIA, Microsoft and LXC. The trees leave out files whose content is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

Tree = dict[str, str]
_CPU = "sys/devices/system/cpu"
_NODE = "sys/devices/system/node"


@dataclass(frozen=True)
class Specimen:
    """A machine, and the properties that membench must find.

    Attributes:
        affinity: CPUs that the process may use; empty for all online CPUs.
        cores, packages: numbers of cores and packages; kinds: CPUs of each kind of core.
        begins: first CPUs in the placement of threads.
        kinds_of_nodes: node -> kind, for nodes that are not ordinary host memory.
        pairs: expected cases of host/numa.
    """

    name: str
    tree: Tree
    cpus: int
    cores: int
    packages: int
    begins: tuple[int, ...]
    affinity: tuple[int, ...] = ()
    architecture: str = "x86_64"
    kinds: tuple[int, ...] = ()
    kinds_of_nodes: Mapping[int, str] = field(default_factory=dict)
    pairs: int = 0


def span(*ranges: tuple[int, int]) -> list[int]:
    """All numbers in the inclusive ranges ``(first, last)``."""
    return [number for first, last in ranges for number in range(first, last + 1)]


def listed(cpus: Iterable[int]) -> str:
    """``cpus`` in the kernel's list format."""
    return ",".join(map(str, sorted(cpus)))


def processors(
    online: Sequence[int],
    core: Callable[[int], Sequence[int]],
    package: Callable[[int], Sequence[int]],
    ids: Callable[[int], tuple[int, int]] = lambda cpu: (cpu, 0),
    old: bool = False,
) -> Tree:
    """The sysfs files of CPUs, with the siblings of their cores and packages.

    ``ids`` maps a CPU to (core_id, physical_package_id).
    """
    names = ("thread_siblings", "core_siblings") if old else ("core_cpus", "package_cpus")
    tree = {f"{_CPU}/online": listed(online)}
    for cpu in online:
        place = f"{_CPU}/cpu{cpu}/topology"
        tree[f"{place}/core_id"], tree[f"{place}/physical_package_id"] = map(str, ids(cpu))
        for name, of in zip(names, (core, package), strict=True):
            tree[f"{place}/{name}_list"] = listed(of(cpu))
    return tree


def caches(level: int, kind: str, size: str, groups: Iterable[Sequence[int]]) -> Tree:
    """The sysfs files of caches: one cache for each group of CPUs in ``groups``."""
    tree: Tree = {}
    for group in groups:
        of_group = f"caches/{level}-{group[0]}"  # all CPUs of the group link to these files
        facts = (str(level), kind, size, "64", listed(group))
        names = ("level", "type", "size", "coherency_line_size", "shared_cpu_list")
        tree |= {f"{of_group}/{name}": fact for name, fact in zip(names, facts, strict=True)}
        for cpu in group:
            tree[f"{_CPU}/cpu{cpu}/cache/index{level}"] = f"-> ../../../../../../{of_group}"
    return tree


def nodes(
    of: Mapping[int, Sequence[int]], kilobytes: Sequence[int] | int | None, distances: str = ""
) -> Tree:
    """The sysfs files of NUMA nodes with their CPUs. ``/`` separates the rows of ``distances``."""
    rows = distances.split("/") if distances else [""] * len(of)
    sizes = kilobytes if isinstance(kilobytes, Sequence) else [kilobytes] * len(of)
    tree: Tree = {}
    for (node, cpus), size, row in zip(of.items(), sizes, rows, strict=True):
        tree[f"{_NODE}/node{node}/cpulist"] = listed(cpus)
        tree[f"{_NODE}/node{node}/distance"] = row
        if size is not None:
            tree[f"{_NODE}/node{node}/meminfo"] = f"Node {node} MemTotal: {size} kB"
    return tree


def general(model: str, kilobytes: int, flags: str = "") -> Tree:
    """The files /proc/cpuinfo and /proc/meminfo of a machine with ``kilobytes`` KiB of memory."""
    return {
        "proc/cpuinfo": f"model name : {model}\nflags : fpu {flags}\n",
        "proc/meminfo": f"MemTotal: {kilobytes} kB\nMemAvailable: {kilobytes} kB\n",
    }


def arm(kilobytes: int, *parts: tuple[int, int]) -> Tree:
    """/proc/cpuinfo and /proc/meminfo of Arm cores. ``parts`` are pairs (part, number of cores)."""
    text = "".join(
        f"CPU implementer : 0x41\nCPU part : {part:#x}\n\n" * count for part, count in parts
    )
    return general("", kilobytes) | {"proc/cpuinfo": text}


def _chunks(cpus: Sequence[int], size: int, *shifts: int) -> list[list[int]]:
    """``cpus`` in groups of ``size``.

    For each CPU of a group, CPU + shift is added for each shift.
    """
    return [
        [cpu + shift for shift in (0, *shifts) for cpu in cpus[at : at + size]]
        for at in range(0, len(cpus), size)
    ]


def _in(groups: Sequence[Sequence[int]]) -> Callable[[int], Sequence[int]]:
    where = {cpu: group for group in groups for cpu in group}
    return where.__getitem__


def _epyc_7451() -> Specimen:
    first = span((0, 47))
    cores, packages = _chunks(first, 1, 48), _chunks(first, 24, 48)
    tree = processors(span((0, 95)), _in(cores), _in(packages))
    tree |= caches(3, "Unified", "8192K", _chunks(first, 3, 48))
    tree |= nodes(dict(enumerate(_chunks(first, 6, 48))), None)
    tree |= general("AMD EPYC 7451 24-Core Processor", 0)
    return Specimen("EPYC 7451 x 2", tree, 96, 48, 2, tuple(range(8)), pairs=2 * 2)


def _epyc_9654() -> Specimen:
    first = span((0, 191))
    tree = processors(span((0, 383)), _in(_chunks(first, 1, 192)), _in(_chunks(first, 96, 192)))
    tree |= caches(3, "Unified", "32768K", _chunks(first, 8, 192))
    tree |= nodes({0: span((0, 383))}, 67108864, "10") | general("AMD EPYC 9654", 67108864)
    return Specimen("EPYC 9654 x 2", tree, 384, 192, 2, tuple(range(8)))


def _xeon_24_nodes() -> Specimen:
    first = span((0, 191))
    packages = _chunks(first, 8, 192)
    # As published: 50 between the nodes of a pair, 65 within a blade of eight, otherwise 79.
    rows = "/".join(
        " ".join(
            str(10 if a == b else 50 if a // 2 == b // 2 else 65 if a // 8 == b // 8 else 79)
            for b in range(24)
        )
        for a in range(24)
    )
    tree = processors(span((0, 383)), _in(_chunks(first, 1, 192)), _in(packages))
    tree |= caches(3, "Unified", "20480K", packages)
    tree |= nodes(dict(enumerate(packages)), 32489472, rows)
    tree |= general("Intel(R) Xeon(R) CPU E5-4640 0 @ 2.40GHz", 779733764)
    return Specimen("24 nodes", tree, 384, 192, 24, tuple(range(8)), pairs=8)


def _persistent() -> Specimen:
    packages = [[cpu for cpu in range(112) if cpu % 2 == n] for n in range(2)]
    own = {n: [cpu for cpu in range(112) if cpu % 4 == n] for n in range(4)}
    tree = processors(span((0, 111)), lambda cpu: [cpu % 56, cpu % 56 + 56], _in(packages))
    tree |= caches(3, "Unified", "39424K", packages)
    tree |= nodes(
        own | {n: [] for n in range(4, 8)},
        [32404120, 33022772, 33022780, 33002800, *[130023424] * 4],
        "10 21 11 21 17 28 28 28/21 10 21 11 28 28 17 28/11 21 10 21 28 17 28 28/"
        "21 11 21 10 28 28 28 17/17 28 28 28 10 28 28 28/28 28 17 28 28 10 28 28/"
        "28 17 28 28 28 28 10 28/28 28 28 17 28 28 28 10",
    )
    tree |= general("Intel(R) Xeon(R) Platinum", 651546168)
    # The published tree has no DAX device, so node 4 gets one here.
    region = "sys/devices/LNXSYSTM:00/ACPI0012:00/ndbus0/region0/dax0.1/dax0.0"
    tree |= {f"{region}/target_node": "4", "sys/bus/dax/devices/dax0.0": f"-> ../../../../{region}"}
    kinds = {4: "persistent", **dict.fromkeys((5, 6, 7), "memory-only")}
    begins = tuple(range(0, 32, 4))
    return Specimen("persistent memory", tree, 112, 56, 2, begins, kinds_of_nodes=kinds, pairs=13)


def _side_caches() -> Specimen:
    packages = [[cpu for cpu in range(80) if cpu % 2 == n] for n in range(2)]
    tree = processors(span((0, 79)), lambda cpu: [cpu % 40, cpu % 40 + 40], _in(packages))
    tree |= caches(3, "Unified", "28160K", packages)
    own = {n: [cpu for cpu in range(80) if cpu % 4 == n] for n in range(4)}
    tree |= nodes(own, 390163840, "10 21 11 21/21 10 21 11/11 21 10 21/21 11 21 10")
    tree |= general("Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz", 1558982816)
    for node in range(4):
        tree[f"{_NODE}/node{node}/memory_side_cache/index1/size"] = "103079215104"
    begins = tuple(range(0, 32, 4))
    return Specimen("memory-side caches", tree, 80, 40, 2, begins, pairs=16)


def _gpu_nodes() -> Specimen:
    online = span((0, 15), (88, 103))
    cores, packages = _chunks(online, 4), [span((0, 15)), span((88, 103))]
    tree = processors(
        online, _in(cores), _in(packages), lambda cpu: (8 + cpu // 4 * 4, cpu // 88 * 8)
    )
    tree |= caches(3, "Unified", "10240K", _chunks(online, 8))
    apart = "10 40 80 80 80 80 80 80/40 10 80 80 80 80 80 80"
    for place in range(2, 8):
        row = ["80"] * 8
        row[place] = "10"
        apart += "/" + " ".join(row)
    of = {0: span((0, 87)), 8: span((88, 175)), **{n: [] for n in range(250, 256)}}
    tree |= nodes(of, [129839104, 133952000, *[15728640] * 6], apart)
    tree |= general("POWER9, altivec supported", 358162944)
    for number, node in enumerate(range(250, 256)):
        tree[f"proc/driver/nvidia/gpus/000{number}:01:00.0/numa_status"] = f"Node:   {node}\n"
    return Specimen(
        "GPU memory as nodes",
        tree,
        32,
        8,
        2,
        (0, 4, 8, 12, 88, 92, 96, 100),
        architecture="ppc64le",
        kinds_of_nodes=dict.fromkeys(range(250, 256), "gpu"),
        pairs=16,
    )


def _gb10() -> Specimen:
    clusters = [span((0, 9)), span((10, 19))]
    tree = processors(span((0, 19)), lambda cpu: [cpu], lambda _: span((0, 19)), lambda c: (c, 36))
    tree |= caches(3, "Unified", "8192K", clusters[:1]) | caches(
        3, "Unified", "16384K", clusters[1:]
    )
    speeds = {**dict.fromkeys(range(5), 718), **dict.fromkeys(range(5, 10), 997)}
    speeds |= {**dict.fromkeys(range(10, 15), 731), **dict.fromkeys(range(15, 19), 1017), 19: 1024}
    tree |= {f"{_CPU}/cpu{cpu}/cpu_capacity": str(speed) for cpu, speed in speeds.items()}
    tree |= nodes({0: span((0, 19))}, 125508468, "10") | arm(125508468, (0xD87, 10), (0xD85, 10))
    return Specimen(
        "GB10",
        tree,
        20,
        20,
        1,
        (5, 6, 7, 8, 9, 15, 16, 17, 18, 19, 0),
        architecture="aarch64",
        kinds=(10, 10),
    )


def _dies() -> Specimen:
    dies, packages = _chunks(span((0, 63)), 8), _chunks(span((0, 63)), 16)
    tree = processors(
        span((0, 63)),
        _in(_chunks(span((0, 63)), 2)),
        _in(packages),
        lambda cpu: (cpu % 8 // 2, cpu // 16),
    )
    tree |= caches(3, "Unified", "16384K", dies)
    rows = "/".join(" ".join("10" if a == b else "20" for b in range(16)) for a in range(16))
    tree |= nodes(dict(enumerate(_chunks(span((0, 63)), 4))), 257328, rows)
    tree |= general("QEMU Virtual CPU version 2.5+", 4025476, "hypervisor")
    begins = (0, 2, 4, 6, 8, 10, 12, 14)
    return Specimen("core_id anew in each die", tree, 64, 32, 4, begins, pairs=4)


def _cpuset() -> Specimen:
    online = [*range(4), *range(5, 16)]
    pairs = [[cpu for cpu in pair if cpu != 4] for pair in _chunks(span((0, 15)), 2)]
    tree = processors(online, lambda cpu: [cpu], _in(pairs), lambda c: (c % 2, c // 2), old=True)
    tree |= caches(2, "Unified", "1024K", [[cpu] for cpu in online])
    rows = "/".join(" ".join("10" if a == b else "20" for b in range(8)) for a in range(8))
    tree |= nodes(dict(enumerate(_chunks(span((0, 15)), 2))), 8388608, rows)
    tree |= general("Dual Core AMD Opteron(tm) Processor 865", 67106960)
    tree["proc/self/status"] = "Name: x\nMems_allowed_list:\t0,3,5-6\n"
    mine = (0, 1, 2, 3, 5, 6, 12, 13)
    return Specimen("control group with holes", tree, 15, 15, 8, mine, affinity=mine, pairs=4)


def _sg2042() -> Specimen:
    clusters = (0, 1, 4, 5, 2, 3, 6, 7, *range(8, 16))
    every = span((0, 63))
    tree = processors(every, lambda cpu: [cpu], lambda _: every, lambda cpu: (cpu % 4, 0))
    tree |= {f"{_CPU}/cpu{c}/topology/cluster_id": str(clusters[c // 4]) for c in every}
    tree |= {f"{_CPU}/cpu{cpu}/cpu_capacity": "1024" for cpu in every}
    of = {n: span((8 * n % 16 + n // 2 * 32, 7 + 8 * n % 16 + n // 2 * 32)) for n in range(4)}
    of = {n: [*cpus, *(cpu + 16 for cpu in cpus)] for n, cpus in of.items()}
    tree |= nodes(of, None) | {"proc/cpuinfo": "isa : rv64imafdcv\n"}
    begins = (*range(8), *range(16, 24))
    return Specimen("SG2042", tree, 64, 64, 1, begins, architecture="riscv64", pairs=16)


def _small_vm() -> Specimen:
    tree = processors((0, 1), lambda cpu: [cpu], lambda cpu: [cpu], lambda cpu: (0, cpu))
    tree |= caches(3, "Unified", "16384K", [[0], [1]]) | nodes({0: [0, 1]}, 2007536, "10")
    tree |= general("Intel(R) Xeon(R) Gold 5218R CPU @ 2.10GHz", 2007536, "hypervisor")
    return Specimen("a socket for each virtual CPU", tree, 2, 2, 2, (0, 1))


def _offline() -> Specimen:
    online = span((4, 20))
    packages = [[cpu for cpu in online if cpu % 2 == n] for n in range(2)]
    tree = processors(online, lambda cpu: [cpu], _in(packages))
    shared = [[cpu for cpu in range(24) if cpu % 2 == n] for n in range(2)]
    tree |= caches(3, "Unified", "30720K", shared)
    tree |= nodes({1: shared[1]}, 67108864, "21 10")
    tree |= general("Intel(R) Xeon(R) CPU E5-2680 v3 @ 2.50GHz", 131737080)
    tree["proc/self/status"] = "Mems_allowed_list:\t1\n"
    return Specimen("no CPU 0 and no node 0", tree, 17, 17, 2, (4, 6, 8, 10, 12, 14, 16, 18))


def _gh200() -> Specimen:
    every = span((0, 71))
    tree = processors(every, lambda cpu: [cpu], lambda _: every)
    tree |= caches(3, "Unified", "116736K", [every])
    tree |= nodes({0: every, 1: []}, [502661056, 100139008], "10 80/80 10")
    tree |= arm(602800064, (0xD4F, 72))
    tree |= {
        "sys/devices/soc0/soc_id": "jep106:036b:0241",
        "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never",
        "sys/kernel/mm/transparent_hugepage/hpage_pmd_size": str(512 << 20),
        "proc/driver/nvidia/gpus/0009:01:00.0/numa_status": "Node:       1\nStatus:     online\n",
    }
    return Specimen(
        "GH200",
        tree,
        72,
        72,
        1,
        tuple(range(8)),
        architecture="aarch64",
        kinds_of_nodes={1: "gpu"},
        pairs=2,
    )


def _hybrid() -> Specimen:
    fast, slow = _chunks(span((0, 11)), 2), [[cpu] for cpu in range(12, 20)]
    tree = processors(span((0, 19)), _in(fast + slow), lambda _: span((0, 19)))
    tree |= caches(2, "Unified", "1280K", fast)
    tree |= caches(2, "Unified", "2048K", [span((12, 15)), span((16, 19))])
    tree |= caches(3, "Unified", "24576K", [span((0, 19))])
    tree |= {
        f"{_CPU}/cpu{cpu}/cpufreq/cpuinfo_max_freq": "4700000" if cpu < 12 else "3500000"
        for cpu in range(20)
    }
    tree |= nodes({0: span((0, 19))}, 32000000, "10")
    tree |= general("12th Gen Intel(R) Core(TM) i7-12700H", 32000000)
    begins = (0, 2, 4, 6, 8, 10, 12, 13)
    return Specimen("hybrid desktop", tree, 20, 14, 1, begins, kinds=(12, 8))


def _orin() -> Specimen:
    every = span((0, 11))
    tree = processors(every, lambda cpu: [cpu], lambda _: every)
    tree |= caches(3, "Unified", "2048K", _chunks(every, 4))
    tree |= nodes({0: every}, 62600000, "10") | arm(62600000, (0xD42, 12))
    return Specimen("Jetson Orin", tree, 12, 12, 1, tuple(range(8)), architecture="aarch64")


def _wsl2() -> Specimen:
    cores = _chunks(span((0, 15)), 2)
    tree = processors(span((0, 15)), _in(cores), lambda _: span((0, 15)))
    tree |= caches(3, "Unified", "32768K", [span((0, 15))])
    tree |= nodes({0: span((0, 15))}, 16000000, "10")
    tree |= general("AMD Ryzen 7 5800X 8-Core Processor", 16000000, "hypervisor")
    tree |= {
        "dev/dxg": "",
        "proc/sys/kernel/osrelease": "5.15.153.1-microsoft-standard-WSL2",
    }
    return Specimen("WSL2", tree, 16, 8, 1, (0, 2, 4, 6, 8, 10, 12, 14))


def _lxcfs() -> Specimen:
    every, cores = span((0, 63)), _chunks(span((0, 31)), 1, 32)
    tree = processors(every, _in(cores), lambda _: every)
    tree |= caches(3, "Unified", "65536K", [every]) | nodes({0: every}, 131072000, "10")
    tree |= general("AMD EPYC 7543P 32-Core Processor", 4194304)
    tree[f"{_CPU}/online"] = "0-3"  # the file that lxcfs shows instead of the kernel's file
    mine = (8, 9, 40, 41)
    return Specimen("lxcfs", tree, 4, 2, 1, mine, affinity=mine)


SPECIMENS = (
    _epyc_7451(),
    _epyc_9654(),
    _xeon_24_nodes(),
    _persistent(),
    _side_caches(),
    _gpu_nodes(),
    _gb10(),
    _dies(),
    _cpuset(),
    _sg2042(),
    _small_vm(),
    _offline(),
    _gh200(),
    _hybrid(),
    _orin(),
    _wsl2(),
    _lxcfs(),
)
"""All machines of this module."""
