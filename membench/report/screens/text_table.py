"""A table that never cuts off case ids; in a narrow terminal, case ids get separate lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from membench.core.record import record
from membench.report.screens.console import Screen, is_simple, print_lines
from membench.report.screens.plain import GAP, aligned, widths
from membench.report.screens.styled import Styled

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text


@record
class TextTable:
    """A table as text.

    The first column contains case ids or other names. All columns except the first and the last are
    aligned right.
    """

    title: Text | None
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def widths(self) -> tuple[int, ...]:
        return widths([self.head, *self.rows])

    def fits(self, width: int) -> bool:
        """Whether all columns fit side by side in ``width`` characters."""
        return sum(self.widths) + GAP * (len(self.widths) - 1) <= width


def drawn(table: TextTable, width: int) -> RenderableType:
    """The table for Rich.

    If the table is wider than ``width``, each cell of the first column gets a line of its own.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    if table.fits(width):
        made = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim")
        made.add_column(table.head[0], no_wrap=True)
        for heading in table.head[1:-1]:
            made.add_column(heading, justify="right", no_wrap=True)
        made.add_column(table.head[-1], style="yellow", no_wrap=True)
        for row in table.rows:
            made.add_row(*row)
        return made if table.title is None else Group(table.title, made)
    lines: list[RenderableType] = [] if table.title is None else [table.title]
    lines += _values(table, table.head, width, "dim")
    for row in table.rows:
        lines += [Text(row[0], overflow="fold"), *_values(table, row, width)]
    return Group(*lines)


def print_table(screen: Screen, table: TextTable) -> None:
    """Print ``table``; for a pipe, without Rich if possible.

    On a pipe, a table needs Rich if it has a title, or if it is wider than the screen.
    """
    wide = table.widths
    if screen.is_terminal or table.title or sum(wide) + GAP * len(wide) > screen.width:
        screen.print(drawn(table, screen.width))
        return
    print_lines(screen, map(Styled, aligned([table.head, *table.rows])))


def print_grid(screen: Screen, rows: Sequence[tuple[Styled, ...]]) -> None:
    """Print ``rows`` in columns; for a pipe, without Rich if possible."""
    _print_columns(screen, rows)


def print_facts(screen: Screen, facts: Iterable[tuple[str, str]], style: str) -> None:
    """Print pairs (name, value) as two columns; only values are wrapped."""
    rows = [(Styled(name, style), Styled(value)) for name, value in facts]
    _print_columns(screen, rows, {"no_wrap": True}, {"overflow": "fold"})


def _print_columns(
    screen: Screen, rows: Sequence[tuple[Styled, ...]], *options: Mapping[str, Any]
) -> None:
    """Print ``rows`` in columns; ``options`` are Rich's arguments for the first columns."""
    plain = [[cell.plain for cell in row] for row in rows]
    wide = widths(plain)
    if (
        not screen.is_terminal
        and sum(wide) + GAP * len(wide) <= screen.width
        and all(is_simple(cell) for row in plain for cell in row)
    ):
        gap = " " * GAP
        print_lines(screen, [Styled(gap.join(map(str.ljust, row, wide))) for row in plain])
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), show_header=False)
    for one in options:
        table.add_column(**one)
    for row in rows:
        table.add_row(*row)
    screen.print(table)


def _values(
    table: TextTable, row: Sequence[str], width: int, style: str = ""
) -> list[RenderableType]:
    """All cells but the first. If they do not fit on one line, the last cell has its own line."""
    from rich.padding import Padding
    from rich.text import Text

    numbers = zip(row[1:-1], table.widths[1:-1], strict=True)
    text = (" " * GAP).join(cell.rjust(width) for cell, width in numbers)
    last = Text(row[-1], style or "yellow", overflow="fold")
    if len(text) + table.widths[-1] + 2 * GAP <= width:
        parts = [Text.assemble((text, style), " " * GAP, last)]
    else:
        parts = [Text(text, style), *([last] if row[-1] else [])]
    return [Padding(part, (0, 0, 0, GAP), expand=False) for part in parts]
