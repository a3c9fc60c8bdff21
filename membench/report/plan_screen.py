"""What would be measured: the tables of `membench list` and `membench run --dry-run`."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from membench.measure.plan import estimate
from membench.record.plan import Plan, PlannedCase
from membench.units import about_size, format_seconds, significant


def print_cases(console: Console, cases: Iterable[PlannedCase]) -> None:
    """One line a case: id, tier, seconds a round, memory, and why it cannot run here.

    The memory is the host's, or the GPU's where a case fills that.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("case", overflow="fold")
    table.add_column("tier")
    table.add_column("s/round", justify="right", no_wrap=True)
    table.add_column("memory", justify="right", no_wrap=True)
    table.add_column("here", overflow="fold")
    for case in cases:
        table.add_row(
            case.id,
            str(case.tier),
            significant(case.seconds, 2),
            about_size(case.memory or case.gpu_memory) if case.memory or case.gpu_memory else "",
            Text(case.skipped, "yellow") if case.skipped else "yes",
        )
    console.print(table)


def print_estimate(console: Console, plan: Plan) -> None:
    """The sums of a plan: time, peak memory, bytes of scratch file, peak memory of a GPU."""
    cost = estimate(plan)
    runnable = sum(not case.skipped for case in plan.cases)
    console.print(
        f"{runnable} of {len(plan.cases)} cases can run here; {plan.rounds} rounds: "
        f"about {format_seconds(cost.seconds)}, at most {about_size(cost.memory)} of memory, "
        f"{about_size(cost.disk)} of disk"
        + (f", {about_size(cost.gpu_memory)} of GPU memory" if cost.gpu_memory else ""),
        soft_wrap=True,
    )
