"""Print a comparison on a terminal or a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from membench.analysis.absences import absences
from membench.analysis.comparison import Comparison
from membench.core.terms import Status
from membench.report.screens.compare.footnotes import Footnotes
from membench.report.screens.compare.notes import (
    absence_text,
    absent_cases,
    fact_lines,
    notes,
    side_text,
    summary,
)
from membench.report.screens.compare.table import list_lines, wide_lines
from membench.report.screens.compare.view import CompareBlock
from membench.report.screens.console import print_lines
from membench.report.screens.text_table import print_grid

_JUDGED_WIDTH = len("1.000  = same  ")


def print_comparison(
    console: Console, comparison: Comparison, blocks: Sequence[CompareBlock], *, full_ids: bool
) -> None:
    """Print the labels, a table per block, the unmatched cases, and the summary.

    A table has one line per row if the width allows this, otherwise one line per row and label.
    """
    _print_sides(console, comparison)
    footnotes = Footnotes(comparison)
    for block in blocks:
        names = block.ids if full_ids else block.names
        console.print()
        console.print(_title(block, full_ids=full_ids))
        lines: Iterable[Text] | None = None
        if _may_fit(comparison, console.width):
            lines = wide_lines(comparison, block, footnotes, names, console.width)
        if lines is None:
            coloured = console.is_terminal
            lines = list_lines(comparison, block, footnotes, names, coloured=coloured)
        print_lines(console, lines)
    _print_footnotes(console, footnotes)
    _print_absences(console, comparison)
    console.print()
    for line in summary(comparison):
        console.print(Text(line, "bold"))
    for line in notes(comparison):
        console.print(Text(line))


def _may_fit(comparison: Comparison, width: int) -> bool:
    """Whether the columns of all labels may fit in ``width``; a quick test before the layout."""
    labels = [side.label for side in comparison.sides]
    return sum(map(len, labels)) + _JUDGED_WIDTH * (len(labels) - 1) <= width


def _print_sides(console: Console, comparison: Comparison) -> None:
    rows = []
    for place, side in enumerate(comparison.sides):
        label = Text(side.label, "bold", overflow="fold")
        rows.append((label, Text("" if place else "reference"), _folded(side_text(side))))
    print_grid(console, rows)
    table = _grid()
    before = ""
    for heading, text in fact_lines(comparison):
        table.add_row(Text("" if heading == before else f"{heading}:", "dim"), _folded(text))
        before = heading
    console.print(table)


def _title(block: CompareBlock, *, full_ids: bool) -> Text:
    kind, _, rest = block.title.partition(",")
    common = "" if full_ids or not block.block.common else f"   {' '.join(block.block.common)}"
    return Text.assemble((kind, "bold"), f",{rest}{common}")


def _print_footnotes(console: Console, footnotes: Footnotes) -> None:
    if not footnotes.texts:
        return
    table = _grid()
    for text, number in footnotes.texts.items():
        table.add_row(Text(str(number)), _folded(text))
    console.print()
    console.print(table)


def _print_absences(console: Console, comparison: Comparison) -> None:
    for absence in absences(comparison):
        console.print()
        style = "bold red" if absence.kind == Status.FAILED else "bold"
        console.print(Text(absence_text(absence), style))
        for line in absent_cases(absence):
            console.print(Padding(Text(line, "dim", overflow="fold"), (0, 0, 0, 2)))


def _folded(text: str) -> Text:
    return Text(text, overflow="fold")


def _grid() -> Table:
    """A table without a header, for pairs of a name and a text."""
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
