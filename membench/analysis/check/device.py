"""Judge one quantity of one device from its best comparable row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from membench.analysis.check.expectation import Expectation
from membench.analysis.check.lines import DeviceLine, ReferenceRange
from membench.analysis.check.rule import (
    CheckVerdict,
    TierJudgement,
    is_above,
    judge,
    share_of,
    without_range,
)
from membench.analysis.likeness import Likeness
from membench.analysis.quality import NOISY
from membench.core.case_id import split_case
from membench.core.messages import clauses, listed, tr
from membench.core.terms import INVALID_FLAGS, OFF_TIER_FLAGS, Better, PeakBasis, Status
from membench.results.schema import Row

_ELSEWHERE = OFF_TIER_FLAGS - INVALID_FLAGS
"""Flags of values that are possible, but not of the row's tier."""

Match = tuple[Expectation, Likeness]


def judge_device(rows: Sequence[Row], figures: Sequence[Expectation]) -> DeviceLine:
    ok = [row for row in rows if row.status is Status.OK and row.value is not None]
    usable = [row for row in ok if _ELSEWHERE.isdisjoint(row.flags)]
    if not usable:
        return _absent(rows, ok)
    impossible = [row for row in usable if _is_impossible(row)]
    if impossible:
        why = tr("the value is above the peak of the hardware")
        judgement = TierJudgement(CheckVerdict.FAULT, None, why, tr("above the peak"))
        return _line(_best(impossible), judgement)
    for several in _by_weight(figures):
        if row := _best_alike(usable, several):
            return _against(row, _matches(row, several))
    return _unlike(usable, figures)


def _by_weight(figures: Sequence[Expectation]) -> tuple[list[Expectation], ...]:
    """Split ``figures`` into three lists: required values, data-sheet values, and all others."""
    bound = [one for one in figures if one.binding]
    sheets = [one for one in figures if not one.binding and one.kind == "datasheet"]
    others = [one for one in figures if not one.binding and one.kind != "datasheet"]
    return bound, sheets, others


def _absent(rows: Sequence[Row], ok: Sequence[Row]) -> DeviceLine:
    """Make the result for a quantity without a usable row; ``ok`` are the ``rows`` with a value."""
    failed = next((row for row in rows if row.status is Status.FAILED), None)
    if ok:
        flags = listed(sorted({flag for row in ok for flag in row.flags} & _ELSEWHERE))
        why = tr("no row measured only this tier (flags: {flags})", flags=flags)
        return DeviceLine(
            CheckVerdict.NOT_JUDGED, case=ok[0].case, why=why, brief=tr("not only this tier")
        )
    if failed is not None:
        why = tr("the case failed: {reason}", reason=failed.reason)
        return DeviceLine(CheckVerdict.FAIL, case=failed.case, why=why)
    skipped = next(iter(rows), None)
    why = tr("not measured") if skipped is None else tr("skipped: {reason}", reason=skipped.reason)
    case = "" if skipped is None else skipped.case
    brief = tr("not measured") if skipped is None else ""
    return DeviceLine(CheckVerdict.NOT_JUDGED, case=case, why=why, brief=brief)


def _is_impossible(row: Row) -> bool:
    return not INVALID_FLAGS.isdisjoint(row.flags) or is_above(_value(row), _peak(row), row.better)


def _matches(row: Row, figures: Sequence[Expectation]) -> list[Match]:
    pairs = ((one, one.likeness(row)) for one in figures)
    return [(one, found) for one, found in pairs if found is not None and found.alike]


def _best_alike(rows: Sequence[Row], figures: Sequence[Expectation]) -> Row | None:
    alike = [row for row in rows if _matches(row, figures)]
    return _best(alike) if alike else None


def _against(row: Row, matches: Sequence[Match]) -> DeviceLine:
    best = any(figure.best for figure, _ in matches)
    value = _best_sample(row) if best else _value(row)
    matches = [(_restored(value, figure), found) for figure, found in matches]
    figures = [figure for figure, _ in matches]
    expected = _expected(matches)
    first = figures[0]
    if first.binding or _is_at_its_depth(row, first):
        judgement = judge(
            value,
            expected.low,
            expected.high,
            tier=row.tier,
            metric=row.metric,
            better=row.better,
            noisy=row.round_values if NOISY in row.flags else (),
        )
        worsened = next((one.worsened for one in figures if one.worsened), "")
        if judgement.verdict is CheckVerdict.GOOD and worsened:
            brief = tr("worse than before")
            judgement = replace(judgement, verdict=CheckVerdict.LOOK, why=worsened, brief=brief)
    else:
        share = share_of(value, expected.low, expected.high, row.better)
        judgement = _not_binding(row, first, share)
    return _line(row, judgement, expected, value=value, best=best)


