"""Check whether the processor's caches behave as reported."""

from __future__ import annotations

from membench.core.sizes.reach import contradiction, flat_from, of_the_chase, reachable
from membench.core.sizes.working_set import host_array
from membench.core.units import about_size
from membench.doctor.facts import Facts
from membench.doctor.finding import UNKNOWN, Finding, fine, warn


def caches(facts: Facts) -> Finding:
    """Arrays for main memory are sized by the caches, so a wrong report would make them too small.

    A pointer chase over growing rings is compared with the report. A contradiction is reported here
    and by the flag `cache-unknown`.
    """
    machine = facts.machine
    reported, stairs = of_the_chase(machine), machine.cpu.staircase
    told = about_size(reported) if reported else UNKNOWN
    if not stairs:
        return fine("caches", f"last level: {told}; not confirmed by a chase")
    wrong = contradiction(machine)
    if wrong:
        array = host_array(machine, reachable(machine, machine.cpu.affinity), lambda _: 0)
        return warn(
            "caches",
            wrong,
            f"size=auto takes {about_size(array)} an array; beyond any cache: "
            "membench run --set 'ddr/*:size=4GiB'",
        )
    return fine(
        "caches",
        f"last level: {told}; a pointer chase has memory's latency from "
        f"{about_size(flat_from(stairs))} on",
    )


CHECKS = (caches,)
