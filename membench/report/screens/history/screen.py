"""Print a history on a terminal or a pipe."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from membench.analysis.history.summary import History, HistoryLine
from membench.analysis.verdict import Verdict
from membench.report.screens.history.words import (
    band_text,
    chance_text,
    changes_text,
    headline,
    latest_text,
    levels_text,
    name,
    newest_first,
    next_command,
    notes,
    now_text,
    percent,
    place_text,
    rule,
    surroundings_texts,
)
from membench.report.screens.text_table import TextTable, drawn

_WITH_CASES = 132
"""Minimum width of a terminal, in characters, for a table with a column of case ids."""
_STYLE = {Verdict.BETTER: "green", Verdict.WORSE: "bold red"}


def print_history(console: Console, history: History) -> None:
    """Print the headline, a row per line of the history, each change, and the notes."""
    console.print(Text(headline(history), "bold"), soft_wrap=True)
    console.print()
    _print_lines(console, history)
    for line, number in newest_first(history):
        console.print()
        _print_change(console, line, number)
    console.print()
    for note in notes(history):
        console.print(Text(note))
    console.print(Text(rule(history), "dim"))
    if command := next_command(history):
        console.print(Text(f"Next: {command}", "bold"), soft_wrap=True)


def _print_lines(console: Console, history: History) -> None:
    beside = console.width >= _WITH_CASES
    if not beside and len({name(line) for line in history.lines}) < len(history.lines):
        console.print(drawn(_by_case(history), console.width))
        return
    narrow = _by_tier(history)
    if not narrow.fits(console.width):
        console.print(drawn(narrow, console.width))
        _print_cases(console, history)
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("tier", no_wrap=True)
    for title in ("runs", "median", "noise band", "latest"):
        table.add_column(title, no_wrap=True, justify="right")
    table.add_column("changes", no_wrap=True)
    if beside:
        table.add_column("case", no_wrap=True, overflow="ignore")
    for line in history.lines:
        cells = (
            *(Text(name(line), "bold"), str(len(line.runs)), now_text(line), band_text(line)),
            Text(latest_text(line), "yellow" if line.outside else ""),
            Text(changes_text(line), _STYLE[line.changes[-1].verdict] if line.changes else ""),
        )
        table.add_row(*cells, *((Text(line.key.case, "dim"),) if beside else ()))
    console.print(table)
    if not beside:
        _print_cases(console, history)


def _print_cases(console: Console, history: History) -> None:
    console.print()
    for line in history.lines:
        text = Text.assemble((f"{name(line)}: ", "dim"), line.key.case)
        console.print(text, soft_wrap=True)


def _by_tier(history: History) -> TextTable:
    """The table without case ids, for a terminal that is too narrow for the ordinary table."""
    by_case = _by_case(history)
    return TextTable(None, by_case.head[1:], tuple(row[1:] for row in by_case.rows))


def _by_case(history: History) -> TextTable:
    """The table with case ids in front, because several lines have the same name."""
    head = ("case", "tier", "runs", "median", "noise band", "latest", "changes")
    return TextTable(
        None,
        head,
        tuple(
            (
                line.key.case,
                name(line),
                str(len(line.runs)),
                now_text(line),
                band_text(line),
                latest_text(line),
                changes_text(line),
            )
            for line in history.lines
        ),
    )


def _print_change(console: Console, line: HistoryLine, number: int) -> None:
    change = line.changes[number]
    glyph = "^" if change.verdict is Verdict.BETTER else "v"
    console.print(
        Text.assemble(
            (f"{glyph} {change.verdict}", _STYLE[change.verdict]),
            (f"  {name(line)} ", "bold"),
            f"{percent(change.ratio)}  {levels_text(line, number)}",
        )
    )
    console.print(Text(f"  since {place_text(line, change)}, {chance_text(change)}"))
    console.print(
        Text(
            f"  last run before the change: {change.last.run_id}; first run after it: "
            f"{change.first.run_id}"
        )
    )
    facts = surroundings_texts(change)
    if not facts:
        console.print(
            Text(
                "  no known property of the machine, the rows or the settings changed at this time"
            )
        )
    for fact in facts:
        console.print(Text(f"  {fact}"), soft_wrap=True)
