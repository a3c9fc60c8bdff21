"""The machine at a glance: its ladder, a line a tier, and how far the data can be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from membench.analysis.ladder import Rung, ladder
from membench.analysis.quality import NOISY, Grade, Quality, quality
from membench.core.messages import listed, tr, tr_n
from membench.core.terms import Metric, PeakBasis, Stat, Status
from membench.core.units import format_value
from membench.report.page.document import (
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
from membench.report.page.sections.words import METRICS, TIERS, codes, origin, percent, rung_name
from membench.report.plots import tiers as tier_plots
from membench.results.schema import Row

_NO_BEST = tr(
    "Every row is flagged as not its tier's: a cache served it, it lies between two tiers, or it "
    "cannot be; or it was measured under load."
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
            return tr("{share} of the stated peak", share=share)


def section(runs: Sequence[Run]) -> Section:
    """Two plots and a table of the best of every tier; the quality; what stands behind each."""
    ladders = {run.label: ladder(run.rows) for run in runs}
    if any(ladders.values()):
        blocks: list[Block] = [*tier_plots.draw(ladders, {}), _table(ladders)]
        behind: tuple[Section, ...] = (_behind(ladders),)
    else:
        blocks, behind = [_nothing(runs)], ()
    blocks += [Paragraph(_quality(run, named=len(runs) > 1)) for run in runs]
    return Section("headline", tr("Headline"), tuple(blocks), behind)


def _nothing(runs: Sequence[Run]) -> Paragraph:
    if any(row.status is Status.OK for run in runs for row in run.rows):
        nothing, why = Strong(tr("No best figure.")), _NO_BEST
    else:
        nothing, why = Strong(tr("Nothing was measured.")), tr("No row has a value.")
    return Paragraph((tr("{before} {item}", before=nothing, item=why),))


_COLUMNS: Mapping[str, tuple[Metric, ...]] = {
    tr("bandwidth"): (Metric.BANDWIDTH,),
    tr("latency"): (Metric.LATENCY,),
    tr("IOPS or FLOP/s"): (Metric.IOPS, Metric.FLOPS),
}


def _table(ladders: Mapping[str, Sequence[Rung]]) -> Table:
    """A line a tier: only the tiers and metrics that some run has."""
    several = len(ladders) > 1
    present = {metric for rungs in ladders.values() for rung in rungs for metric in rung.best}
    shown = {title: metrics for title, metrics in _COLUMNS.items() if present & {*metrics}}
    rows: list[tuple[Line, ...]] = []
    for run, rungs in ladders.items():
        for rung in rungs:
            label: tuple[Line, ...] = ((run,),) if several else ()
            cells = (_value(rung, metrics) for metrics in shown.values())
            rows.append((*label, (rung_name(rung),), *cells))
    columns = (
        *((Column(tr("machine")),) if several else ()),
        Column(tr("tier")),
        *(Column(title, numeric=True) for title in shown),
    )
    return Table(tr("The best of every tier"), columns, tuple(rows))


def _value(rung: Rung, metrics: Sequence[Metric]) -> Line:
    rows = [rung.best[metric] for metric in metrics if metric in rung.best]
    return (format_value(rows[0].metric, rows[0].value or 0.0),) if rows else ()


def _behind(ladders: Mapping[str, Sequence[Rung]]) -> Section:
    """The case of each figure, its rounds and its flags."""
    several = len(ladders) > 1
    rows: list[tuple[Line, ...]] = []
    for run, rungs in ladders.items():
        for rung in rungs:
            for row in rung.best.values():
                label: tuple[Line, ...] = ((run,),) if several else ()
                value = format_value(row.metric, row.value or 0.0)
                cells: tuple[Line, ...] = (
                    (_title(row),),
                    (value,),
                    (Code(row.case),),
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
    title = tr("Cases, rounds and flags of these figures")
    return Section("headline-cases", title, (table,), folded=True)


def _title(row: Row) -> str:
    tier, metric = TIERS[row.tier], METRICS[row.metric]
    if row.stat is not Stat.MEDIAN:
        return tr("{tier}: {metric}, {stat}", tier=tier, metric=metric, stat=row.stat)
    return tr("{tier}: {metric}", tier=tier, metric=metric)


def _facts(row: Row) -> tuple[str, ...]:
    """Rounds, spread, share of peak, and whose number it is where it is not ours.

    Of another's number only what is known: nothing else can be said of it here.
    """
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
    Grade.NONE: tr("Data quality none."),
    Grade.CITED: tr("Cited figures."),
    Grade.UNKNOWN: tr("Data quality unknown (a single round says nothing of the noise)."),
    Grade.GOOD: tr("Data quality good."),
    Grade.FAIR: tr("Data quality fair."),
    Grade.POOR: tr("Data quality poor."),
}


def _quality(run: Run, *, named: bool) -> Line:
    """The verdict on the data, then the counts that it rests on."""
    found = quality(run.rows)
    grade = _GRADES[found.grade]
    name = Strong(tr("{run}: {told}", run=run.label, told=grade) if named else grade)
    if found.grade is Grade.CITED:
        return (name, tr(" Rows: {count}, whose sources stand with the results.", count=found.rows))
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
