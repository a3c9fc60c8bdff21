"""The best figure of every tier, and how far the data can be trusted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from membench.core.messages import listed, tr, tr_n
from membench.core.terms import Better, PeakBasis, Stat, Status
from membench.core.units import common_scale, format_value
from membench.report.page.document import (
    Block,
    Card,
    Cards,
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
from membench.report.page.sections.words import METRICS, TIERS, about, codes, origin, percent
from membench.report.screens.blocks import blocks as blocks_of
from membench.results.schema import Row
from membench.results.staircase import leading

GOOD, FAIR = 0.1, 0.5
"""Shares of noisy rows up to which the data of a run is called good, and fair."""

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
    """The best of every tier and metric: cards of one run, a table of several; then the quality."""
    best = _best(runs)
    blocks: list[Block] = []
    if not best and any(row.status is Status.OK for run in runs for row in run.rows):
        nothing = Strong(tr("No best figure."))
        line = tr("{before} {item}", before=nothing, item=_NO_BEST)
        blocks.append(Paragraph((line,)))
    elif not best:
        nothing = Strong(tr("Nothing was measured."))
        line = tr("{before} {item}", before=nothing, item=tr("No row has a value."))
        blocks.append(Paragraph((line,)))
    elif len(runs) == 1:
        blocks.append(Cards(tuple(_card(row) for several in best for row in several.values())))
    else:
        blocks.append(_table(best, runs))
    blocks += [Paragraph(_quality(run, named=len(runs) > 1)) for run in runs]
    return Section("headline", tr("Headline"), tuple(blocks))


def _best(runs: Sequence[Run]) -> list[dict[str, Row]]:
    """For every tier and metric the best row of each run that has one; see `leading`."""
    led = {run.label: leading(run.rows) for run in runs}
    label = {id(row): name for name, rows in led.items() for row in rows}
    found: list[dict[str, Row]] = []
    for block in blocks_of(row for rows in led.values() for row in rows):
        pick = max if block.better is Better.HIGHER else min
        by_run: dict[str, list[Row]] = {}
        for row in block.rows:
            by_run.setdefault(label[id(row)], []).append(row)
        found.append(
            {of: pick(rows, key=lambda row: row.value or 0.0) for of, rows in by_run.items()}
        )
    return found


def _card(row: Row) -> Card:
    value = row.value or 0.0
    scale = common_scale(row.metric, (value,))
    return Card(
        title=_title(row),
        value=scale.format(value, 3),
        unit=scale.unit,
        what=about(row),
        case=row.case,
        facts=_facts(row),
        warnings=row.flags,
    )


def _table(best: Sequence[dict[str, Row]], runs: Sequence[Run]) -> Table:
    rows: list[tuple[Line, ...]] = []
    for several in best:
        first = next(iter(several.values()))
        cells = [_cell(several[run.label]) if run.label in several else () for run in runs]
        rows.append(((_title(first, stat=False),), *cells))
    heads = (Column(run.label, prose=True) for run in runs)
    columns = (Column(tr("tier and metric")), *heads)
    return Table(tr("Best of every tier and metric"), columns, tuple(rows))


def _cell(row: Row) -> Line:
    stat = "" if row.stat is Stat.MEDIAN else f" {row.stat}"
    line: Line = (
        tr(
            "{value}{stat}, {facts}, {case}",
            value=Strong(format_value(row.metric, row.value or 0.0)),
            stat=stat,
            facts=listed(_facts(row)),
            case=Code(row.case),
        ),
    )
    return (*line, tr("; flags: "), *codes(row.flags)) if row.flags else line


def _title(row: Row, *, stat: bool = True) -> str:
    tier, metric = TIERS[row.tier], METRICS[row.metric]
    if stat and row.stat is not Stat.MEDIAN:
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


def _quality(run: Run, *, named: bool) -> Line:
    """The verdict on the data, then the counts that it stands on."""
    ok = [row for row in run.rows if row.status is Status.OK]
    if ok and all(row.cited for row in ok):
        name = _named(run, tr("Cited figures."), named=named)
        return (name, tr(" Rows: {count}, whose sources stand with the results.", count=len(ok)))
    cases = {row.case: row.status for row in run.rows}
    counts = Counter(cases.values())
    flags = Counter(flag for row in ok for flag in row.flags)
    rows = tr_n("{count} row", "{count} rows", len(ok))
    measured = tr_n("{count} case", "{count} cases", counts[Status.OK])
    parts: list[str] = [tr("{rows} of {cases} measured", rows=rows, cases=measured)]
    if flags["noisy"]:
        parts.append(tr("{count} noisy", count=flags["noisy"]))
    everywhere = {code for code, count in flags.items() if count == len(ok) > 1}
    others = sum(bool(set(row.flags) - everywhere - {"noisy"}) for row in ok)
    if others:
        parts.append(tr("{count} with other flags", count=others))
    parts.append(tr_n("{count} case failed", "{count} cases failed", counts[Status.FAILED]))
    parts.append(tr("{count} skipped", count=counts[Status.SKIPPED]))
    line: list[Inline] = [
        _named(run, _grade(ok, flags["noisy"]), named=named),
        tr(" {counts}.", counts=listed(parts)),
    ]
    line += [
        tr(" Every row is flagged {flag}.", flag=Code(code))
        for code in sorted(everywhere - {"noisy"})
    ]
    return tuple(line)


def _named(run: Run, text: str, *, named: bool) -> Strong:
    return Strong(tr("{run}: {told}", run=run.label, told=text) if named else text)


def _grade(ok: Sequence[Row], noisy: int) -> str:
    if not ok:
        return tr("Data quality none.")
    # What is measured once a run has one round in any run, and its own flag.
    if max(row.rounds for row in ok) < 2:
        return tr("Data quality unknown (a single round says nothing of the noise).")
    share = noisy / len(ok)
    if share <= GOOD:
        return tr("Data quality good.")
    return tr("Data quality fair.") if share <= FAIR else tr("Data quality poor.")
