"""A fleet on a terminal or a pipe."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from membench.analysis.fleet.summary import FleetSummary
from membench.report.screens.fleet.words import (
    case_name,
    chance_text,
    headline,
    in_order,
    notes,
    number,
    times_text,
    troubles,
    z_text,
)

SHOWN = 50
"""Machines, cases and troubles on a terminal; a pipe and the CSV have all."""


def print_fleet(console: Console, summary: FleetSummary, *, everything: bool) -> None:
    """Who stands apart, who is missing, the spread of each case, and the count."""
    limit = None if everything else SHOWN
    _print_slow(console, summary, limit)
    _print_troubles(console, summary, limit)
    _print_cases(console, summary, limit)
    console.print()
    console.print(Text(headline(summary), "bold"))
    for note in notes(summary):
        console.print(Text(note))


def _print_slow(console: Console, summary: FleetSummary, limit: int | None) -> None:
    if not summary.slow:
        return
    console.print(Text("machines that are slow", "bold"))
    table = _table("machine", "verdict", "slow in", "by chance", "slowest case", "", "z")
    for line in summary.slow[:limit]:
        worst = line.slow[0]
        table.add_row(
            Text(line.name),
            Text("straggler", "bold red") if line.straggler else Text("slow", "yellow"),
            f"{len(line.slow)} of {line.judged}",
            chance_text(line),
            Text(case_name(worst), overflow="fold"),
            times_text(worst.times),
            z_text(worst.z),
        )
    console.print(table)
    _print_rest(console, len(summary.slow), limit)
    console.print()


def _print_troubles(console: Console, summary: FleetSummary, limit: int | None) -> None:
    found = list(troubles(summary))
    if not found:
        return
    console.print(Text("missing, failed, incomplete", "bold"))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for name, kind, reason in found[:limit]:
        table.add_row(
            Text(name, overflow="fold"), Text(kind, "bold red"), Text(reason, overflow="fold")
        )
    console.print(table)
    _print_rest(console, len(found), limit)
    console.print()


def _print_cases(console: Console, summary: FleetSummary, limit: int | None) -> None:
    console.print(Text("the fleet", "bold"))
    table = _table("case", "machines", "median", "spread", "1% to 99%", "slow")
    for case in in_order(summary)[:limit]:
        table.add_row(
            Text(case_name(case), overflow="fold"),
            str(case.machines),
            number(case, case.median),
            f"{case.spread:.1%}",
            f"{number(case, case.low)} to {number(case, case.high)}",
            str(case.slow) if case.judged else "-",
        )
    console.print(table)
    _print_rest(console, len(summary.cases), limit)


def _print_rest(console: Console, count: int, limit: int | None) -> None:
    if limit is not None and count > limit:
        console.print(Text(f"and {count - limit} more: --format csv has all", "dim"))


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for title in titles:
        table.add_column(title)
    return table
