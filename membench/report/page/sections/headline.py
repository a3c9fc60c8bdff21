"""The first section, which shows the best results of each tier and the quality of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from membench.analysis.check.machine import MachineCheck
from membench.analysis.check.requirements import Requirements, failures
from membench.analysis.check.rule import CheckVerdict
from membench.analysis.ladder import Rung
from membench.analysis.quality import NOISY, Grade, Quality, quality
from membench.core.messages import clauses, listed, sentence, span, tr, tr_n
from membench.core.record import record
from membench.core.terms import Metric, PeakBasis, Stat, Status
from membench.core.units import common_scale, format_value
from membench.report.page.document import (
    Alert,
    Block,
    Code,
    Column,
    Inline,
    Line,
    Paragraph,
    Section,
    Strong,
    Table,
)
from membench.report.page.runs import Run
from membench.report.page.sections.words import (
    CHECK_VERDICTS,
    METRICS,
    TIERS,
    about,
    codes,
    origin,
    percent,
    rung_name,
)
from membench.report.plots import tiers as tier_plots
from membench.report.screens.judged import JudgedRung, best_text, checked, judged_ladder, share_text
from membench.results.schema import Row

_NO_BEST = tr(
    "A row cannot be the best value if a cache served the data, the footprint is between two "
    "tiers, the number is implausible, or the row was measured under load. Every row here has at "
    "least one of these defects."
)


_SHARE = tr(
    "The share is the measured value divided by the low end of the expected range. For a latency, "
    "the share is the high end of the range divided by the measured value."
)


def _of_peak(share: str, basis: PeakBasis | None) -> str:
    match basis:
        case PeakBasis.SPEC:
            return tr("{share} of the specified peak", share=share)
        case PeakBasis.QUERIED:
            return tr("{share} of the peak that the device reports", share=share)
        case PeakBasis.MEASURED:
            return tr("{share} of the measured peak", share=share)
        case _:
            return tr("{share} of the peak", share=share)


@record
class JudgedRun:
    """A run with the best results of each tier, compared with references.

    ``check`` is None if no reference describes the hardware, or if all rows are published values.
    """

    run: Run
    check: MachineCheck | None
    rungs: tuple[JudgedRung, ...]


def judge(runs: Sequence[Run]) -> tuple[JudgedRun, ...]:
    made = []
    for run in runs:
        check = checked(run.rows, run.machine, run.sidecar)
        made.append(JudgedRun(run, check, judged_ladder(run.rows, check)))
    return tuple(made)


def section(judged: Sequence[JudgedRun]) -> Section:
    several = len(judged) > 1
    blocks: list[Block] = [
        alert for one in judged if (alert := _not_right(one, named=several)) is not None
    ]
    behind: tuple[Section, ...] = ()
    if any(one.rungs for one in judged):
        ladders = {one.run.label: one.rungs for one in judged}
        blocks += [*tier_plots.draw(ladders), _table(ladders)]
        if any(share_text(one) for found in ladders.values() for one in found):
            blocks.append(Paragraph((_SHARE,)))
        behind = (_behind(ladders),)
    else:
        blocks.append(_nothing([one.run for one in judged]))
    for one in judged:
        held = _held(one)
        blocks.append(Paragraph((*_quality(one.run, named=several), *held)))
    return Section("headline", tr("Headline"), tuple(blocks), behind)


def _nothing(runs: Sequence[Run]) -> Paragraph:
    if any(row.status is Status.OK for run in runs for row in run.rows):
        nothing, why = Strong(tr("No row can be the best value.")), _NO_BEST
    else:
        nothing, why = Strong(tr("Nothing was measured.")), tr("No row has a value.")
    return Paragraph((tr("{before} {item}", before=nothing, item=why),))


_COLUMNS: Mapping[str, tuple[Metric, ...]] = {
    tr("bandwidth"): (Metric.BANDWIDTH,),
    tr("latency"): (Metric.LATENCY,),
    tr("IOPS or FLOP/s"): (Metric.IOPS, Metric.FLOPS),
}


def _table(ladders: Mapping[str, Sequence[JudgedRung]]) -> Table:
    """One row per run and tier; columns without any value are left out."""
    several = len(ladders) > 1
    judged = any(one.lines for found in ladders.values() for one in found)
    present = {metric for found in ladders.values() for one in found for metric in one.rung.best}
    shown = {title: metrics for title, metrics in _COLUMNS.items() if present & {*metrics}}
    rows: list[tuple[Line, ...]] = []
    for run, found in ladders.items():
        for one in found:
            label: tuple[Line, ...] = ((run,),) if several else ()
            cells = (_value(one.rung, metrics) for metrics in shown.values())
            verdict = _verdict(one) if judged else ()
            rows.append((*label, (rung_name(one.rung),), *cells, *verdict))
    columns = (
        *((Column(tr("machine")),) if several else ()),
        Column(tr("tier")),
        *(Column(title, numeric=True) for title in shown),
        *(_JUDGED if judged else ()),
    )
    return Table(tr("The best value of every tier"), columns, tuple(rows))


_JUDGED = (
    Column(tr("judged line")),
    Column(tr("expected"), numeric=True),
    Column(tr("share"), numeric=True),
    Column(tr("verdict"), prose=True),
)


def _verdict(judged: JudgedRung) -> tuple[Line, ...]:
    """Four cells: judged quantity, expected range, result of `share_text`, and verdict."""
    line = judged.line
    if line is None:
        return ((), (), (), (tr("no reference"),))
    worst = line.worst
    expected: Line = ()
    if worst.expected is not None:
        scale = common_scale(line.metric, (worst.expected.low, worst.expected.high))
        low, high = (scale.format(end, 3) for end in (worst.expected.low, worst.expected.high))
        ends = low if low == high else span(low, high)
        expected = (tr("{number} {unit}", number=ends, unit=scale.unit),)
    word = CHECK_VERDICTS[line.verdict]
    told: Line = (word,) if line.verdict is CheckVerdict.NOT_JUDGED else (Strong(word),)
    if worst.brief:
        told = (tr("{run}: {told}", run=told[0], told=worst.brief),)
    return ((line.name,), expected, (share_text(judged),), told)


def _value(rung: Rung, metrics: Sequence[Metric]) -> Line:
    rows = [rung.best[metric] for metric in metrics if metric in rung.best]
    return (best_text(rows[0]),) if rows else ()


def _not_right(one: JudgedRun, *, named: bool) -> Alert | None:
    wrong = failures(one.check, Requirements()) if one.check is not None else ()
    if not wrong:
        return None
    title = tr("The check failed")
    if named:
        title = tr("{run}: {told}", run=one.run.label, told=title)
    return Alert(title, (sentence(clauses(wrong)),))


def _held(one: JudgedRun) -> Line:
    check = one.check
    if check is None:
        return ()
    judged = len(check.judged)
    text = tr(
        "The check compares this run with {references}, and could judge {judged} of {lines} "
        "values. The table shows the worst value of each tier.",
        references=listed(check.references),
        judged=judged,
        lines=len(check.lines),
    )
    return (" ", text)


def _behind(ladders: Mapping[str, Sequence[JudgedRung]]) -> Section:
    several = len(ladders) > 1
    rows: list[tuple[Line, ...]] = []
    for run, found in ladders.items():
        for one in found:
            for row in one.rung.best.values():
                label: tuple[Line, ...] = ((run,),) if several else ()
                value = format_value(row.metric, row.value or 0.0)
                cells: tuple[Line, ...] = (
                    (_title(row, peer=one.rung.peer),),
                    (value,),
                    (Code(row.case), " ", about(row)),
                    (listed(_facts(row)),),
                    codes(row.flags),
                )
                rows.append((*label, *cells))
    columns = (
        *((Column(tr("machine")),) if several else ()),
        Column(tr("tier and metric")),
        Column(tr("best"), numeric=True),
        Column(tr("case"), prose=True),
        Column(tr("data"), prose=True),
        Column(tr("flags")),
    )
    table = Table(tr("Best of every tier and metric"), columns, tuple(rows))
    title = tr("Cases, rounds and flags of these values")
    return Section("headline-cases", title, (table,), folded=True)


def _title(row: Row, *, peer: bool) -> str:
    tier = tr("Link between GPUs") if peer else TIERS[row.tier]
    metric = METRICS[row.metric]
    if row.stat is not Stat.MEDIAN:
        return tr("{tier}: {metric}, {stat}", tier=tier, metric=metric, stat=row.stat)
    return tr("{tier}: {metric}", tier=tier, metric=metric)


def _facts(row: Row) -> tuple[str, ...]:
    """Texts on the rounds, the spread, the share of the peak, and a source other than membench."""
    ours = not (row.cited or row.imported)
    facts: list[str] = []
    if row.rounds > 1 or ours:
        facts.append(
            tr_n("{count} round", "{count} rounds", row.rounds)
            if row.rounds
            else tr("rounds unknown")
        )
    if row.spread is not None or ours:
        facts.append(
            tr("spread unknown")
            if row.spread is None
            else tr("spread {share}", share=percent(row.spread))
        )
    if row.peak:
        facts.append(_of_peak(percent((row.value or 0.0) / row.peak), row.peak_basis))
    elif ours:
        facts.append(tr("peak unknown"))
    if not ours:
        facts.append(tr("not measured by membench: {source}", source=origin(row)))
    return tuple(facts)


_GRADES = {
    Grade.NONE: tr("Data quality: no data."),
    Grade.CITED: tr("All values are cited figures."),
    Grade.UNKNOWN: tr("Data quality: unknown, because a single round does not show the noise."),
    Grade.GOOD: tr("Data quality: good."),
    Grade.FAIR: tr("Data quality: fair."),
    Grade.POOR: tr("Data quality: poor."),
}


def _quality(run: Run, *, named: bool) -> Line:
    found = quality(run.rows)
    grade = _GRADES[found.grade]
    name = Strong(tr("{run}: {told}", run=run.label, told=grade) if named else grade)
    if found.grade is Grade.CITED:
        return (
            name,
            tr(
                " Number of rows: {count}; their sources are listed with the results.",
                count=found.rows,
            ),
        )
    line: list[Inline] = [name, tr(" {counts}.", counts=listed(_counts(run, found)))]
    line += [
        tr(" Every row is flagged {flag}.", flag=Code(code))
        for code in sorted(found.of_all)
        if code != NOISY
    ]
    return tuple(line)


def _counts(run: Run, found: Quality) -> list[str]:
    cases = found.cases
    rows = tr_n("{count} row", "{count} rows", found.rows)
    measured = tr_n("{count} case", "{count} cases", cases.get(Status.OK, 0))
    parts: list[str] = [tr("{rows} of {cases} measured", rows=rows, cases=measured)]
    if noisy := found.flags.get(NOISY):
        parts.append(tr("{count} noisy", count=noisy))
    ordinary = {*found.of_all, NOISY}
    others = sum(row.status is Status.OK and not ordinary.issuperset(row.flags) for row in run.rows)
    if others:
        parts.append(tr("{count} with other flags", count=others))
    failed, skipped = (cases.get(status, 0) for status in (Status.FAILED, Status.SKIPPED))
    parts.append(tr_n("{count} case failed", "{count} cases failed", failed))
    parts.append(tr("{count} skipped", count=skipped))
    return parts
