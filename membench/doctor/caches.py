"""Check whether the caches of the processor have the reported sizes."""

from __future__ import annotations

from membench.core.sizes.reach import contradiction, flat_from, of_the_chase, reachable
from membench.core.sizes.working_set import host_array
from membench.core.units import GIB, about_size, format_size
from membench.doctor.facts import Facts
from membench.doctor.finding import UNKNOWN, Finding, fine, warn


def caches(facts: Facts) -> Finding:
    """Warn if a pointer chase contradicts the cache sizes that the processor reports.

    In a run, such a contradiction sets the flag `cache-unknown`.
    """
    machine = facts.machine
    reported, stairs = of_the_chase(machine), machine.cpu.staircase
    told = about_size(reported) if reported else UNKNOWN
    if not stairs:
        return fine("caches", f"last level: {told}; not checked by a pointer chase")
    wrong = contradiction(machine)
    if wrong:
        array = host_array(machine, reachable(machine, machine.cpu.affinity), lambda _: 0)
        return warn(
            "caches",
            wrong,
            f"size=auto means {about_size(array)} per array; to use larger arrays: membench run "
            f"--set 'ddr/*:size={format_size(max(4 * GIB, 2 * array))}'",
        )
    return fine(
        "caches",
        f"last level: {told}; a pointer chase reaches memory latency at "
        f"{about_size(flat_from(stairs))}",
    )


CHECKS = (caches,)
