"""The best figure of every tier, and how far the data can be trusted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from membench.core.terms import Better, PeakBasis, Stat, Status
from membench.core.units import common_scale, format_value
from membench.report.page.document import (
    Block,
    Card,
    Cards,
    Code,
    Column,
    Line,
    Paragraph,
    Section,
    Strong,
    Table,
)
from membench.report.page.runs import Run
from membench.report.page.sections.words import (
    METRICS,
    TIERS,
    about,
    capital,
    codes,
    counted,
    percent,
)
from membench.report.screens.blocks import blocks as blocks_of
from membench.results.schema import Row
from membench.results.staircase import leading

GOOD, FAIR = 0.1, 0.5
"""Shares of noisy rows up to which the data of a run is called good, and fair."""

_NO_BEST = (
    "Every row is flagged as not its tier's: a cache served it, it lies between two tiers, or it "
    "cannot be; or it was measured under load."
)

_PEAKS = {
    None: "stated peak",
    PeakBasis.SPEC: "specified peak",
    PeakBasis.QUERIED: "peak that the device reports",
    PeakBasis.MEASURED: "measured peak",
}


def section(runs: Sequence[Run]) -> Section:
    """The best of every tier and metric: cards of one run, a table of several; then the quality."""
    best = _best(runs)
    blocks: list[Block] = []
    if not best and any(row.status is Status.OK for run in runs for row in run.rows):
        blocks.append(Paragraph((Strong("No best figure."), f" {_NO_BEST}")))
    elif not best:
        blocks.append(Paragraph((Strong("Nothing was measured."), " No row has a value.")))
    elif len(runs) == 1:
        blocks.append(Cards(tuple(_card(row) for several in best for row in several.values())))
    else:
        blocks.append(_table(best, runs))
    blocks += [Paragraph(_quality(run, named=len(runs) > 1)) for run in runs]
    return Section("headline", "Headline", tuple(blocks))


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
        title=capital(_title(row)),
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
        rows.append(((capital(_title(first, stat=False)),), *cells))
    heads = (Column(run.label, prose=True) for run in runs)
    columns = (Column("tier and metric"), *heads)
    return Table("Best of every tier and metric", columns, tuple(rows))


def _cell(row: Row) -> Line:
    stat = "" if row.stat is Stat.MEDIAN else f" {row.stat}"
    line: Line = (
        Strong(format_value(row.metric, row.value or 0.0)),
        f"{stat}, {', '.join(_facts(row))}, ",
        Code(row.case),
    )
    return (*line, "; flags: ", *codes(row.flags)) if row.flags else line


def _title(row: Row, *, stat: bool = True) -> str:
    name = f"{TIERS[row.tier]}: {METRICS[row.metric]}"
    return f"{name}, {row.stat}" if stat and row.stat is not Stat.MEDIAN else name


def _facts(row: Row) -> tuple[str, ...]:
    """Rounds, spread, share of peak, and whose number it is where it is not ours.

    Of another's number only what is known: nothing else can be said of it here.
    """
    ours = not (row.cited or row.imported)
    facts = []
    if row.rounds > 1 or ours:
        facts.append(counted(row.rounds, "round") if row.rounds else "rounds unknown")
    if row.spread is not None or ours:
        facts.append("spread unknown" if row.spread is None else f"spread {percent(row.spread)}")
    if row.peak:
        share = percent((row.value or 0.0) / row.peak)
        facts.append(f"{share} of the {_PEAKS[row.peak_basis]}")
    elif ours:
        facts.append("peak unknown")
    if not ours:
        facts.append(f"not measured by membench: {row.backend}")
    return tuple(facts)


def _quality(run: Run, *, named: bool) -> Line:
    """The verdict on the data, then the counts that it stands on."""
    ok = [row for row in run.rows if row.status is Status.OK]
    if ok and all(row.cited for row in ok):
        name = Strong(f"{f'{run.label}: ' if named else ''}Cited figures.")
        return (name, f" Rows: {len(ok)}, whose sources stand with the results.")
    cases = {row.case: row.status for row in run.rows}
    counts = Counter(cases.values())
    flags = Counter(flag for row in ok for flag in row.flags)
    parts = [f"{counted(len(ok), 'row')} of {counted(counts[Status.OK], 'case')} measured"]
    if flags["noisy"]:
        parts.append(f"{flags['noisy']} noisy")
    everywhere = {code for code, count in flags.items() if count == len(ok) > 1}
    others = sum(bool(set(row.flags) - everywhere - {"noisy"}) for row in ok)
    if others:
        parts.append(f"{others} with other flags")
    parts.append(f"{counted(counts[Status.FAILED], 'case')} failed")
    parts.append(f"{counts[Status.SKIPPED]} skipped")
    line: list[str | Code | Strong] = [
        Strong(f"{f'{run.label}: ' if named else ''}Data quality {_grade(ok, flags['noisy'])}."),
        f" {', '.join(parts)}.",
    ]
    for code in sorted(everywhere - {"noisy"}):
        line += [" Every row is flagged ", Code(code), "."]
    return tuple(line)


def _grade(ok: Sequence[Row], noisy: int) -> str:
    if not ok:
        return "none"
    # What is measured once a run has one round in any run, and its own flag.
    if max(row.rounds for row in ok) < 2:
        return "unknown (a single round says nothing of the noise)"
    share = noisy / len(ok)
    return "good" if share <= GOOD else "fair" if share <= FAIR else "poor"
