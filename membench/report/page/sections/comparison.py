"""The section that compares several files with the first file: forest plots and tables."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from membench.analysis.alike import likeness_of
from membench.analysis.comparison import Comparison, compare
from membench.analysis.line import Line
from membench.analysis.sides import make_sides
from membench.analysis.sources import read_sources
from membench.analysis.thresholds import PRESETS
from membench.core.errors import MembenchError
from membench.core.messages import clauses, listed, sentence, tr
from membench.core.terms import Better, Metric
from membench.report.page.document import (
    Block,
    Code,
    Column,
    Figure,
    Paragraph,
    Section,
    Strong,
    Table,
    joined,
)
from membench.report.page.document import Line as Cells
from membench.report.page.runs import ReportSource
from membench.report.page.sections.words import METRICS, SHORT, fact_names
from membench.report.plots import forest
from membench.report.screens.blocks import full_name
from membench.report.screens.compare.cells import counts_text, ratio_texts, verdict_texts
from membench.report.screens.compare.view import CompareBlock, arrange

_RULE = tr(
    "A case is better or worse if the whole 95 % interval of the ratio is beyond the threshold. A "
    "case is the same if the whole interval is within the threshold. Otherwise a case is unclear."
)
_ONE_RUN = tr(
    "Each file contains only one run, so this comparison cannot show how much runs of the same "
    "machine differ from one another. To find out, measure and compare several runs on each side."
)
_METRICS = METRICS | {Metric.IOPS: tr("iops"), Metric.FLOPS: tr("flops")}
_MOST_PLOTS = 3
"""Maximum number of forest plots; the tables contain every file."""


def compared(sources: Sequence[ReportSource]) -> Comparison | None:
    """Compare the files with the first file; pipes are left out.

    The result is None if fewer than two files are left, or if the files cannot be compared.
    """
    paths = [source.path for source in sources if source.data]
    if len(paths) < 2:
        return None
    try:
        sides = make_sides([(None, one) for one in read_sources(map(Path, paths))])
        return compare(sides, thresholds=PRESETS["default"])
    except MembenchError:
        return None


def section(comparison: Comparison | None) -> Section | None:
    if comparison is None:
        return None
    reference, *others = comparison.sides
    if not comparison.matched:
        line = tr("The files have no measured case in common, so nothing can be compared.")
        return Section("comparison", tr("Comparison"), (Paragraph((line,)),))
    blocks: list[Block] = []
    for place, side in enumerate(others, 1):
        pair = tr("{label} against {reference}: ", label=side.label, reference=reference.label)
        counts = counts_text(comparison.counts(place)) or tr("no measured case in common")
        blocks.append(Paragraph((Strong(pair), sentence(counts))))
    differ = fact_names(fact.name for fact in comparison.facts if len(set(fact.values)) > 1)
    if differ:
        blocks.append(Paragraph((tr("What differs: {facts}.", facts=listed(differ)),)))
    plots = [forest.draw(comparison, place) for place in range(1, len(others) + 1)[:_MOST_PLOTS]]
    blocks += [plot for plot in plots if isinstance(plot, Figure)]
    blocks += [_table(comparison, block) for block in arrange(comparison)]
    alone = not comparison.in_turns and all(len(side.runs) == 1 for side in comparison.sides)
    blocks.append(Paragraph((_RULE, " ", _ONE_RUN) if alone else (_RULE,)))
    return Section("comparison", tr("Comparison"), tuple(blocks))


def _table(comparison: Comparison, block: CompareBlock) -> Table:
    labels = [side.label for side in comparison.sides]
    columns = [Column(tr("case")), *(Column(label, numeric=True) for label in labels)]
    for label in labels[1:]:
        columns += [
            Column(
                tr("{label} / {reference} [95 % interval]", label=label, reference=labels[0]),
                numeric=True,
            ),
            Column(tr("verdict")),
        ]
    rows = [_row(block, line) for line in block.lines]
    nearest = [_nearest(line, labels) for line in block.lines]
    if any(nearest):
        columns.append(Column(tr("nearest case, and how it differs"), prose=True))
        rows = [(*row, cell) for row, cell in zip(rows, nearest, strict=True)]
    return Table(_title(block), tuple(columns), tuple(rows))


def _nearest(line: Line, labels: Sequence[str]) -> Cells:
    """How the published case of a row differs from the measured case; may be empty."""
    first = line.entries[0].figure
    parts: list[Cells] = []
    for label, entry in zip(labels[1:], line.entries[1:], strict=True):
        other = entry.figure
        if first is None or other is None or first.cited == other.cited:
            continue
        found = likeness_of(first.rows[0], other.rows[0])
        differences = (*found.others, *found.harmless) if found is not None else ()
        if differences:
            told = clauses(one.told for one in differences)
            case = Code(other.rows[0].case)
            part = tr("{run}: {told}", run=case, told=told)
            if len(labels) > 2:
                part = tr("{label}: {case}: {differs}", label=label, case=case, differs=told)
            parts.append((part,))
    return joined(parts, tr("; "))


def _title(block: CompareBlock) -> str:
    """A title such as ``DDR bandwidth, GB/s (higher is better)``."""
    tier, metric = SHORT.get(block.block.tier, str(block.block.tier)), _METRICS[block.block.metric]
    what = tr("{tier} {metric}", tier=tier, metric=metric)
    if block.block.better is Better.HIGHER:
        return tr("{metric}, {unit} (higher is better)", metric=what, unit=block.scale.unit)
    return tr("{metric}, {unit} (lower is better)", metric=what, unit=block.scale.unit)


def _row(block: CompareBlock, line: Line) -> tuple[Cells, ...]:
    cells: list[Cells] = [(Code(full_name(line.row)),)]
    cells += [
        (block.scale.format(value),) if value is not None else () for value in line.figures.values
    ]
    assert line.differences is not None
    texts = zip(ratio_texts(line.differences), verdict_texts(line.differences), strict=True)
    for ratio, verdict in islice(texts, 1, None):
        cells += [(ratio,), (verdict,)]
    return tuple(cells)
