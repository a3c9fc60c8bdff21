"""Run `membench run --versus`: measure two configurations alternately and compare the results."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from membench.core.errors import EXIT_FINDING, EXIT_OK, EXIT_SIGNAL_BASE

if TYPE_CHECKING:
    from membench.measure.options import RunOptions
    from membench.report.screens.progress import Watcher


def run_pair(
    asked: RunOptions, resume: Path | None, watch: Watcher, *, dry_run: bool, verbose: bool
) -> int:
    """Measure both configurations, compare the results, and return the exit code.

    Args:
        resume: results file of an interrupted paired run to complete; None for a new run.
        dry_run: whether to print only the plan.

    Raises:
        MembenchError: the run failed.
        OSError: a write to standard output failed.
    """
    from membench.measure.paired.preparing import prepare_pair
    from membench.measure.paired.run import resume_pair, start_pair
    from membench.measure.rounds.interrupt import interrupts
    from membench.report.screens.paired import print_paired, print_paired_plan, print_sides

    with ExitStack() as shielded:
        try:
            if resume is not None:
                shielded.enter_context(interrupts())
                outcome = resume_pair(resume, asked, watch, verbose=verbose)
            else:
                halves = prepare_pair(asked, watch)
                if dry_run:
                    print_paired_plan(watch.console, halves)
                    return EXIT_OK
                watch.draw(lambda: print_sides(watch.console, halves[0]))
                shielded.enter_context(interrupts())
                outcome = start_pair(halves, watch, verbose=verbose)
        finally:
            watch.close()
        if outcome.signum:
            # Still inside the block, so that a second signal does not cut the summary.
            watch.draw(lambda: print_paired(watch.console, outcome))
            return EXIT_SIGNAL_BASE + outcome.signum
    watch.draw(lambda: print_paired(watch.console, outcome))
    if watch.lost is not None:
        raise watch.lost
    return EXIT_FINDING if outcome.failed else EXIT_OK
