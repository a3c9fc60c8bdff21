"""Print the rows of a run as tables, and the skipped and failed cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from membench.core.terms import FLAGS, Metric, Stat, Status
from membench.core.text import counted
from membench.core.units import common_scale
from membench.report.screens.blocks import Block, blocks, full_name
from membench.report.screens.plain import named
from membench.report.screens.text_table import TextTable, drawn
from membench.results.schema import Row


def print_rows(console: Console, rows: Sequence[Row], *, full_ids: bool) -> None:
    """Print the ok rows, one table per tier and metric.

    One table shows bandwidth and IOPS if every case of the tier with IOPS also has a bandwidth, and
    if each of the two metrics has only one statistic.
    """
    shared = flags_of_all(rows)
    for block, operations in _beside(blocks(rows)):
        table = _table(block, operations, shared, full_ids=full_ids)
        console.print(Padding(drawn(table, console.width), (1, 0, 0, 0)))


def print_flags(console: Console, rows: Sequence[Row]) -> None:
    counts = Counter(flag for row in rows for flag in row.flags)
    ok = sum(row.status is Status.OK for row in rows)
    for code, flag in FLAGS.items():
        if counts[code]:
            of = "all rows" if counts[code] == ok else f"{counts[code]} of {counted(ok, 'row')}"
            console.print(Text.assemble((code, "yellow"), f" ({of}): {flag.meaning}"))


def flags_of_all(rows: Sequence[Row]) -> frozenset[str]:
    """The flags that every ok row has; empty for fewer than two ok rows."""
    flags = [frozenset(row.flags) for row in rows if row.status is Status.OK]
    return frozenset.intersection(*flags) if len(flags) > 1 else frozenset()


def _beside(found: Sequence[Block[Row]]) -> Iterator[tuple[Block[Row], Mapping[str, Row]]]:
    """Pairs (block to print, case id -> row of IOPS in the same table).

    The block of IOPS is left out if another table shows all its rows.
    """
    operations = {
        block.tier: {row.case: row for row in block.rows}
        for block in found
        if block.metric is Metric.IOPS
    }
    several = {
        block.tier
        for block in found
        if len({row.stat for row in block.rows}) > 1
        and block.metric in (Metric.BANDWIDTH, Metric.IOPS)
    }
    covered = {
        block.tier: block.tier not in several
        and operations.get(block.tier, {}).keys() <= {row.case for row in block.rows}
        for block in found
        if block.metric is Metric.BANDWIDTH
    }
    for block in found:
        if block.metric is Metric.BANDWIDTH and covered[block.tier]:
            yield block, operations.get(block.tier, {})
        elif not (block.metric is Metric.IOPS and covered.get(block.tier)):
            yield block, {}


def _table(
    block: Block[Row], operations: Mapping[str, Row], shared: frozenset[str], *, full_ids: bool
) -> TextTable:
    what = f"{block.tier} {block.metric}"
    unit = block.scale.unit
    several = len({row.stat for row in block.rows}) > 1
    if operations and not several:
        what, unit = f"{what} and IOPS", f"{unit} and 1/s"
    title = Text.assemble(
        (what, "bold"),
        f", {unit} ({block.better} is better)",
        "" if full_ids or not block.common else f"   {' '.join(block.common)}",
    )
    if several:
        head, rows = _by_stat(block, shared, full_ids=full_ids)
    else:
        head, rows = _by_row(block, operations, shared, full_ids=full_ids)
    return TextTable(title, head, tuple(rows))


def _by_row(
    block: Block[Row], operations: Mapping[str, Row], shared: frozenset[str], *, full_ids: bool
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """(headers, lines) with one line per row: value, spread, range of rounds, flags."""
    show = block.scale.format
    scale = common_scale(Metric.IOPS, [row.value or 0.0 for row in operations.values()])
    rows = []
    for row, name in zip(block.rows, block.names, strict=True):
        rounds = row.round_values
        per_second = operations.get(row.case)
        iops = "" if per_second is None else scale.format(per_second.value or 0.0)
        rows.append(
            (
                full_name(row) if full_ids else name,
                show(row.value or 0.0),
                *((iops,) if operations else ()),
                "" if row.spread is None else f"{row.spread:.1%}",
                f"{show(min(rounds))}..{show(max(rounds))}" if len(rounds) > 1 else "",
                " ".join(flag for flag in row.flags if flag not in shared),
            )
        )
    value = (block.scale.unit, scale.unit) if operations else ("value",)
    return ("case", *value, "spread", "range", "flags"), rows


def _by_stat(
    block: Block[Row], shared: frozenset[str], *, full_ids: bool
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """(headers, lines) with one line per case and one column per statistic."""
    stats = [stat for stat in Stat if any(row.stat is stat for row in block.rows)]
    cases: dict[str, dict[Stat, Row]] = {}
    names: dict[str, str] = {}
    for row, name in zip(block.rows, block.names, strict=True):
        cases.setdefault(row.case, {})[row.stat] = row
        names[row.case] = row.case if full_ids else name.removesuffix(f" {row.stat}")
    rows = []
    for case, found in cases.items():
        flags: dict[str, list[str]] = {}
        for stat, row in found.items():
            for flag in row.flags:
                if flag not in shared:
                    flags.setdefault(flag, []).append(str(stat))
        rows.append(
            (
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
        )
    return ("case", *map(str, stats), "flags"), rows


def nothing_measured(rows: Sequence[Row]) -> str:
    """A sentence for a run without a value, with the most frequent reason."""
    cases = {row.case: f"{row.status}: {row.reason}" for row in rows}
    (reason, most), *others = Counter(cases.values()).most_common()
    which = f"{most} of {counted(len(cases), 'case')}" if others else counted(most, "case")
    return f"Nothing was measured: {which} {reason}"


def print_reasons(console: Console, rows: Sequence[Row], *, everything: bool = False) -> None:
    """Print the ids of failed cases, then of skipped cases.

    Without ``everything``, more than `plain.LISTED` skipped cases with one reason are only counted.
    """
    for status in (Status.FAILED, Status.SKIPPED):
        by_reason: dict[str, dict[str, None]] = {}
        for row in rows:
            if row.status is status:
                by_reason.setdefault(row.reason, {})[row.case] = None
        whole = everything or status is Status.FAILED
        print_grouped(console, str(status), by_reason, whole=whole)


def print_grouped(
    console: Console, what: str, by_reason: Mapping[str, Iterable[str]], *, whole: bool
) -> None:
    """Print each reason with its cases.

    Without ``whole``, more than `plain.LISTED` cases with one reason are only counted. ``what`` is
    the state of the cases, such as ``failed``.
    """
    for reason, cases in by_reason.items():
        several = [*cases]
        head = Text(f"{len(several)} {what}", "red bold" if what == Status.FAILED else "bold")
        console.print(Text.assemble(head, f": {reason}"))
        for line in named(several, whole=whole):
            console.print(Padding(Text(line, "dim", overflow="fold"), (0, 0, 0, 2), expand=False))
