"""Print the explanation of a flag or a bench for `membench explain`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from membench.core.axes import AUTO
from membench.core.case import Bench, Case
from membench.core.terms import BETTER, UNIT, Flag
from membench.core.text import counted
from membench.core.units import format_size
from membench.report.screens.console import say
from membench.report.screens.explain_topics import counting, dangers, next_steps

_OF_OTHER_TOOLS = frozenset({"best-of", "short-run"})
"""Flags of imported results, for which `membench doctor` finds no cause."""


def print_flag(console: Console, flag: Flag) -> None:
    console.print(Text(flag.code, "bold"))
    say(console, f"What: {flag.meaning}")
    say(console, f"How bad: {flag.weight}")
    say(console, f"What to do: {flag.remedy}")
    if flag.code not in _OF_OTHER_TOOLS:
        _print_next(console, ("membench doctor",))


def print_bench(console: Console, bench: Bench, cases: dict[str, list[Case]]) -> None:
    """Print a bench; ``cases`` maps each profile to the cases of the bench."""
    console.print(Text(bench.name, "bold"))
    console.print(Text(bench.description or "(not described)"))
    console.print()
    for metric, stat in bench.yields:
        console.print(f"Yields: {metric} ({stat}), {UNIT[metric]}, {BETTER[metric]} is better")
    if bench.needs:
        console.print(f"Needs: {', '.join(sorted(bench.needs))}")
    console.print(f"Version: {bench.version} (results of different versions are not compared)")
    for profile, several in cases.items():
        if not several:
            continue
        values: dict[str, dict[str, None]] = {}
        for case in several:
            for name, value in case.params:
                text = _asked(case, name)
                shown = f"{AUTO} (here {format_size(int(value))})" if text == AUTO else text
                values.setdefault(name, {})[shown] = None
        axes = "; ".join(f"{name}={','.join(texts)}" for name, texts in values.items())
        say(console, f"{profile}: {counted(len(several), 'case')}; {axes}")
    console.print()
    say(console, f"Bytes counted: {counting(bench)}")
    console.print("Possible problems (each is a flag in the results):")
    for flag in dangers(bench):
        say(console, f"{flag.code}: {flag.meaning}", indent=2)
    _print_next(console, next_steps(bench, quick=bool(cases["quick"])))


def _asked(case: Case, name: str) -> str:
    start = f"{name}="
    return next((part[len(start) :] for part in case.id.split("/") if part.startswith(start)), "")


def _print_next(console: Console, commands: Sequence[str]) -> None:
    console.print("Next:")
    for command in commands:
        console.print(Text(f"  {command}"), soft_wrap=True)
