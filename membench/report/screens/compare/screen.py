"""Print a comparison on a terminal or a pipe."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from membench.analysis.absences import absences
from membench.analysis.comparison import Comparison
from membench.analysis.verdict import Verdict
from membench.core.terms import Status
from membench.report.screens.compare.footnotes import Footnotes
from membench.report.screens.compare.notes import (
    absence_text,
    absent_cases,
    fact_lines,
    legend,
    notes,
    nothing_shown,
    side_text,
    summary,
)
from membench.report.screens.compare.table import list_lines, wide_lines
from membench.report.screens.compare.view import CompareBlock
from membench.report.screens.console import Screen, print_lines, say
from membench.report.screens.styled import Styled
from membench.report.screens.text_table import print_grid

_JUDGED_WIDTH = len("1.000  = same  ")


def print_comparison(
    screen: Screen,
    comparison: Comparison,
    blocks: Sequence[CompareBlock],
    *,
    full_ids: bool,
    verdicts: Collection[Verdict] = (),
) -> None:
    """Print the labels, a table per block, the unmatched cases, and the summary.

    If ``blocks`` is empty because no line has one of ``verdicts``, a line says so.

    A table has one line per row if the width allows this, otherwise one line per row and label.
    """
    _print_sides(screen, comparison)
    footnotes = Footnotes(comparison)
    for block in blocks:
        names = block.ids if full_ids else block.names
        screen.print()
        screen.print(_title(block, full_ids=full_ids))
        lines: Iterable[Styled] | None = None
        if _may_fit(comparison, screen.width):
            lines = wide_lines(comparison, block, footnotes, names, screen.width)
        if lines is None:
            coloured = screen.is_terminal
            lines = list_lines(comparison, block, footnotes, names, coloured=coloured)
        print_lines(screen, lines)
    if none := nothing_shown(comparison, blocks, verdicts):
        screen.print()
        screen.print(Styled(none))
    _print_footnotes(screen, footnotes)
    if told := legend(comparison, blocks):
        screen.print()
        screen.print(Styled(told))
    _print_absences(screen, comparison)
    screen.print()
    for line in summary(comparison):
        screen.print(Styled(line, "bold"))
    for line in notes(comparison):
        screen.print(Styled(line))


def _may_fit(comparison: Comparison, width: int) -> bool:
    """Whether all labels may fit in ``width``; a quick test before the layout."""
    labels = [side.label for side in comparison.sides]
    return sum(map(len, labels)) + _JUDGED_WIDTH * (len(labels) - 1) <= width


def _print_sides(screen: Screen, comparison: Comparison) -> None:
    rows = []
    for place, side in enumerate(comparison.sides):
        label = Styled(side.label, "bold", overflow="fold")
        rows.append((label, Styled("" if place else "reference"), _folded(side_text(side))))
    print_grid(screen, rows)
    facts = []
    before = ""
    for heading, text in fact_lines(comparison):
        name = Styled("" if heading == before else f"{heading}:", "dim")
        facts.append((name, _folded(text)))
        before = heading
    print_grid(screen, facts)


def _title(block: CompareBlock, *, full_ids: bool) -> Styled:
    kind, _, rest = block.title.partition(",")
    common = "" if full_ids or not block.block.common else f"   {' '.join(block.block.common)}"
    title = Styled(f"{kind},{rest}{common}")
    title.stylize("bold", 0, len(kind))
    return title


def _print_footnotes(screen: Screen, footnotes: Footnotes) -> None:
    if not footnotes.texts:
        return
    screen.print()
    rows = [(Styled(str(number)), _folded(text)) for text, number in footnotes.texts.items()]
    print_grid(screen, rows)


def _print_absences(screen: Screen, comparison: Comparison) -> None:
    for absence in absences(comparison):
        screen.print()
        style = "bold red" if absence.kind == Status.FAILED else "bold"
        screen.print(Styled(absence_text(absence), style))
        for line in absent_cases(absence):
            say(screen, line, "dim", indent=2)


def _folded(text: str) -> Styled:
    return Styled(text, overflow="fold")
