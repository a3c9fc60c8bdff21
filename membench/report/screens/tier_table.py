"""Print the best results of a machine as a table with one line per tier."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from membench.analysis.check.rule import CheckVerdict
from membench.analysis.ladder import Rung
from membench.core.terms import Metric
from membench.report.screens.judged import JudgedRung, best_text, share_text, verdict_text

_COLUMNS: tuple[tuple[str, tuple[Metric, ...]], ...] = (
    ("bandwidth", (Metric.BANDWIDTH,)),
    ("latency", (Metric.LATENCY,)),
    ("IOPS, FLOP/s", (Metric.IOPS, Metric.FLOPS)),
)
STYLES = {
    CheckVerdict.GOOD: "green",
    CheckVerdict.LOOK: "yellow",
    CheckVerdict.NOT_JUDGED: "dim",
    CheckVerdict.FAULT: "bold red",
    CheckVerdict.FAIL: "bold red",
}


def tier_table(found: Sequence[JudgedRung], shared: Collection[str] = ()) -> Table:
    """One line per tier: best values, verdict, and flags except ``shared``.

    The column "of ref" has the result of `share_text`.
    """
    present = {metric for one in found for metric in one.rung.best}
    columns = [(title, metrics) for title, metrics in _COLUMNS if present & {*metrics}]
    judged = any(one.lines for one in found)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("tier", no_wrap=True)
    for title, _ in columns:
        table.add_column(title, justify="right", no_wrap=True)
    if judged:
        table.add_column("of ref", justify="right", no_wrap=True)
        table.add_column("verdict", no_wrap=True)
    table.add_column("flags", style="yellow", overflow="fold")
    for one in found:
        values = (Text(value_text(one.rung, metrics), "bold") for _, metrics in columns)
        line = one.line
        style = "" if line is None else STYLES[line.verdict]
        verdict = (share_text(one), Text(verdict_text(one), style)) if judged else ()
        flags = " ".join(flag for flag in one.rung.flags if flag not in shared)
        table.add_row(Text(rung_text(one.rung), "bold"), *values, *verdict, flags)
    return table


def rung_text(rung: Rung) -> str:
    """The tier, such as ``hbm``; ``peer`` for the links between GPUs."""
    return "peer" if rung.peer else str(rung.tier)


def value_text(rung: Rung, metrics: Sequence[Metric]) -> str:
    """The best value of the first of ``metrics`` that the tier has; empty if it has none."""
    row = next((rung.best[metric] for metric in metrics if metric in rung.best), None)
    return "" if row is None else best_text(row)


def print_tiers(
    console: Console, found: Sequence[JudgedRung], shared: Collection[str] = ()
) -> None:
    """Print the result of `tier_table`, or a sentence if no tier has a representative result."""
    if found:
        console.print(tier_table(found, shared))
    else:
        console.print("No tier has a representative result: --all shows every row.")
