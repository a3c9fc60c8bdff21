"""Print the configurations A and B before a paired run, and their comparison after the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.text import Text

from membench.analysis.comparison import compare
from membench.analysis.sides import make_sides
from membench.analysis.sources import read_source
from membench.benches import registry
from membench.core.files import shown
from membench.core.text import counted, one_line, shell_word
from membench.measure.paired.preparing import Half
from membench.measure.paired.run import PairedOutcome
from membench.measure.paired.sides import SIDES
from membench.measure.run import resume_command
from membench.report.screens.cases import print_cases
from membench.report.screens.compare.screen import print_comparison
from membench.report.screens.compare.view import arrange
from membench.report.screens.console import is_terminal, say, say_command
from membench.report.screens.interrupted import NOTHING
from membench.report.screens.plan import print_estimate, print_families
from membench.report.screens.run import nothing_measured

_NAMES = "'membench list --all', with the same --profile and --select, names all these cases"


def print_sides(console: Console, half: Half) -> None:
    """Print the differences between A and B, the order of the rounds, and the set-up."""
    pairing, rounds = half.pairing, half.prepared.plan.rounds
    for side, change in zip(SIDES, ("", pairing.versus), strict=True):
        setup = replace(pairing, side=side).setup
        words = [one_line(change) if change else "as started"]
        words += [f"after: {one_line(setup)}"] if setup else []
        say(console, f"{side.upper()}: {', '.join(words)}")
    pairs = [*("A B", "B A", "A B")[:rounds], *["..."] * (rounds > 3)]
    console.print(f"{counted(rounds, 'pair')} of rounds, in the order {', '.join(pairs)}")
    if pairing.setup_a or pairing.setup_b:
        say(
            console,
            "A set-up command runs before each round of A or B. membench does not undo it.",
        )


def print_paired_plan(console: Console, halves: Sequence[Half]) -> None:
    """Print the difference between A and B, the cases of A, and the time of A and B together."""
    plan = halves[0].prepared.plan
    print_sides(console, halves[0])
    print_cases(plan.cases, more=_NAMES)
    both = replace(plan, rounds=2 * plan.rounds)
    print_families(console, both, registry().benches)
    print_estimate(console, both)


def print_paired(console: Console, outcome: PairedOutcome) -> None:
    console.print()
    files = [one.csv for one in outcome.sides if one.csv is not None]
    if not files:
        console.print(NOTHING)
        return
    if len(files) == len(SIDES):
        _print_comparison(console, files)
    pairing = outcome.sides[0].plan.pair
    if pairing is not None and (pairing.setup_a or pairing.setup_b):
        say(console, "The machine is in the state that the last set-up command left.")
    what = "Partial results" if outcome.signum else "Results"
    console.print(Text(f"{what}: {' and '.join(map(shown, files))}"), soft_wrap=True)
    rows = [row for one in outcome.sides for row in one.rows]
    if all(row.value is None for row in rows):
        say(console, nothing_measured(rows), "bold yellow")
        if not outcome.signum:
            return
    again = outcome.sides[0].again
    if outcome.signum and again is not None:
        following = resume_command(again, pairing)
    else:
        given = (
            f"{side.upper()}={shell_word(file)}" for side, file in zip(SIDES, files, strict=True)
        )
        following = f"membench compare {' '.join(given)}"
    say_command(console, "Next: ", following)


def _print_comparison(console: Console, files: Sequence[Path]) -> None:
    sources = [(side.upper(), read_source(file)) for side, file in zip(SIDES, files, strict=True)]
    comparison = compare(make_sides(sources))
    print_comparison(console, comparison, arrange(comparison), full_ids=not is_terminal())
