"""Print the end of a run: the results, the data quality, and the next command."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from membench.analysis.check.machine import MachineCheck
from membench.analysis.check.requirements import Requirements, failures
from membench.analysis.quality import NOISY, Grade, Quality, quality
from membench.core.errors import MembenchError
from membench.core.terms import Status
from membench.core.text import counted, shell_word
from membench.core.units import format_seconds
from membench.measure.run import RunOutcome, Wall
from membench.report.screens.card import card
from membench.report.screens.console import is_terminal, say, say_command
from membench.report.screens.interrupted import NOTHING, print_files
from membench.report.screens.judged import JudgedRung, checked, judged_ladder
from membench.report.screens.kv_policy import print_policies
from membench.report.screens.run import (
    flags_of_all,
    nothing_measured,
    print_flags,
    print_reasons,
    print_rows,
)
from membench.report.screens.serving import serving, serving_sentence
from membench.report.screens.tier_table import print_tiers
from membench.results.paths import sidecar_path
from membench.results.sidecar import read_sidecar

NOISY_SHARE = 0.25
"""Share of noisy rows above which other load is likely, so that more rounds do not help."""

_MANY_ROUNDS = 10
"""Number of rounds to recommend if some rows are noisy; after more rounds, look for causes."""

_FAILURES = 3
"""Maximum number of failures of a check to print; `membench check` prints all failures."""

_ALWAYS = frozenset({"noisy", "single-round"})
"""Flags to print in the table of tiers even if all rows have the flag."""
_GRADES = {
    Grade.NONE: "none",
    Grade.CITED: "cited",
    Grade.UNKNOWN: "unknown (one round does not show the noise)",
    Grade.GOOD: "good",
    Grade.FAIR: "fair",
    Grade.POOR: "poor",
}


def print_outcome(
    console: Console, outcome: RunOutcome, *, everything: bool = False, paste: bool = False
) -> None:
    """Print the best results of every tier, the data quality, the files, and the next command.

    ``everything`` adds every row, the meaning of each flag, and the ids of all skipped cases.
    ``paste`` adds the card.
    """
    console.print()
    if outcome.csv is None:
        console.print(NOTHING)
        return
    rows = outcome.rows
    found = quality(rows)
    if everything:
        print_rows(console, rows, full_ids=not is_terminal())
        console.print()
    check = _check(outcome) if found.rows else None
    tiers = judged_ladder(rows, check)
    if found.rows:
        _print_judged(console, outcome, check, tiers)
    print_reasons(console, rows, everything=everything)
    console.print(Text(_counts(outcome, found), "bold"))
    if everything:
        print_flags(console, rows)
    elif found.flags:
        console.print(_flags(found))
    print_policies(console, rows)
    sentence = f"{serving_sentence(serving(rows, outcome.machine))}."
    if found.rows:
        console.print(Text(sentence))
    _print_files(console, outcome, found, check)
    if paste and found.rows:
        console.print()
        references = check.references if check is not None else ()
        remarks = ", ".join(filter(None, (_GRADES[found.grade], *found.flags)))
        for line in card(outcome, tiers, sentence, references, f"data quality {remarks}"):
            console.print(Text(line), soft_wrap=True)


def _print_judged(
    console: Console,
    outcome: RunOutcome,
    check: MachineCheck | None,
    tiers: Sequence[JudgedRung],
) -> None:
    print_tiers(console, tiers, flags_of_all(outcome.rows) - _ALWAYS)
    if check is not None:
        console.print(Text(_held(check), "dim"))
        for failure in failures(check, Requirements())[:_FAILURES]:
            console.print(Text(f"The check failed: {failure}", "bold red"))
    console.print()


def _print_files(
    console: Console, outcome: RunOutcome, found: Quality, check: MachineCheck | None
) -> None:
    assert outcome.csv is not None
    print_files(console, outcome)
    if not found.rows:
        say(console, nothing_measured(outcome.rows), "bold yellow")
    if found.rows or outcome.signum or outcome.failed:
        say_command(console, "Next: ", *_next(outcome, found, check))
    if not outcome.signum and found.rows:
        say_command(console, "Then: ", *_then(outcome))


def _check(outcome: RunOutcome) -> MachineCheck | None:
    """The check of the run; None without a reference, or if the check raises an error."""
    assert outcome.csv is not None
    try:
        return checked(outcome.rows, outcome.machine, read_sidecar(outcome.csv))
    except MembenchError:
        return None


def _held(check: MachineCheck) -> str:
    judged = len(check.judged)
    lines = counted(len(check.lines), "line")
    held = f"Compared with {', '.join(check.references)}: {judged} of {lines} judged"
    return f"{held}; the table shows the worst of each tier   (membench check FILE shows all)"


def _counts(outcome: RunOutcome, found: Quality) -> str:
    words = ", ".join(
        f"{found.cases[status]} {status}" for status in Status if found.cases.get(status)
    )
    cases = counted(sum(found.cases.values()), "case")
    if not found.rows:
        return f"{cases}: {words}"
    spent = _wall(outcome.wall)
    done = (
        f"{_progress(outcome)}; {spent}"
        if outcome.wall.resumed
        else f"{_progress(outcome)} in {spent}"
    )
    return f"{cases}: {words}; {done}; data quality {_GRADES[found.grade]}"


def _progress(outcome: RunOutcome) -> str:
    """A text such as ``3 of 3 rounds``; if interrupted, such as ``7 of 90 measurements``."""
    plan = outcome.plan
    rounds = {row.case: row.rounds for row in outcome.rows if row.status is Status.OK}
    if outcome.signum:
        planned = sum(plan.rounds_of(case) for case in plan.cases if not case.skipped)
        return f"{sum(rounds.values())} of {counted(planned, 'measurement')}"
    return f"{max(rounds.values(), default=0)} of {counted(plan.rounds, 'round')}"


def _wall(wall: Wall) -> str:
    def share(seconds: float) -> str:
        return f"{seconds / wall.total:.0%}" if wall.total > 0 else "0%"

    since = " since --resume" if wall.resumed else ""
    return (
        f"{format_seconds(wall.total)}{since} ({share(wall.measuring)} measuring, "
        f"{share(wall.filling)} filling, {share(wall.verifying)} verifying, "
        f"{share(wall.overhead)} overhead)"
    )


def _flags(found: Quality) -> Text:
    """A text such as ``Flags, of 72 rows: noisy 12, vm all``."""
    counts = [
        f"{code} {'all' if count == found.rows else count}" for code, count in found.flags.items()
    ]
    first = next(iter(found.flags))
    return Text.assemble(
        f"Flags, of {counted(found.rows, 'row')}: ",
        (", ".join(counts), "yellow"),
        f"   (membench explain {first})",
    )


def _next(outcome: RunOutcome, found: Quality, check: MachineCheck | None) -> tuple[str, str]:
    """The most useful next command, and a reason (may be empty)."""
    assert outcome.csv is not None
    if outcome.signum:
        return f"membench run --resume {shell_word(outcome.again or outcome.csv)}", ""
    failed = next((row for row in outcome.rows if row.status is Status.FAILED), None)
    if failed is not None:
        return f"membench -v run --rounds 1 --select {shell_word(failed.case)}", ""
    if check is not None and failures(check, Requirements()):
        return f"membench check {shell_word(outcome.csv)}", "lists all failures"
    noisy = found.flags.get(NOISY, 0)
    if noisy > NOISY_SHARE * found.rows:
        return "membench doctor", "many rows are noisy: doctor looks for causes"
    if noisy and outcome.plan.rounds < _MANY_ROUNDS:
        return (
            _with_more_rounds(outcome.plan.argv),
            "some rows are noisy: see membench explain noisy",
        )
    if noisy:
        return "membench doctor", "some rows are noisy: doctor looks for causes"
    page = sidecar_path(outcome.csv).with_suffix(".html")
    return f"membench report {shell_word(outcome.csv)} -o {shell_word(page)}", ""


def _with_more_rounds(argv: Sequence[str]) -> str:
    """The command ``argv`` with `_MANY_ROUNDS` rounds and without a name for the results file."""
    given = argv[argv.index("run") + 1 :] if "run" in argv else ()
    words, value_follows = ["membench", "run"], False
    for word in given:
        name, equals, _ = word.partition("=")
        if value_follows:
            value_follows = False
        elif name in ("-o", "--output", "--rounds", "--resume"):
            value_follows = not equals
        elif not word.startswith("-o"):  # such as -oFILE
            words.append(word)
    return " ".join([*map(shell_word, words), "--rounds", str(_MANY_ROUNDS)])


def _then(outcome: RunOutcome) -> tuple[str, str]:
    """A command that uses the results, and a reason (may be empty)."""
    assert outcome.csv is not None
    if any(row.backend == "cuda" and row.status is Status.OK for row in outcome.rows):
        csv = shell_word(outcome.csv)
        return f"membench advise {csv} --model llama-3.1-8b --context 32768", ""
    csv = shell_word(outcome.csv)
    reason = "ANOTHER.csv: results of another machine, or of a later run"
    return f"membench compare {csv} ANOTHER.csv", reason
