"""Which CPUs the threads are pinned to, and in which order."""

from __future__ import annotations

from membench.core.snapshot import Machine


def placement(machine: Machine) -> tuple[int, ...]:
    """The usable CPUs, in the order in which threads are pinned to them.

    The first hardware threads of all cores come before the second ones; among these, faster kinds
    of core come first, then lower memory nodes. The list has no more CPUs than the control group's
    quota allows.
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
