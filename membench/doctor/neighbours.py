"""Checks for load from other processes and from other virtual machines."""

from __future__ import annotations

from membench.core.terms import FLAGS
from membench.core.text import counted
from membench.doctor.facts import Facts
from membench.doctor.finding import UNKNOWN, Finding, fine, warn
from membench.machine.cpu_time import MOST_STEAL, busy_bound

BUSY_PROCESS = 0.2
"""Smallest load to report, in CPUs, summed over all processes of one name."""

_NAMED = 3


def load(facts: Facts) -> Finding:
    """Warn if the load average of the last minute is high."""
    averages, cpus = facts.machine.load, len(facts.machine.cpu.cores)
    if not averages or not cpus:
        return fine("load", UNKNOWN)
    seen = f"{averages[0]:.2f} on {counted(cpus, 'CPU')}, over the last minute"
    if averages[0] < busy_bound(cpus):
        return fine("load", seen)
    return warn("load", seen, "wait until the load has fallen; uptime shows the load")


def steal(facts: Facts) -> Finding:
    """Warn if steal time (CPU time that the hypervisor gave to other virtual machines) is high."""
    share = facts.noise.steal
    if share is None:
        return fine("steal", UNKNOWN)
    seen = f"{share:.0%} of the CPU time"
    if share < MOST_STEAL:
        return fine("steal", seen)
    return warn(
        "steal",
        f"other virtual machines take {seen}",
        "use a dedicated instance, or measure more rounds: --rounds 10",
    )


def busy(facts: Facts) -> Finding:
    """Warn if other processes are busy, because all processes share caches and memory bandwidth."""
    used: dict[str, float] = {}
    for process in facts.noise.busy:
        used[process.command] = used.get(process.command, 0.0) + process.cpus
    worth = sorted(
        ((name, cpus) for name, cpus in used.items() if cpus >= BUSY_PROCESS),
        key=lambda pair: -pair[1],
    )
    if worth:
        names = ", ".join(f"{name} {cpus:.1f}" for name, cpus in worth[:_NAMED])
        more = f" and {len(worth) - _NAMED} more" if len(worth) > _NAMED else ""
        return warn("busy", f"CPUs used by: {names}{more}", FLAGS["noisy"].remedy)
    cpus = facts.noise.busy_cpus
    if cpus is None:
        return fine("busy", UNKNOWN)
    if cpus >= busy_bound(len(facts.machine.cpu.cores)):
        return warn(
            "busy",
            f"processes that are not visible from here use {cpus:.1f} CPUs",
            "run top outside the container to find these processes",
        )
    return fine("busy", f"{cpus:.1f} CPUs in use")


CHECKS = (load, steal, busy)
