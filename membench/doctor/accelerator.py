"""Checks of the GPUs."""

from __future__ import annotations

from membench.doctor.facts import Facts
from membench.doctor.finding import Finding, fail, fine


def gpu(facts: Facts) -> Finding:
    """A GPU that is there but cannot be used is the worst surprise."""
    gpus = facts.machine.gpus
    if gpus.problem:
        return fail("gpu", gpus.problem, gpus.remedy)
    if not gpus.present:
        return fine("gpu", f"none visible, driver {gpus.driver}" if gpus.driver else "none")
    return fine("gpu", ", ".join(f"{one.index}: {one.name}" for one in gpus.devices))


CHECKS = (gpu,)
