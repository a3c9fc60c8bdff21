"""The last screen of a run: what the machine delivers, how far to trust it, and what to do next."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.text import Text

from membench.core.files import shown
from membench.core.terms import Status
from membench.core.text import one_line, shell_word
from membench.core.units import format_seconds
from membench.measure.run import RunOutcome, Wall
from membench.report.screens.console import is_terminal
from membench.report.screens.run import print_flags, print_headline, print_policies, print_results
from membench.results.paths import sidecar_path

NOISY_SHARE = 0.25
"""Share of noisy rows above which the machine is disturbed, and more rounds are no remedy."""


def print_outcome(console: Console, outcome: RunOutcome) -> None:
    """Tables, the best figure of every tier, flags, files, and the next command."""
    console.print()
    if outcome.csv is None:
        console.print("Interrupted before the first case was measured; nothing was written.")
        return
    print_results(console, outcome.rows, full_ids=not is_terminal())
    console.print()
    print_headline(console, outcome.rows)
    print_policies(console, outcome.rows)
    console.print()
    print_flags(console, outcome.rows)
    console.print(Text(_counts(outcome), "bold"))
    console.print(_wall(outcome.wall), soft_wrap=True)
    what = "Partial results" if outcome.signum else "Results"
    files = f"{shown(outcome.csv)} and {shown(Path(sidecar_path(outcome.csv).name))}"
    console.print(Text(f"{what}: {files}"), soft_wrap=True)
    console.print(Text(f"Next: {one_line(_next(outcome))}", "bold"), soft_wrap=True)
    if not outcome.signum and any(row.status is Status.OK for row in outcome.rows):
        console.print(Text(f"Then: {one_line(_then(outcome))}"), soft_wrap=True)


def _counts(outcome: RunOutcome) -> str:
    cases = {row.case: row.status for row in outcome.rows}
    counts = Counter(cases.values())
    words = ", ".join(f"{counts[status]} {status}" for status in Status if counts[status])
    rounds = max((row.rounds or 0 for row in outcome.rows), default=0)
    return f"{len(cases)} cases: {words}; {rounds} of {outcome.plan.rounds} rounds"


def _wall(wall: Wall) -> str:
    def share(seconds: float) -> str:
        return f"{seconds / wall.total:.0%}" if wall.total > 0 else "0%"

    return (
        f"{format_seconds(wall.total)}: {share(wall.measuring)} measuring, "
        f"{share(wall.filling)} filling, {share(wall.verifying)} verifying, "
        f"{share(wall.overhead)} overhead"
    )


def _next(outcome: RunOutcome) -> str:
    """The one command that helps most now."""
    assert outcome.csv is not None
    if outcome.signum:
        return f"membench run --resume {shell_word(outcome.again or outcome.csv)}"
    failed = next((row for row in outcome.rows if row.status is Status.FAILED), None)
    if failed is not None:
        return f"membench -v run --rounds 1 --select {shell_word(failed.case)}"
    ok = sum(row.status is Status.OK for row in outcome.rows)
    noisy = sum("noisy" in row.flags for row in outcome.rows)
    if noisy > NOISY_SHARE * ok:
        return "membench doctor    (many rows are noisy: it looks for what disturbs)"
    if noisy:
        return "membench run --rounds 10    (some rows are noisy: membench explain noisy)"
    page = sidecar_path(outcome.csv).with_suffix(".html")
    return f"membench report {shell_word(outcome.csv)} -o {shell_word(page)}"


def _then(outcome: RunOutcome) -> str:
    """What the numbers are for: advice where a GPU was measured, else a comparison."""
    assert outcome.csv is not None
    if any(row.backend == "cuda" and row.status is Status.OK for row in outcome.rows):
        return f"membench advise {shell_word(outcome.csv)} --model llama-3.1-8b --context 32768"
    csv = shell_word(outcome.csv)
    return f"membench compare {csv} ANOTHER.csv    (another machine, or this one later)"
