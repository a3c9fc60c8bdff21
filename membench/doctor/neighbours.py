"""Checks for load from other processes and other guests."""

from __future__ import annotations

from membench.core.terms import FLAGS
from membench.core.text import counted
from membench.doctor.facts import Facts
from membench.doctor.finding import UNKNOWN, Finding, fine, warn
from membench.machine.cpu_time import MOST_STEAL, busy_bound

BUSY_PROCESS = 0.2
"""Processes of one name are reported if together they use at least this number of CPUs."""

_NAMED = 3


def load(facts: Facts) -> Finding:
    """The load average counts all processes of the last minute, including membench."""
    averages, cpus = facts.machine.load, len(facts.machine.cpu.cores)
    if not averages or not cpus:
        return fine("load", UNKNOWN)
    seen = f"{averages[0]:.2f} on {counted(cpus, 'CPU')}, over the last minute"
    if averages[0] < busy_bound(cpus):
        return fine("load", seen)
    return warn("load", seen, "wait until it has fallen; uptime shows it")


def steal(facts: Facts) -> Finding:
    """Check for steal time: time that the hypervisor gave to other guests, which slows this one."""
    share = facts.noise.steal
    if share is None:
        return fine("steal", UNKNOWN)
    seen = f"{share:.0%} of the CPU time"
    if share < MOST_STEAL:
        return fine("steal", seen)
    return warn(
        "steal", f"{seen} is taken by other guests", "use a dedicated instance, or --rounds 10"
    )


def busy(facts: Facts) -> Finding:
    """Other processes share the caches and the memory bandwidth."""
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
            f"{cpus:.1f} CPUs are used by processes that are not visible here",
            "run top outside the container",
        )
    return fine("busy", f"{cpus:.1f} CPUs in use")


CHECKS = (load, steal, busy)
