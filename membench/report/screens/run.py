"""The tables of a run: provisional after the first round, final at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from membench.analysis.derive.links import policies
from membench.core.terms import FLAGS, Stat, Status
from membench.core.units import format_value
from membench.report.screens.blocks import Block, blocks, full_name
from membench.results.schema import Row
from membench.results.staircase import leading

_LISTED = 12
"""Skipped cases of one reason that are named one by one; the file holds them all."""


def print_results(console: Console, rows: Sequence[Row], *, full_ids: bool) -> None:
    """The ok rows as one table a tier and metric, then what was skipped and what failed."""
    shared = _flags_of_all(rows)
    for block in blocks(rows):
        console.print(_block(block, shared, full_ids=full_ids))
    for status in (Status.SKIPPED, Status.FAILED):
        _print_reasons(console, [row for row in rows if row.status is status], status)


def print_flags(console: Console, rows: Sequence[Row]) -> None:
    """What the flags in the tables mean, worst spread first, and how to learn more."""
    counts = Counter(flag for row in rows for flag in row.flags)
    ok = sum(row.status is Status.OK for row in rows)
    for code, flag in FLAGS.items():
        if counts[code]:
            of = "all rows" if counts[code] == ok else f"{counts[code]} of {ok} rows"
            console.print(Text.assemble((code, "yellow"), f" ({of}): {flag.meaning}"))


def headline(rows: Iterable[Row]) -> list[tuple[str, str, str]]:
    """For every tier and metric the best row of that tier: (tier, value with unit, its case)."""
    lines = []
    for block in blocks(leading(tuple(rows))):
        pick = max if block.better == "higher" else min
        best = pick(block.rows, key=lambda row: row.value or 0.0)
        lines.append((str(block.tier), format_value(block.metric, best.value or 0.0), best.case))
    return lines


def print_headline(console: Console, rows: Sequence[Row]) -> None:
    """The best figure of every tier and metric, a line each; nothing where none has one."""
    lines = headline(rows)
    if not lines:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("tier")
    table.add_column("best", justify="right", no_wrap=True)
    table.add_column("case", overflow="fold")
    for tier, value, case in lines:
        table.add_row(Text(tier, "bold"), Text(value, "bold"), case)
    console.print(table)


def print_policies(console: Console, rows: Sequence[Row]) -> None:
    """How an engine should move KV blocks here, a line a direction, where that was measured."""
    for found in policies(rows):
        line = Text.assemble(
            ("kv_policy ", "dim"),
            (found.line, "bold"),
            f"   (loses {found.loss:.1%} at worst; docs/kv-blocks.md explains it)",
        )
        console.print(line, soft_wrap=True)


def _block(block: Block[Row], shared: frozenset[str], *, full_ids: bool) -> RenderableType:
    title = Text.assemble(
        (f"{block.tier} {block.metric}", "bold"),
        f", {block.scale.unit} ({block.better} is better)",
        "" if full_ids or not block.common else f"   {' '.join(block.common)}",
    )
    table = Table(
        title=title,
        title_justify="left",
        title_style="",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
        header_style="dim",
    )
    table.add_column("case", overflow="fold")
    if len({row.stat for row in block.rows}) > 1:
        _fill_by_stat(table, block, shared, full_ids=full_ids)
    else:
        _fill_by_row(table, block, shared, full_ids=full_ids)
    return Padding(table, (1, 0, 0, 0))


def _fill_by_row(
    table: Table, block: Block[Row], shared: frozenset[str], *, full_ids: bool
) -> None:
    """One row a line, with the noise between its rounds."""
    for heading in ("value", "spread", "range"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("flags", style="yellow", overflow="fold")
    show = block.scale.format
    for row, name in zip(block.rows, block.names, strict=True):
        rounds = row.round_values
        table.add_row(
            full_name(row) if full_ids else name,
            show(row.value or 0.0),
            "" if row.spread is None else f"{row.spread:.1%}",
            f"{show(min(rounds))}..{show(max(rounds))}" if len(rounds) > 1 else "",
            " ".join(flag for flag in row.flags if flag not in shared),
        )


def _fill_by_stat(
    table: Table, block: Block[Row], shared: frozenset[str], *, full_ids: bool
) -> None:
    """One case a line, its statistics side by side: a latency and its tail."""
    stats = [stat for stat in Stat if any(row.stat is stat for row in block.rows)]
    for stat in stats:
        table.add_column(str(stat), justify="right", no_wrap=True)
    table.add_column("flags", style="yellow", overflow="fold")
    cases: dict[str, dict[Stat, Row]] = {}
    names: dict[str, str] = {}
    for row, name in zip(block.rows, block.names, strict=True):
        cases.setdefault(row.case, {})[row.stat] = row
        names[row.case] = row.case if full_ids else name.removesuffix(f" {row.stat}")
    for case, found in cases.items():
        flags: dict[str, list[str]] = {}
        for stat, row in found.items():
            for flag in row.flags:
                if flag not in shared:
                    flags.setdefault(flag, []).append(str(stat))
        table.add_row(
            names[case],
            *(
                block.scale.format(found[stat].value or 0.0) if stat in found else ""
                for stat in stats
            ),
            " ".join(
                flag if len(of) == len(found) else f"{flag}({','.join(of)})"
                for flag, of in flags.items()
            ),
        )


def _flags_of_all(rows: Sequence[Row]) -> frozenset[str]:
    """Flags that every ok row carries: said once below the tables instead of in each line."""
    flags = [frozenset(row.flags) for row in rows if row.status is Status.OK]
    return frozenset.intersection(*flags) if len(flags) > 1 else frozenset()


def _print_reasons(console: Console, rows: Sequence[Row], status: Status) -> None:
    if not rows:
        return
    by_reason: dict[str, dict[str, None]] = {}
    for row in rows:
        by_reason.setdefault(row.reason, {})[row.case] = None
    console.print()
    failed = status is Status.FAILED
    style = "red bold" if failed else "bold"
    cases = sum(len(several) for several in by_reason.values())
    console.print(Text(f"{status} {cases}", style))
    for reason, several in by_reason.items():
        console.print(Padding(Text(reason), (0, 0, 0, 2)))
        for line in several if len(several) <= _LISTED or failed else _families(several):
            console.print(Padding(Text(line, "dim", overflow="fold"), (0, 0, 0, 4)))


def _families(cases: Iterable[str]) -> list[str]:
    """Many cases that share a reason, as the number of each family."""
    counts = Counter(case.partition("/")[0] for case in cases)
    counted = ", ".join(f"{family} {count}" for family, count in counts.items())
    return [counted, "(membench list names them all)"]
