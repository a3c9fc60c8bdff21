"""The order in which membench pins threads to CPUs."""

from __future__ import annotations

from membench.core.snapshot import Machine


def placement(machine: Machine) -> tuple[int, ...]:
    """The usable CPUs, in the order in which membench pins threads to CPUs.

    The first hardware threads of all cores come before the second ones. Within each of these
    groups, faster kinds of core come first. Equally fast CPUs are sorted by the number of their
    memory node. The CPU quota of the control group limits the number of CPUs, but at least one
    remains.
    """
    allowed = set(machine.cpu.affinity)
    siblings: dict[tuple[int, int], int] = {}
    ranked: list[tuple[int, int, int, int, int]] = []
    for core in sorted(machine.cpu.cores, key=lambda core: core.cpu):
        if core.cpu in allowed:
            rank = siblings.get((core.package, core.core), 0)
            siblings[core.package, core.core] = rank + 1
            ranked.append((rank, core.kind, core.node, core.package, core.cpu))
    cpus = [entry[-1] for entry in sorted(ranked)]
    cpus += sorted(allowed - set(cpus))  # CPUs that sysfs does not describe
    return tuple(cpus[: max(1, machine.cpu.usable)])
