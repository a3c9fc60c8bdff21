"""Print the explanation of a flag or a bench for `membench explain`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from membench.core.axes import AUTO, Value
from membench.core.case import Bench, Case
from membench.core.terms import BETTER, UNIT, Flag
from membench.core.text import counted
from membench.core.units import about_size, format_size, significant
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


def print_case(console: Console, case: Case, why_not: str) -> None:
    """Print the axis values and the cost of ``case``; ``why_not`` is empty if it can run here."""
    console.print(Text(case.id, "bold"), soft_wrap=True)
    values = [f"{name}={_shown(case, name, value)}" for name, value in case.params]
    say(console, f"Values: {', '.join(one for one in values if not one.endswith('='))}")
    costs = [f"about {significant(case.seconds, 2)} s per round"]
    costs += [f"{about_size(case.memory)} of memory"] if case.memory else []
    costs += [f"{about_size(case.gpu_memory)} of GPU memory"] if case.gpu_memory else []
    costs += [f"a file of {about_size(case.disk)}"] if case.disk else []
    say(console, f"Cost: {', '.join(costs)}")
    say(console, f"Here: cannot run: {why_not}" if why_not else "Here: can run")
    console.print()


def print_flags(console: Console, benches: Sequence[Bench]) -> None:
    """Print the meaning of each flag that rows of ``benches`` are likely to have."""
    console.print("Possible problems (each is a flag in the results):")
    for flag in dict.fromkeys(flag for bench in benches for flag in dangers(bench)):
        say(console, f"{flag.code}: {flag.meaning}", indent=2)


def print_bench(
    console: Console, bench: Bench, cases: dict[str, list[Case]], *, alone: bool = True
) -> None:
    """Print the description, the values, the flags and the next commands of ``bench``.

    Args:
        cases: for each profile, the cases of the bench.
        alone: whether to print each flag with its meaning (True) or only its code (False).
    """
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
                values.setdefault(name, {})[_shown(case, name, value)] = None
        axes = "; ".join(
            f"{name}={','.join(text or '(left out)' for text in texts)}"
            for name, texts in values.items()
            if any(texts)
        )
        say(console, f"{profile}: {counted(len(several), 'case')}; {axes}")
    console.print()
    say(console, f"Bytes counted: {counting(bench)}")
    if alone:
        print_flags(console, [bench])
    else:
        say(console, f"Possible flags: {', '.join(flag.code for flag in dangers(bench))}")
    _print_next(console, next_steps(bench, quick=bool(cases["quick"])))


def _shown(case: Case, name: str, value: Value) -> str:
    """The value of the axis ``name`` in the case id, or ``auto (here 64MiB)``.

    The text is empty if the id leaves the axis out.
    """
    text = _asked(case, name)
    return f"{AUTO} (here {format_size(int(value))})" if text == AUTO else text


def _asked(case: Case, name: str) -> str:
    start = f"{name}="
    return next((part[len(start) :] for part in case.id.split("/") if part.startswith(start)), "")


def _print_next(console: Console, commands: Sequence[str]) -> None:
    console.print("Next:")
    for command in commands:
        console.print(Text(f"  {command}"), soft_wrap=True)
