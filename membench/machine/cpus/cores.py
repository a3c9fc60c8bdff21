"""Find the physical core, the package, and the kind of core of each logical CPU.

Sources: the kernel's admin-guide/cputopology and Documentation/ABI/stable/sysfs-devices-system-cpu.
The module prefers the kernel's lists of CPUs per core and per package to ``core_id``. This number
begins again at 0 in each die on some machines, and in each cluster on machines with a device tree.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path

from membench.core.snapshot import Core
from membench.machine.kernel_text import cpu_list, cpu_set, integer, numbered, read

SLOWER = 0.85
"""Share of the speed of a kind's fastest core; a core below this share belongs to a slower kind.

The fast cores of GB10 have the speeds 1024 and 997. On Xeons with Turbo Boost Max 3.0, the speeds
of equal cores differ by up to 10 %. The slower kind of core has 0.71 of the speed on GB10, and 0.74
to 0.82 of the clock on Intel's hybrids.
"""

_CORE = ("core_cpus_list", "thread_siblings_list", "core_cpus", "thread_siblings")
_PACKAGE = ("package_cpus_list", "core_siblings_list", "package_cpus", "core_siblings")


def read_cores(root: Path, cpus: Sequence[int]) -> tuple[Core, ...]:
    folder = root / "sys/devices/system/cpu"
    node_of = {
        cpu: node
        for node, place in numbered(root / "sys/devices/system/node", "node")
        for cpu in cpu_set(place, "cpulist", "cpumap")
    }
    topology = {cpu: folder / f"cpu{cpu}/topology" for cpu in cpus}
    core_of = _counted({cpu: _core(cpu, place) for cpu, place in topology.items()})
    package_of = _counted({cpu: _package(cpu, place) for cpu, place in topology.items()})
    capacities = {cpu: _positive(folder / f"cpu{cpu}/cpu_capacity") for cpu in cpus}
    clocks = {cpu: _positive(folder / f"cpu{cpu}/cpufreq/cpuinfo_max_freq") for cpu in cpus}
    kind_of = _kinds(capacities) or _kinds(clocks) or _named(root / "sys/devices")
    return tuple(
        Core(
            cpu=cpu,
            core=core_of[cpu],
            package=package_of[cpu],
            node=node_of.get(cpu, 0),
            kind=kind_of.get(cpu, 0),
            capacity=capacities[cpu],
            clock=clocks[cpu],
        )
        for cpu in cpus
    )


def _core(cpu: int, topology: Path) -> Hashable:
    """A value that is equal for all CPUs of one core, and different for CPUs of other cores."""
    listed = cpu_set(topology, *_CORE)
    if cpu in listed:
        return listed
    core = integer(read(topology / "core_id"))
    if core is None or core < 0:
        return cpu
    around = [read(topology / name) for name in ("physical_package_id", "die_id", "cluster_id")]
    return (*around, core)


def _package(cpu: int, topology: Path) -> Hashable:
    listed = cpu_set(topology, *_PACKAGE)
    if cpu in listed:
        return listed
    return max(0, integer(read(topology / "physical_package_id")) or 0)  # -1 means unknown


def _counted(groups: Mapping[int, Hashable]) -> dict[int, int]:
    """Map each CPU to the number of its group. The group of the first CPU has the number 0.

    ``groups`` maps each CPU to a value that identifies its group.
    """
    numbers: dict[Hashable, int] = {}
    return {cpu: numbers.setdefault(group, len(numbers)) for cpu, group in groups.items()}


def _positive(path: Path) -> int | None:
    number = integer(read(path))
    return number if number is not None and number > 0 else None


def _named(devices: Path) -> dict[int, int]:
    """Map each CPU of Intel's hybrid processors to its kind of core (0: fastest); else empty.

    sysfs lists the performance counters of each kind of core separately.
    """
    names = ("cpu_core", "cpu_atom", "cpu_lowpower")
    found = [cpus for name in names if (cpus := cpu_list(read(devices / name / "cpus")))]
    return {cpu: kind for kind, cpus in enumerate(found) for cpu in cpus}


def _kinds(speeds: Mapping[int, int | None]) -> dict[int, int]:
    """Map each CPU to its kind of core (0: fastest); empty if the speed of a CPU is unknown."""
    known = {cpu: speed for cpu, speed in speeds.items() if speed is not None}
    if len(known) < len(speeds):
        return {}
    kinds: dict[int, int] = {}
    kind, top = -1, 0
    for cpu, speed in sorted(known.items(), key=lambda one: -one[1]):
        if kind < 0 or speed < SLOWER * top:
            kind, top = kind + 1, speed
        kinds[cpu] = kind
    return kinds
