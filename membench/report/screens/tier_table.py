"""The machine in a table: a line for each tier that has a best figure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from membench.analysis.ladder import Rung
from membench.core.terms import Metric
from membench.core.units import format_value

_COLUMNS: tuple[tuple[str, tuple[Metric, ...]], ...] = (
    ("bandwidth", (Metric.BANDWIDTH,)),
    ("latency", (Metric.LATENCY,)),
    ("IOPS, FLOP/s", (Metric.IOPS, Metric.FLOPS)),
)


def tier_table(rungs: Sequence[Rung], shared: Collection[str] = ()) -> Table:
    """A line a rung: its best figures, and the flags that they carry beside the ``shared`` ones."""
    present = {metric for rung in rungs for metric in rung.best}
    columns = [(title, metrics) for title, metrics in _COLUMNS if present & {*metrics}]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("tier", no_wrap=True)
    for title, _ in columns:
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("flags", style="yellow", overflow="fold")
    for rung in rungs:
        table.add_row(
            Text(rung_text(rung), "bold"),
            *(Text(value_text(rung, metrics), "bold") for _, metrics in columns),
            " ".join(flag for flag in rung.flags if flag not in shared),
        )
    return table


def rung_text(rung: Rung) -> str:
    """``hbm``; the link between GPUs is told from that to the host."""
    return "peer" if rung.peer else str(rung.tier)


def value_text(rung: Rung, metrics: Sequence[Metric]) -> str:
    """The value of the first of ``metrics`` that the rung has, with its unit."""
    row = next((rung.best[metric] for metric in metrics if metric in rung.best), None)
    return "" if row is None else format_value(row.metric, row.value or 0.0)


def print_tiers(console: Console, rungs: Sequence[Rung], shared: Collection[str] = ()) -> None:
    """The table, or one line where there is nothing to put into it."""
    if rungs:
        console.print(tier_table(rungs, shared))
    else:
        console.print("No tier has a figure that may stand for it: --all shows every row.")
