"""The command `membench check`: measures or reads results, and prints the verdicts on the tiers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from membench.cli import completion
from membench.cli.word_lists import words_of
from membench.core.errors import EXIT_FINDING, EXIT_OK, EXIT_SIGNAL_BASE
from membench.core.files import shown
from membench.core.text import shell_word

if TYPE_CHECKING:
    from membench.analysis.check.machine import MachineCheck
    from membench.measure.run import Prepared, RunOutcome
    from membench.report.screens.progress import Watcher

SECONDS = 60.0
"""Maximum planned duration of a check, in seconds."""
PROFILE = "check"
"""Name of the profile of a check; part of the file name and of the sidecar."""
ROUNDS = (3, 2, 1)
"""Numbers of rounds; a check uses the first with a planned time within `SECONDS`, or the last."""
_FAIL_ON = ("look", "not-judged", "straggler")
_FORMATS = ("table", "md", "json", "github", "junit")


def _words(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    return words_of(_FAIL_ON)(ctx, param, value or None)


@click.command(name="check")
@click.argument("file", required=False)
@click.option(
    "--expect",
    "expected",
    multiple=True,
    metavar="ref:NAME|FILE|history|auto",
    shell_complete=completion.expectations,
    help="Source of the expected values; repeatable. history: the other runs of the checked "
    "machine, in FILE's folder. auto: the references of its GPUs, processors and disks.  "
    "[default: auto]",
)
@click.option(
    "--require",
    multiple=True,
    metavar="gpu=N|TIER",
    help="Exit with 3 also if verdicts are missing; repeatable. gpu=N: fewer than N GPUs have a "
    "verdict on memory and on links. TIER: no metric of this tier has a verdict.",
)
@click.option("--strict", is_flag=True, help="Exit with 3 also if any line is not judged.")
@click.option(
    "--fail-on",
    callback=_words,
    metavar="V,..",
    help=f"Exit with 3 also if any line has one of the states V. Possible: {', '.join(_FAIL_ON)}.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    default="table",
    show_default=True,
    help="Output format; github: annotations, and Markdown in the file $GITHUB_STEP_SUMMARY.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Results file to write, if FILE is not given.  [default: "
    "results/<machine>/<UTC>_check.csv]",
)
@click.option(
    "--scratch",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Directory for the scratch file, if FILE is not given.  [default: the directory of "
    "the results file]",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Show the planned cases and their time; measure no case. Only the cache sizes "
    "are checked, by a pointer chase of at most about 2 s.",
)
def command(
    file: str | None,
    expected: tuple[str, ...],
    require: tuple[str, ...],
    strict: bool,
    fail_on: tuple[str, ...],
    form: str,
    as_json: bool,
    output: Path | None,
    scratch: Path | None,
    dry_run: bool,
) -> int:
    """Check whether this machine is as fast as it should be, and name the slow parts.

    FILE is a results file with its sidecar. Without FILE, the command measures all
    GPUs, the processors and the disk. The planned time is at most a minute, unless a
    single round takes longer. The command compares each tier with expected values, by
    default from the references for the same hardware. A line of the check is "not
    judged" and never passes if the measurement, the expected value or the state of the
    machine is missing: see docs/check.md.

    \b
    Examples:
      membench check
      membench check mybox.csv --expect ref:h100-sxm
      membench check --require gpu=8 --format junit > check.xml
      membench check today.csv --expect last-week.csv --strict
      membench check results/mybox/today.csv --expect history

    Exit codes: 0 nothing failed, 1 error, 2 usage, 3 a line failed, a precondition is
    wrong, or a requirement (--require, --strict, --fail-on) is not met, 129, 130 or 143
    interrupted.
    """  # noqa: D301 - click needs the character \b to keep the following lines apart
    from membench.core.errors import UsageError

    if file is not None and (output is not None or scratch is not None or dry_run):
        raise UsageError(
            "-o, --scratch and --dry-run cannot be combined with FILE: with FILE, membench "
            "measures nothing",
            "leave out FILE to measure, or leave out these options",
        )
    from membench.analysis.check.reading import read_checked
    from membench.analysis.check.requirements import failures, parse_requirements, unmet
    from membench.results.reference_files import files_of

    demanded = parse_requirements(require)
    words = (*fail_on, *(["not-judged"] if strict else []))
    form = "json" if as_json else form
    if file is None:
        from membench.report.screens.check.progress import check_watcher

        watch = check_watcher(table=form == "table")
        prepared = _prepared(output, scratch, watch)
        if dry_run:
            _show_plan(prepared)
            return EXIT_OK
        outcome = _measured(prepared, watch)
        if outcome.csv is None or outcome.signum:
            return EXIT_SIGNAL_BASE + outcome.signum
        paths = [outcome.csv]
    else:
        paths = files_of([file])
    checked = read_checked(paths, expected or ("auto",))
    for problem in checked.problems:
        click.echo(f"Warning: {problem}", err=True)
    wrong = failures(checked.check, demanded, words)
    if form == "junit":
        from membench.report.screens.check.junit import to_junit

        missing = tuple(unmet(checked.check, demanded))
        click.echo(to_junit(checked.name, checked.check, missing, words), nl=False)
    else:
        _show(checked.name, checked.check, wrong, form)
        if form == "table" and not expected and not checked.check.judged:
            _suggest(paths[0], checked.similar)
    return EXIT_FINDING if wrong else EXIT_OK


def _prepared(output: Path | None, scratch: Path | None, watch: Watcher) -> Prepared:
    from dataclasses import replace

    from membench.analysis.check.quantities import CASES
    from membench.measure.options import RESULTS, RunOptions
    from membench.measure.plan import estimate
    from membench.measure.run import prepare
    from membench.results.paths import default_path

    options = RunOptions(
        select=CASES,
        device="all",
        rounds=ROUNDS[0],
        output=output,
        scratch=scratch,
        argv=("membench", *sys.argv[1:]),
    )
    prepared = prepare(options, watch)
    plans = [replace(prepared.plan, profile=PROFILE, rounds=rounds) for rounds in ROUNDS]
    plan = next((one for one in plans if estimate(one).seconds <= SECONDS), plans[-1])
    csv = output or default_path(RESULTS, plan.machine, plan.started, PROFILE)
    return replace(prepared, plan=plan, csv=csv)


def _show_plan(prepared: Prepared) -> None:
    from membench.report.screens.cases import print_cases
    from membench.report.screens.console import console
    from membench.report.screens.plan import print_estimate

    print_cases(prepared.plan.cases, everything=True)
    print_estimate(console(), prepared.plan)


def _measured(prepared: Prepared, watch: Watcher) -> RunOutcome:
    from membench.measure.rounds.interrupt import interrupts
    from membench.measure.run import start

    with interrupts():
        try:
            outcome = start(prepared, watch)
        finally:
            watch.close()
        if outcome.signum:
            from membench.report.screens.interrupted import print_interrupted

            # Still inside the block, so that a second signal does not cut the summary.
            watch.draw(lambda: print_interrupted(watch.console, outcome))
            return outcome
    text = f"Results: {shown(outcome.csv or prepared.csv)}"
    watch.draw(lambda: watch.console.print(text, soft_wrap=True))
    return outcome


def _suggest(file: Path, similar: tuple[str, ...]) -> None:
    """Print commands that check ``file`` with other expected values."""
    from membench.report.screens.console import console, say_command

    remark = (
        "another machine with the same processor or GPU" if similar else "a run in good condition"
    )
    for label in similar or ("GOOD.csv",):
        command = f"membench check {shell_word(file)} --expect {label}"
        say_command(console(), "Next: ", command, remark)


def _show(name: str, check: MachineCheck, wrong: tuple[str, ...], form: str) -> None:
    if form == "table":
        from membench.report.screens.check.screen import print_check
        from membench.report.screens.console import console

        print_check(console(), name, check, wrong)
    elif form == "github":
        from membench.report.screens.check.github import publish

        click.echo(publish(name, check, wrong), nl=False)
    elif form == "md":
        from membench.report.screens.check.markdown import to_markdown

        click.echo(to_markdown(name, check, wrong), nl=False)
    else:
        from membench.report.screens.check.data import to_json

        click.echo(to_json(name, check, wrong), nl=False)
