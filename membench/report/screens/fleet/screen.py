"""Print the summary of a fleet on a terminal or a pipe."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from membench.analysis.fleet.summary import FleetSummary
from membench.core.text import counted
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
from membench.report.screens.plain import LISTED
from membench.report.screens.text_table import TextTable, drawn

SHOWN = 50


def print_fleet(console: Console, summary: FleetSummary, *, everything: bool) -> None:
    """Print the slow machines, the hosts with problems, the spread of each case, and a summary."""
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
    rows = tuple(
        (
            line.name,
            "straggler" if line.straggler else "slow",
            f"{len(line.slow)} of {line.judged}",
            chance_text(line),
            times_text(line.slow[0].times),
            z_text(line.slow[0].z),
            case_name(line.slow[0]),
        )
        for line in summary.slow[:limit]
    )
    head = ("machine", "verdict", "slow in", "by chance", "slow-down", "z", "slowest case")
    table = TextTable(Text("slow machines", "bold"), head, rows)
    console.print(drawn(table, console.width))
    _print_rest(console, len(summary.slow), limit)
    console.print()


def _print_troubles(console: Console, summary: FleetSummary, limit: int | None) -> None:
    """Print one line per problem of a host or file.

    More than `LISTED` hosts with the same state and reason share one line.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for name, kind, reason in troubles(summary):
        groups.setdefault((kind, reason), []).append(name)
    if not groups:
        return
    console.print(Text("missing, failed, incomplete", "bold"))
    rows = [
        (name, kind, reason)
        for (kind, reason), names in groups.items()
        for name in ([_several(names)] if len(names) > LISTED else names)
    ]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for name, kind, reason in rows[:limit]:
        table.add_row(
            Text(name, overflow="fold"), Text(kind, "bold red"), Text(reason, overflow="fold")
        )
    console.print(table)
    _print_rest(console, len(rows), limit)
    console.print()


def _several(names: Sequence[str]) -> str:
    """A text such as ``node-001 and 127 more``."""
    return f"{names[0]} and {len(names) - 1} more"


def _print_cases(console: Console, summary: FleetSummary, limit: int | None) -> None:
    rows = tuple(
        (
            case_name(case),
            str(case.machines),
            number(case, case.median),
            f"{case.spread:.1%}",
            f"{number(case, case.low)} to {number(case, case.high)}",
            str(case.slow) if case.judged else "-",
        )
        for case in in_order(summary)[:limit]
    )
    head = ("case", "machines", "median", "spread", "1% to 99%", "slow")
    table = TextTable(Text("the fleet", "bold"), head, rows)
    console.print(drawn(table, console.width))
    _print_rest(console, len(summary.cases), limit)


def _print_rest(console: Console, count: int, limit: int | None) -> None:
    if limit is not None and count > limit:
        more = counted(count - limit, "more row")
        console.print(Text(f"{more}: --format json prints all", "dim"))
