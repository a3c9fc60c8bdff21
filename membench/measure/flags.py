"""The flags that need a threshold or the machine to be seen; what a worker saw, a unit carries.

`single-round` is raised where rows are made, because it needs nothing else; whether a cache
can serve a case is known when it is planned.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from membench.core.snapshot import Machine
from membench.core.terms import FLAGS, NOISE_THRESHOLD, Better, CacheState, PeakBasis, Status
from membench.measure.clocks import clock_fell
from membench.results.case_result import CaseResult
from membench.results.plan import Plan
from membench.results.rows import rows
from membench.results.schema import Row
from membench.results.staircase import settled

COLD_SHARE = 0.01
"""Share of a file that may be in the page cache while it is still called cold."""

HUGE_SHARE = 0.9
"""Share of the memory of a case with transparent huge pages that must lie on huge pages."""

LOWEST_CLOCK = "sm_mhz_low"
"""Key in a unit's `detail`: the lowest SM clock that any of its samples saw, in MHz."""

PEAK_TOLERANCE = 0.01
"""By how much a number may pass a peak that was specified or queried.

Clocks are reported in whole MHz and drift by some 1e-4; a timer's step is at most a
twentieth of one sample, and far less of the median of many.
"""


def results(plan: Plan, units: Iterable[CaseResult], machine: Machine) -> list[Row]:
    """The rows of what was measured so far, flagged, and the tiers of chases decided."""
    units = list(units)
    clocks: dict[str, list[float]] = {}
    for unit in units:
        clocks.setdefault(unit.case, []).extend(_clocks(unit))
    return settled(
        [flagged(row, machine, clocks.get(row.case, ())) for row in rows(plan, units, partial=True)]
    )


def _clocks(unit: CaseResult) -> list[float]:
    """The SM clocks that ``unit`` measured: its usual one, and the lowest of a sample."""
    lowest = unit.detail.get(LOWEST_CLOCK)
    found = [unit.sm_mhz, lowest if isinstance(lowest, int | float) else None]
    return [clock for clock in found if clock is not None and clock > 0]


def flagged(row: Row, machine: Machine, clocks: Sequence[float] = ()) -> Row:
    """``row`` with the flags that it deserves; only `ok` rows carry any.

    Args:
        clocks: the SM clocks that its rounds measured, in MHz.
    """
    if row.status is not Status.OK:
        return row
    raised = {
        "noisy": row.spread is not None and row.spread > NOISE_THRESHOLD[row.tier],
        "throttled": clock_fell(clocks, _highest_clock(row, machine)),
        "above-peak": beyond_peak(row.value, row.peak, row.peak_basis, row.better),
        "not-converged": row.stop_reason == "wall-cap" or row.converged is False,
        "few-huge-pages": _lacks_huge_pages(row),
        "page-cache": _was_in_page_cache(row) or "dirtied" in row.detail,
        "sync-submit": "blocked" in row.detail.get("submission", "").split(","),
        "vm": bool(machine.cpu.hypervisor),
    }
    codes = {*row.flags, *(code for code, seen in raised.items() if seen)}
    return replace(row, flags=tuple(code for code in FLAGS if code in codes))


def _highest_clock(row: Row, machine: Machine) -> float:
    """Of the device that the row names; 0 where it is not known."""
    return max((gpu.sm_mhz for gpu in machine.gpus.devices if gpu.name == row.device), default=0)


def beyond_peak(
    value: float | None, peak: float | None, basis: PeakBasis | None, better: Better
) -> bool:
    """Beyond what the hardware can do; a peak that was itself measured may be passed."""
    if peak is None or value is None or basis is PeakBasis.MEASURED:
        return False
    if better is Better.HIGHER:
        return value > peak * (1 + PEAK_TOLERANCE)
    return value < peak / (1 + PEAK_TOLERANCE)


def _lacks_huge_pages(row: Row) -> bool:
    """A case with transparent huge pages that had too few of them in some round."""
    if "huge" not in row.detail or not {"pages=4k", "pages=populate"}.isdisjoint(
        row.case.split("/")
    ):
        return False
    return any(share < HUGE_SHARE for share in _shares(row.detail["huge"]))


def _shares(text: str) -> list[float]:
    """The percentages in a `detail`, as fractions: one text a round where rounds differ."""
    return [float(share.rstrip("%")) / 100 for share in text.split(",")]


def _was_in_page_cache(row: Row) -> bool:
    """A cold case of which more than `COLD_SHARE` of the file was resident in some round."""
    if row.cache_state is not CacheState.COLD or "resident" not in row.detail:
        return False
    return any(share > COLD_SHARE for share in _shares(row.detail["resident"]))
