"""Compute the rows of a results file from the results of the rounds."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from membench.core.errors import SchemaError
from membench.core.terms import BETTER, UNIT, Metric, Stat, Status
from membench.core.text import ascii_line
from membench.results.case_result import CaseResult, Reading
from membench.results.cells import is_number, is_positive, sample_text
from membench.results.merge import merge_detail, merge_facts, merge_flags
from membench.results.plan import Plan, PlannedCase
from membench.results.schema import Row, normal

_MAD_TO_SIGMA = 1.4826  # 1 / the 0.75 quantile of the standard normal distribution


def rows(plan: Plan, units: Iterable[CaseResult], *, partial: bool = False) -> list[Row]:
    """Compute one row per planned case, metric and statistic, in the order of ``plan``.

    - A case that failed in any round, or has an impossible number, is `failed`.
    - Otherwise, a case that was skipped by the plan or in any round is `skipped`.
    - Otherwise, a row with a value is `ok`, even if it has fewer rounds than planned. A row without
      a value is `failed`.

    The numbers are rounded as in a results file.

    Args:
        units: the results from the journal. If a case has several results in a round, the last
            result counts.
        partial: whether to leave out cases that the run did not reach.

    Raises:
        SchemaError: a result belongs to no planned case, or a planned case has no result. A case
            may lack a result if the plan skips the case, or with ``partial``.
    """
    rounds: dict[str, dict[int, CaseResult]] = {case.id: {} for case in plan.cases}
    for unit in units:
        if unit.case not in rounds:
            raise SchemaError(f"there is a result of '{unit.case}', but the plan has no such case")
        rounds[unit.case][unit.round] = unit
    result: list[Row] = []
    for case in plan.cases:
        found = [unit for _, unit in sorted(rounds[case.id].items())]
        if found or case.skipped:
            result.extend(_case_rows(plan, case, found))
        elif not partial:
            raise SchemaError(f"there is no result of '{case.id}'")
    return result


def relative_spread(values: Sequence[float]) -> float | None:
    """1.4826 * MAD / median, a fraction; None for fewer than two ``values``.

    MAD is the median absolute deviation. All values must be above 0.
    """
    if len(values) < 2:
        return None
    middle = statistics.median(values)
    return _MAD_TO_SIGMA * statistics.median(abs(value - middle) for value in values) / middle


def _case_rows(plan: Plan, case: PlannedCase, units: Sequence[CaseResult]) -> list[Row]:
    status, reason = _outcome(case, units)
    good = [unit for unit in units if unit.status is Status.OK and not _fault(unit)]
    size = case.params.get("size")
    array = {"array": str(size)} if "size=auto" in case.id.split("/") and size else {}
    facts = merge_facts(good or units)
    common: dict[str, Any] = {
        **facts,
        "run_id": plan.run_id,
        "machine": plan.machine,
        "tier": case.tier,
        "case": case.id,
        "case_version": case.version,
        "backend": facts["backend"] or case.device_backend,
        "membench": plan.software,
        "detail": {**merge_detail(good or units), **(array if good else {})},
        "started": min((unit.started for unit in units), default=plan.started),
    }
    read = ((reading.metric, reading.stat) for unit in units for reading in unit.readings)
    return [
        _row(common, metric, stat, (status, reason), units, case.flags)
        for metric, stat in dict.fromkeys(chain(case.yields, read))
    ]


def _row(
    common: dict[str, Any],
    metric: Metric,
    stat: Stat,
    outcome: tuple[Status, str],
    units: Sequence[CaseResult],
    planned: Sequence[str],
) -> Row:
    """The row of one metric and statistic; ``planned`` are the flags of the case in the plan."""
    status, reason = outcome
    found = [(unit, one) for unit in units for one in unit.readings if one.metric is metric]
    found = [(unit, one) for unit, one in found if one.stat is stat]
    values = tuple(
        one.value for unit, one in found if unit.status is Status.OK and not _fault(unit)
    )
    if status is Status.OK and not values:
        status, reason = Status.FAILED, f"no {metric} {stat} was measured"
    ok = status is Status.OK
    samples = tuple(_kept(one) for _, one in found)
    if not ok:
        samples = tuple(filter(None, samples))
    every = list(chain.from_iterable(samples))
    more = (*planned, *(("single-round",) if len(values) == 1 else ())) if ok else ()
    quantiles = {"samples": "quantiles"} if any(one.quantiles for _, one in found) else {}
    row = Row(
        **{**common, "detail": {**common["detail"], **quantiles}},
        metric=metric,
        stat=stat,
        status=status,
        value=statistics.median(values) if ok else None,
        unit=UNIT[metric],
        better=BETTER[metric],
        rounds=len(values),
        n=sum(one.n for _, one in found),
        round_values=values,
        spread=relative_spread(values) if ok else None,
        min=min(every, default=None),
        max=max(every, default=None),
        samples=samples,
        flags=merge_flags(units, *more),
        reason=reason,
    )
    return normal(row)


def _outcome(case: PlannedCase, units: Sequence[CaseResult]) -> tuple[Status, str]:
    if case.skipped:
        return Status.SKIPPED, case.skipped
    for unit in units:
        if fault := _fault(unit):
            return Status.FAILED, f"round {unit.round}: {fault}"
    skips = [unit for unit in units if unit.status is Status.SKIPPED]
    if not skips:
        return Status.OK, ""
    why = _reason(skips[0])
    return Status.SKIPPED, why if len(skips) == len(units) else f"round {skips[0].round}: {why}"


def _fault(unit: CaseResult) -> str:
    """Why ``unit`` failed, or the first impossible number in ``unit``; empty if neither occurs."""
    if unit.status is Status.FAILED:
        return _reason(unit)
    for one in unit.readings:
        if not is_positive(one.value):
            return f"{one.metric} {one.stat} is {one.value}, not a finite number above 0"
        for sample in one.samples:
            if not is_number(sample):
                return f"a sample of {one.metric} {one.stat} is {sample}"
    return ""


def _reason(unit: CaseResult) -> str:
    return ascii_line(unit.reason) or "no reason was given"


def _kept(reading: Reading) -> tuple[float, ...]:
    """The valid samples, rounded as in a file, so that `min` and `max` match the file."""
    return tuple(float(sample_text(one)) for one in reading.samples if is_number(one))
