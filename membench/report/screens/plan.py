"""Prints planned cases: the tables of `membench list` and `membench run --dry-run`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from membench.core.case import Bench
from membench.core.units import about_size, format_seconds, significant
from membench.measure.plan import estimate, family_seconds
from membench.report.screens.run import LISTED, print_grouped
from membench.report.screens.text_table import TextTable, print_table
from membench.results.plan import Plan, PlannedCase


def print_cases(
    console: Console, cases: Iterable[PlannedCase], *, everything: bool = False
) -> None:
    """Print a line per case that can run (id, tier, seconds per round, memory), then the others.

    The other cases are grouped by reason. The memory is host memory, or GPU memory if the case uses
    mainly that.

    Args:
        everything: whether to list every case that cannot run, even if many share a reason.
    """
    rows: list[tuple[str, ...]] = []
    by_reason: dict[str, list[str]] = {}
    for case in cases:
        if case.skipped:
            by_reason.setdefault(case.skipped, []).append(case.id)
            continue
        memory = case.memory or case.gpu_memory
        cost = (significant(case.seconds, 2), about_size(memory) if memory else "")
        rows.append((case.id, *cost, str(case.tier)))
    if rows:
        head = ("case", "s/round", "memory", "tier")
        print_table(console, TextTable(None, head, tuple(rows)))
    if rows and by_reason:
        console.print()
    print_grouped(console, "cannot run here", by_reason, whole=everything)
    if not everything and any(len(several) > LISTED for several in by_reason.values()):
        console.print(Text("membench list --all names them", "dim"))


def print_families(console: Console, plan: Plan, benches: Mapping[str, Bench]) -> None:
    """Print one line per family of benches: the time of all its rounds, and its share of the plan.

    The longest family comes first. Nothing is printed if the plan has only one family.
    """
    family = {case.bench: benches[case.bench].family for case in plan.cases}
    seconds = family_seconds(plan, lambda case: family[case.bench])
    if len(seconds) < 2:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("benches", overflow="fold")
    for title in ("cases", "rounds", "in all", "share"):
        table.add_column(title, justify="right", no_wrap=True)
    whole = estimate(plan).seconds
    for name, cost in seconds.items():
        own = [case for case in plan.cases if family[case.bench] == name and not case.skipped]
        rounds = sorted({plan.rounds_of(case) for case in own}, reverse=True)
        table.add_row(
            " ".join(dict.fromkeys(case.bench for case in own)),
            str(len(own)),
            ", ".join(map(str, rounds)),
            format_seconds(cost),
            f"{cost / whole:.0%}",
        )
    rest = whole - sum(seconds.values())
    table.add_row(
        "(starting rounds, scratch file)", "", "", format_seconds(rest), f"{rest / whole:.0%}"
    )
    console.print()
    console.print(table)
    if any(case.rounds and not benches[case.bench].rounds for case in plan.cases):
        console.print(
            f"The default of every bench is measured in {plan.rounds} rounds, the other points "
            f"of its sweep in fewer; --rounds {plan.rounds} measures all in {plan.rounds}.",
            soft_wrap=True,
        )
    console.print()


def print_estimate(console: Console, plan: Plan) -> None:
    """Print the totals of a plan: time, peak memory of host and GPU, size of the scratch file."""
    cost = estimate(plan)
    runnable = sum(not case.skipped for case in plan.cases)
    rounds = "1 round" if plan.rounds == 1 else f"{plan.rounds} rounds"
    console.print(
        f"{runnable} of {len(plan.cases)} cases can run here; {rounds}: "
        f"about {format_seconds(cost.seconds)}, at most {about_size(cost.memory)} of memory, "
        f"{about_size(cost.disk)} of disk"
        + (f", {about_size(cost.gpu_memory)} of GPU memory" if cost.gpu_memory else ""),
        soft_wrap=True,
    )
