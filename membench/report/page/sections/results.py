"""The section with every `ok` row, in one table per tier and metric."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from membench.core.messages import Message, span, tr, tr_n
from membench.core.terms import Stat, Tier
from membench.report.page.document import (
    Code,
    Column,
    English,
    Line,
    Link,
    Paragraph,
    Section,
    Table,
    joined,
)
from membench.report.page.runs import Run
from membench.report.page.sections.words import SHORT, TIERS, codes, metric_title, percent
from membench.report.screens.blocks import Block, blocks
from membench.results.schema import Row

_ABOUT = tr(
    "The value of a row is the median of the rounds. The range goes from the lowest to the "
    "highest value of the rounds. Flags are explained {link}.",
    link=Link(tr("further down"), "flags"),
)
_ABOUT_SEVERAL = tr(
    "The value of a row is the median of the rounds. Flags are explained {link}.",
    link=Link(tr("further down"), "flags"),
)
"""For tables of several runs, which have no column of ranges."""


def section(runs: Sequence[Run]) -> Section:
    label = {id(row): run.label for run in runs for row in run.rows}
    by_tier: dict[Tier, list[Table]] = {}
    counts: Counter[Tier] = Counter()
    for block in blocks(row for run in runs for row in run.rows):
        table = _alone(block) if len(runs) == 1 else _beside(block, runs, label)
        by_tier.setdefault(block.tier, []).append(table)
        counts[block.tier] += len(block.rows)
    if not by_tier:
        return Section("results", tr("Results"), (Paragraph((tr("No row has a value."),)),))
    return Section(
        "results",
        tr("Results"),
        (Paragraph((_ABOUT if len(runs) == 1 else _ABOUT_SEVERAL,)),),
        tuple(
            Section(f"results-{tier}", _headed(tier, counts[tier]), tuple(tables), folded=True)
            for tier, tables in by_tier.items()
        ),
    )


def _headed(tier: Tier, count: int) -> Message:
    rows = tr_n("{count} row", "{count} rows", count)
    return tr("{run}: {told}", run=TIERS[tier], told=rows)


def _alone(block: Block[Row]) -> Table:
    peaks = any(row.peak for row in block.rows)
    columns = [
        Column(tr("case")),
        Column(tr("value"), numeric=True),
        Column(tr("spread"), numeric=True),
        Column(tr("range"), numeric=True),
        Column(tr("rounds"), numeric=True),
    ]
    columns += [Column(tr("share of peak"), numeric=True)] if peaks else []
    columns += [Column(tr("flags")), *_source_column(block)]
    rows = []
    for row in block.rows:
        show, rounds = block.scale.format, row.round_values
        cells: list[Line] = [
            _name(row),
            (show(row.value or 0.0),),
            _spread(row),
            (span(show(min(rounds)), show(max(rounds))),) if len(rounds) > 1 else (),
            (str(row.rounds),),
        ]
        if peaks:
            cells.append((f"{percent((row.value or 0.0) / row.peak)}",) if row.peak else ())
        rows.append((*cells, codes(row.flags), *_sources(block, [row])))
    return Table(_caption(block), tuple(columns), tuple(rows))


def _source_column(block: Block[Row]) -> list[Column]:
    return [Column(tr("source"), prose=True)] if any(row.cited for row in block.rows) else []


def _sources(block: Block[Row], rows: Sequence[Row]) -> list[Line]:
    """The cell for `_source_column`; no cell if the table has no such column."""
    texts = (
        ": ".join(filter(None, (row.detail.get("source", ""), row.detail.get("note", ""))))
        for row in rows
        if row.cited
    )
    parts = [(English(text),) for text in dict.fromkeys(filter(None, texts))]
    return [joined(parts, tr("; "))] if _source_column(block) else []


def _beside(block: Block[Row], runs: Sequence[Run], label: dict[int, str]) -> Table:
    here = {label[id(row)] for row in block.rows}
    runs = [run for run in runs if run.label in here]  # other runs would have empty columns
    spreads = {label[id(row)] for row in block.rows if row.spread is not None}
    columns = [Column(tr("case"))]
    for run in runs:
        columns.append(Column(run.label, numeric=True))
        columns += [Column(tr("spread"), numeric=True)] if run.label in spreads else []
    columns += [Column(tr("flags")), *_source_column(block)]
    by_case: dict[tuple[str, Stat], dict[str, Row]] = {}
    for row in block.rows:
        by_case.setdefault((row.case, row.stat), {})[label[id(row)]] = row
    rows = []
    for several in by_case.values():
        cells: list[Line] = [_name(next(iter(several.values())))]
        flags: list[Line] = []
        for run in runs:
            own = several.get(run.label)
            cells.append((block.scale.format(own.value or 0.0),) if own else ())
            if run.label in spreads:
                cells.append(_spread(own) if own else ())
            if own and own.flags:
                head = (tr("{title}: ", title=run.label),) if len(runs) > 1 else ()
                flags.append((*head, *codes(own.flags)))
        sources = _sources(block, [*several.values()])
        rows.append((*cells, joined(flags, tr("; ")), *sources))
    return Table(_caption(block), tuple(columns), tuple(rows))


def _caption(block: Block[Row]) -> str:
    title = metric_title(block.metric, block.scale.unit, block.better)
    return tr("{run}: {told}", run=SHORT[block.tier], told=title)


def _name(row: Row) -> Line:
    return (Code(row.case),) if row.stat is Stat.MEDIAN else (Code(row.case), f" {row.stat}")


def _spread(row: Row) -> Line:
    return () if row.spread is None else (percent(row.spread),)
