"""Print the files of a run that a signal ended early, and the command that completes the run."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text

from membench.core.files import shown
from membench.core.text import shell_word
from membench.measure.run import RunOutcome
from membench.report.screens.console import say_command
from membench.results.paths import sidecar_path

NOTHING = "Interrupted before the first case was measured; nothing was written."


def print_interrupted(console: Console, outcome: RunOutcome) -> None:
    """Print, after an interrupted check, how to complete the run and then check its results."""
    if outcome.csv is None:
        console.print(NOTHING)
        return
    console.print("Interrupted: a check judges only complete results.")
    print_files(console, outcome)
    again = shell_word(outcome.again or outcome.csv)
    say_command(console, "Next: ", f"membench run --resume {again}")
    say_command(console, "Then: ", f"membench check {again}")


def print_files(console: Console, outcome: RunOutcome) -> None:
    assert outcome.csv is not None
    what = "Partial results" if outcome.signum else "Results"
    files = f"{shown(outcome.csv)} and {shown(Path(sidecar_path(outcome.csv).name))}"
    console.print(Text(f"{what}: {files}"), soft_wrap=True)
