"""Find settings and conditions of the machine that would distort measurements.

Each module lists its checks in ``CHECKS``. A check returns exactly one finding, even for several
devices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from membench.doctor import accelerator, caches, memory, neighbours, processor, software, storage
from membench.doctor.facts import Facts, gather
from membench.doctor.finding import Finding, Severity

__all__ = [
    "CHECKS",
    "GPU_CHECKS",
    "SCHEMA",
    "Check",
    "Facts",
    "Finding",
    "Severity",
    "examine",
    "gather",
    "worst",
]

SCHEMA = "membench.doctor/1"
"""Schema name in the output of `membench doctor --json`."""

Check = Callable[[Facts], Finding]

CHECKS: tuple[Check, ...] = (
    *accelerator.CHECKS,
    *processor.CHECKS,
    *caches.CHECKS,
    *memory.CHECKS,
    *storage.CHECKS,
    *neighbours.CHECKS,
    *software.CHECKS,
)

GPU_CHECKS: tuple[Check, ...] = accelerator.GPU_CHECKS
"""Checks that run only if the machine has a GPU."""

_ORDER = (Severity.FAIL, Severity.WARN, Severity.OK)


def examine(facts: Facts) -> list[Finding]:
    """Run all checks; the most severe findings come first."""
    checks = CHECKS + (GPU_CHECKS if facts.machine.gpus.present else ())
    return sorted((check(facts) for check in checks), key=lambda one: _ORDER.index(one.level))


def worst(findings: Iterable[Finding]) -> Severity:
    """The highest severity among ``findings``; `Severity.OK` without findings."""
    levels = {finding.level for finding in findings}
    return next((level for level in _ORDER if level in levels), Severity.OK)
