"""Sets the flags that need a threshold or facts about the machine."""

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
"""A cold file has at most this share (0 to 1) in the page cache."""

HUGE_SHARE = 0.9
"""Minimum share (0 to 1) of a case's memory on huge pages, if the case requests huge pages."""

LOWEST_CLOCK = "sm_mhz_low"
"""Name in `detail` of the lowest SM clock of all samples, in MHz."""

PEAK_TOLERANCE = 0.01
"""Relative tolerance by which a result may exceed a specified or queried peak.

Clocks are reported in whole MHz and drift by about 1e-4.
"""


def results(plan: Plan, units: Iterable[CaseResult], machine: Machine) -> list[Row]:
    """The rows of all case results so far, with their flags.

    The measured latencies determine the tier of each pointer chase.
    """
    units = list(units)
    clocks: dict[str, list[float]] = {}
    for unit in units:
        clocks.setdefault(unit.case, []).extend(_clocks(unit))
    return settled(
        [flagged(row, machine, clocks.get(row.case, ())) for row in rows(plan, units, partial=True)]
    )


def _clocks(unit: CaseResult) -> list[float]:
    """The median and the lowest SM clock of ``unit`` in MHz; an unknown clock is left out."""
    lowest = unit.detail.get(LOWEST_CLOCK)
    found = [unit.sm_mhz, lowest if isinstance(lowest, int | float) else None]
    return [clock for clock in found if clock is not None and clock > 0]


def flagged(row: Row, machine: Machine, clocks: Sequence[float] = ()) -> Row:
    """``row`` with its flags. Only rows with the status `ok` get flags.

    Args:
        clocks: SM clocks in MHz from the rounds of the row.
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
    """Maximum clock in MHz of the row's device; 0 if unknown."""
    return max((gpu.sm_mhz for gpu in machine.gpus.devices if gpu.name == row.device), default=0)


def beyond_peak(
    value: float | None, peak: float | None, basis: PeakBasis | None, better: Better
) -> bool:
    """Whether ``value`` is better than ``peak`` by more than `PEAK_TOLERANCE`.

    The result is False if the peak was measured, or if ``value`` or ``peak`` is None.
    """
    if peak is None or value is None or basis is PeakBasis.MEASURED:
        return False
    if better is Better.HIGHER:
        return value > peak * (1 + PEAK_TOLERANCE)
    return value < peak / (1 + PEAK_TOLERANCE)


def _lacks_huge_pages(row: Row) -> bool:
    if "huge" not in row.detail or not {"pages=4k", "pages=populate"}.isdisjoint(
        row.case.split("/")
    ):
        return False
    return any(share < HUGE_SHARE for share in _shares(row.detail["huge"]))


def _shares(text: str) -> list[float]:
    """The percentages in ``text`` as fractions. ``text`` has several if the rounds differ."""
    return [float(share.rstrip("%")) / 100 for share in text.split(",")]


def _was_in_page_cache(row: Row) -> bool:
    if row.cache_state is not CacheState.COLD or "resident" not in row.detail:
        return False
    return any(share > COLD_SHARE for share in _shares(row.detail["resident"]))