def _restored(value: float, figure: Expectation) -> Expectation:
    """``figure``, or the figure before the level became worse if ``value`` is as good as that."""
    before = figure.earlier
    if before is None or share_of(value, before.low, before.high, figure.better) < 1:
        return figure
    return before


def _is_at_its_depth(row: Row, figure: Expectation) -> bool:
    """Whether ``figure`` is a confirmed value of a data sheet for the queue depth of the row."""
    here = split_case(row.case)[1].get("qd", "")
    return figure.kind == "datasheet" and figure.trust != "c" and figure.depth == here != ""


def _not_binding(row: Row, figure: Expectation, share: float) -> TierJudgement:
    here = split_case(row.case)[1].get("qd", "")
    match figure.kind:
        case "datasheet" if figure.depth not in ("", here):
            why = tr(
                "queue depth {qd} was measured, but the data sheet is for queue depth {depth}",
                depth=figure.depth,
                qd=here,
            )
            brief = tr("other queue depth")
        case "datasheet" if not figure.depth:
            why = tr("the data sheet gives no queue depth: only the ratio is shown")
            brief = tr("data sheet")
        case "derived":
            why = tr(
                "the published value is a lower bound, computed from the speed of an application: "
                "only the ratio is shown"
            )
            brief = tr("lower bound")
        case "threshold":
            why, brief = (
                tr(
                    "the published value is the minimum of an acceptance test: only the ratio is "
                    "shown"
                ),
                tr("acceptance limit"),
            )
        case _:
            why = tr("the published value is not confirmed: only the ratio is shown")
            brief = tr("doubtful figure")
    return TierJudgement(CheckVerdict.NOT_JUDGED, share, why, brief)


def _unlike(rows: Sequence[Row], figures: Sequence[Expectation]) -> DeviceLine:
    """Make the result `not judged`, because no expected value is comparable."""
    row = _best(rows)
    near = [(one, found) for one in figures if (found := one.likeness(row)) is not None]
    if not near:
        return _line(row, without_range(_value(row), _peak(row), row.better))
    nearest = min(near, key=lambda pair: (not pair[0].binding, len(pair[1].others)))
    differs = clauses(one.told for one in nearest[1].others)
    expected = _expected([nearest])
    share = share_of(_value(row), expected.low, expected.high, row.better)
    why = tr("the nearest expected value is for another case: {differs}", differs=differs)
    brief = tr("other size") if nearest[1].but_for_auto else ""
    judgement = TierJudgement(CheckVerdict.NOT_JUDGED, share, why, brief)
    return _line(row, judgement, expected)


def _expected(matches: Sequence[Match]) -> ReferenceRange:
    nearest, found = min(matches, key=lambda one: len(one[1].harmless) + len(one[1].others))
    return ReferenceRange(
        low=min(figure.low for figure, _ in matches),
        high=max(figure.high for figure, _ in matches),
        kind=nearest.kind,
        sources=tuple(dict.fromkeys(figure.source for figure, _ in matches if figure.source)),
        references=tuple(dict.fromkeys(figure.reference for figure, _ in matches)),
        case=nearest.case,
        differs=(*found.others, *found.harmless),
    )


def _line(
    row: Row,
    judgement: TierJudgement,
    expected: ReferenceRange | None = None,
    *,
    value: float | None = None,
    best: bool = False,
) -> DeviceLine:
    return DeviceLine(
        verdict=judgement.verdict,
        case=row.case,
        value=_value(row) if value is None else value,
        best=best,
        flags=row.flags,
        peak=_peak(row),
        expected=expected,
        share=judgement.share,
        why=judgement.why,
        brief=judgement.brief,
    )


def _best(rows: Sequence[Row]) -> Row:
    pick = max if rows[0].better is Better.HIGHER else min
    return pick(rows, key=_value)


def _value(row: Row) -> float:
    assert row.value is not None
    return row.value


def _best_sample(row: Row) -> float:
    """The best sample if the row has it, otherwise the best round."""
    higher = row.better is Better.HIGHER
    end = row.max if higher else row.min
    seen = [_value(row), *row.round_values, *([end] if end else [])]
    return max(seen) if higher else min(seen)


def _peak(row: Row) -> float | None:
    """The peak of the hardware; None if unknown, or if the row's peak was itself measured."""
    return None if row.peak_basis is PeakBasis.MEASURED else row.peak
