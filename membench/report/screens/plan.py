"""Print the cost of a plan for `membench run --dry-run`."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from membench.core.case import Bench
from membench.core.text import counted
from membench.core.units import about_size, format_seconds
from membench.measure.plan import estimate, family_seconds
from membench.report.screens.console import say
from membench.results.plan import Plan


def print_families(console: Console, plan: Plan, benches: Mapping[str, Bench]) -> None:
    """Print the time of each family (module) of benches, in descending order.

    Nothing is printed for a single family.
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
        say(
            console,
            f"The default case of every bench has {counted(plan.rounds, 'round')}; other cases of "
            f"a sweep have fewer. With --rounds {plan.rounds}, every case has {plan.rounds}.",
        )
    console.print()


def print_estimate(console: Console, plan: Plan) -> None:
    """Print the totals of a plan: time, peak memory, and scratch file size.

    Only the number of cases is printed if no case can run.
    """
    cost = estimate(plan)
    runnable = sum(not case.skipped for case in plan.cases)
    cases, rounds = counted(len(plan.cases), "case"), counted(plan.rounds, "round")
    if not runnable:
        say(console, f"0 of {cases} can run here")
        return
    say(
        console,
        f"{runnable} of {cases} can run here; {rounds}: "
        f"about {format_seconds(cost.seconds)}, at most {about_size(cost.memory)} of memory, "
        f"{about_size(cost.disk)} of disk"
        + (f", {about_size(cost.gpu_memory)} of GPU memory" if cost.gpu_memory else ""),
    )
