"""The command `membench run`: plans and measures cases, or completes an interrupted run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from membench.cli import completion
from membench.cli.mistakes import BadValue, option_of
from membench.cli.profile_option import profile_option
from membench.cli.ranges import FiniteRange
from membench.core.errors import EXIT_FINDING, EXIT_OK, EXIT_SIGNAL_BASE, UsageError
from membench.core.units import parse_size
from membench.results.plan import MAX_SEED, MAX_TIMEOUT

if TYPE_CHECKING:
    from membench.measure.run import RunOutcome
    from membench.report.screens.progress import Watcher


def _bytes(ctx: click.Context, option: click.Parameter, text: str) -> int:
    try:
        return parse_size(text)
    except UsageError as error:
        raise BadValue.of(error, ctx, option) from None


@click.command(name="run")
@profile_option
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="BENCHGLOB:KEY=VALUE",
    help="Use one value for an axis of the matching benches, such as 'ddr/*:size=4GiB'; "
    "repeatable. The profile need not contain this value.",
)
@click.option(
    "--select",
    multiple=True,
    metavar="GLOB",
    shell_complete=completion.cases,
    help="Measure only matching cases; repeatable. A complete case id also selects a case that is "
    "not in the profile.",
)
@click.option(
    "--skip",
    multiple=True,
    metavar="GLOB",
    shell_complete=completion.cases,
    help="Leave out matching cases; repeatable.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1, 1000),
    help="Number of rounds; each round is a fresh process."
    "  [default: 5 in the quick profile; in the full profile, 10 for the default case of each "
    "bench, and 5 for most other cases]",
)
@click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="auto|cpu|cuda:N|all",
    help="GPUs to measure: the first GPU (auto), no GPU (cpu), GPU number N (cuda:N), or all.",
)
@click.option(
    "-o",
    "output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Results file to write.  [default: results/<machine>/<UTC>_<profile>.csv]",
)
@click.option(
    "--label",
    metavar="NAME",
    help="Name of this machine in the results.  [default: derived from the hardware]",
)
@click.option(
    "--seed", type=click.IntRange(0, MAX_SEED), help="Seed for the case order.  [default: random]"
)
@click.option(
    "--scratch",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Directory for the scratch file, on the disk to measure.  [default: the directory of "
    "the results file]",
)
@click.option(
    "--disk-budget",
    callback=_bytes,
    default="2GiB",
    show_default=True,
    metavar="SIZE",
    help="Maximum size of the scratch file. A run writes at most 8 times this size to the disk.",
)
@click.option(
    "--timeout",
    type=FiniteRange(0, MAX_TIMEOUT, min_open=True),
    default=120.0,
    show_default=True,
    metavar="S",
    help="Maximum seconds for one case in one round.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Show the plan with its time, memory and disk use; measure no case. For ddr cases, a "
    "pointer chase of at most about 2 s checks the cache sizes, on which the "
    "sizes of arrays depend.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Exit with an error if membench would print a warning about a GPU, or if every selected "
    "case needs a GPU and would be skipped.",
)
@click.option(
    "--no-hold",
    "hold",
    is_flag=True,
    flag_value=False,
    default=True,
    help="Do not block the GPU's stream while launches are queued. Needed for ncu, "
    "compute-sanitizer and serialised launches. The rows get the detail hold=no.",
)
@click.option(
    "--versus",
    default="",
    metavar="KEY=VALUE",
    help="Measure two configurations A and B alternately and compare each round of A with a round "
    "of B. B differs from A in one setting: python=PATH, env=NAME=VALUE, scratch=DIR or "
    "device=cuda:N. Without --rounds, 12 pairs of rounds are measured.",
)
@click.option(
    "--setup-a",
    default="",
    metavar="COMMAND",
    help="Shell command to run before each round of configuration A, for example to set the "
    "governor. membench does not undo the command.",
)
@click.option(
    "--setup-b",
    default="",
    metavar="COMMAND",
    help="Shell command to run before each round of configuration B. Without --versus, A and B "
    "differ only in --setup-a and --setup-b.",
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Print every row, the meaning of each flag, and every skipped case.",
)
@click.option(
    "--card",
    type=click.Choice(["md"]),
    help="Also print a summary of six lines in Markdown.",
)
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Complete the interrupted run that writes the results file FILE. For a run with "
    "--versus, --setup-a or --setup-b, repeat these options.",
)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    dry_run: bool,
    everything: bool,
    card: str | None,
    resume: Path | None,
    **options: Any,
) -> int:
    """Measure this machine and write a results file.

    Every case is measured in several rounds, each in a fresh process.  The value of
    a row is the median of the rounds.  The command writes a CSV file with the
    results, and a JSON file of the same name with the machine and the plan.

    \b
    Examples:
      membench run
      membench run --select 'ddr/*' --rounds 10 -o mybox.csv
      membench run --profile full --label rack7-node3
      membench run --select 'ddr/*' --set 'ddr/*:size=4GiB'
      membench run --select 'ddr/*' --versus env=MALLOC_ARENA_MAX=1
      membench run --card md

    Exit codes: 0 done, 1 error, 2 usage, 3 a case failed, 4 nothing matched,
    129, 130 or 143 interrupted (the partial results are kept and named).
    """  # noqa: D301 - click needs the character \b to keep the following lines apart
    from membench.measure.options import RunOptions
    from membench.measure.rounds.interrupt import interrupts
    from membench.measure.run import prepare, start
    from membench.measure.run import resume as resume_run
    from membench.report.screens.progress import watcher

    watch = watcher()
    if resume is not None:
        _refuse_others(ctx)
    # The names of the options are the names of the fields of `RunOptions`.
    asked = RunOptions(**options, argv=("membench", *sys.argv[1:]))
    if asked.paired:
        if everything or card:
            raise UsageError(
                "--all and --card cannot be combined with --versus, --setup-a or --setup-b",
                "leave out --all and --card; 'membench compare' can print the results as Markdown",
            )
        from membench.cli.paired_run import run_pair

        return run_pair(asked, resume, watch, dry_run=dry_run, verbose=ctx.obj["verbose"])
    if resume is None:
        prepared = prepare(asked, watch)
        if dry_run:
            from membench.benches import registry
            from membench.report.screens.cases import print_cases
            from membench.report.screens.console import console
            from membench.report.screens.plan import print_estimate, print_families

            print_cases(prepared.plan.cases, everything=everything)
            print_families(console(), prepared.plan, registry().benches)
            print_estimate(console(), prepared.plan)
            return EXIT_OK
    with interrupts():
        try:
            verbose = ctx.obj["verbose"]
            if resume is not None:
                outcome = resume_run(resume, watch, verbose=verbose)
            else:
                outcome = start(prepared, watch, verbose=verbose)
        finally:
            watch.close()
        if outcome.signum:
            # Still inside the block, so that a second signal does not cut the summary.
            _print(watch, outcome, everything=everything, paste=card is not None)
            return EXIT_SIGNAL_BASE + outcome.signum
    _print(watch, outcome, everything=everything, paste=card is not None)
    if watch.lost is not None:
        raise watch.lost
    return EXIT_FINDING if outcome.failed else EXIT_OK


def _print(watch: Watcher, outcome: RunOutcome, *, everything: bool, paste: bool) -> None:
    from membench.report.screens.last import print_outcome

    watch.draw(lambda: print_outcome(watch.console, outcome, everything=everything, paste=paste))


def _refuse_others(ctx: click.Context) -> None:
    """Raise `UsageError` if the user gave an option that cannot be combined with `--resume`."""
    repeated = ("resume", "versus", "setup_a", "setup_b", "everything", "card")
    for name in ctx.params:
        default = ctx.get_parameter_source(name) is click.core.ParameterSource.DEFAULT
        if not default and name not in repeated:
            raise UsageError(
                f"--resume cannot be combined with {option_of(ctx, name)}",
                "leave out this option: --resume uses the options of the interrupted run",
            )
