"""The Python API: functions that measure, read and compare results.

These functions run the code of the commands, and print nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from membench.core.errors import UsageError
from membench.measure.events import Observer, Silent
from membench.measure.options import DEFAULT_DISK_BUDGET, DEFAULT_TIMEOUT, RunOptions
from membench.measure.run import RunOutcome, prepare, start
from membench.results import table
from membench.results.schema import Row

if TYPE_CHECKING:
    from membench.analysis.comparison import Comparison
    from membench.analysis.frame import DataFrame
    from membench.analysis.history.summary import History
    from membench.measure.paired.run import PairedOutcome


def run(
    *,
    profile: str = "quick",
    select: str | Iterable[str] = (),
    skip: str | Iterable[str] = (),
    settings: str | Iterable[str] = (),
    rounds: int | None = None,
    device: str = "auto",
    output: str | Path | None = None,
    label: str | None = None,
    seed: int | None = None,
    scratch: str | Path | None = None,
    disk_budget: int = DEFAULT_DISK_BUDGET,
    timeout: float = DEFAULT_TIMEOUT,
    strict: bool = False,
    hold: bool = True,
    observer: Observer | None = None,
) -> RunOutcome:
    """Measure this machine, like the command `membench run`.

    Call this function from the main thread. SIGINT, SIGTERM and SIGHUP end the run early: then
    ``RunOutcome.signum`` is set, and membench keeps the partial results.

    Args:
        profile: ``quick`` or ``full``.
        select, skip: a glob for case ids, or several globs.
        settings: one or several ``BENCHGLOB:KEY=VALUE``; each fixes an axis of the matching
            benches.
        rounds: number of rounds; None for the number of the profile.
        device: ``auto``, ``cpu``, ``cuda:N`` or ``all``.
        output: the results file; None for ``results/<machine>/<UTC>_<profile>.csv``.
        label: name of this machine in the results; None for a name made from the hardware.
        seed: seed of the case order; None for a random seed.
        scratch: directory of the scratch file; None for the directory of the results.
        disk_budget: maximum size of the scratch file, in bytes.
        timeout: maximum seconds for one case in one round.
        strict: raise if a GPU has a problem, or if all selected cases need a GPU and cannot run.
        hold: block the GPU's stream while launches are queued.
        observer: receives the events of the run; None to ignore the events.

    Returns:
        The outcome: ``rows`` (a sequence of `Row`), ``csv`` (the results file; None if the run
            ended early and has no results) and ``wall`` (seconds by activity).

    Raises:
        MembenchError: the run failed; message and hint are those of the command.
    """
    options = RunOptions(
        profile=profile,
        select=_several(select),
        skip=_several(skip),
        settings=_several(settings),
        rounds=rounds,
        device=device,
        output=None if output is None else Path(output),
        label=label,
        seed=seed,
        scratch=None if scratch is None else Path(scratch),
        disk_budget=disk_budget,
        timeout=timeout,
        strict=strict,
        hold=hold,
        argv=("membench.run",),
    )
    watch = observer or Silent()
    return start(prepare(options, watch), watch)


def run_paired(
    versus: str = "",
    *,
    setup_a: str = "",
    setup_b: str = "",
    profile: str = "quick",
    select: str | Iterable[str] = (),
    skip: str | Iterable[str] = (),
    settings: str | Iterable[str] = (),
    rounds: int | None = None,
    device: str = "auto",
    output: str | Path | None = None,
    label: str | None = None,
    seed: int | None = None,
    scratch: str | Path | None = None,
    disk_budget: int = DEFAULT_DISK_BUDGET,
    timeout: float = DEFAULT_TIMEOUT,
    strict: bool = False,
    hold: bool = True,
    observer: Observer | None = None,
) -> PairedOutcome:
    """Measure two configurations A and B alternately, like `membench run --versus`.

    `run` describes signals and the other arguments.

    Args:
        versus: a setting that only B has: ``python=PATH``, ``env=NAME=VALUE``, ``scratch=DIR`` or
            ``device=cuda:N``; empty if only the setup commands differ.
        setup_a: shell command to run before each round of A; empty for none. membench does not undo
            the effects of the command.
        setup_b: the same for B.
        rounds: number of pairs (one round of A and one of B); None for 12. With fewer than 6
            pairs, the verdicts are ``unclear``.
        output: ``o.csv`` to write ``o_a.csv`` and ``o_b.csv``; None for the default name.

    Returns:
        The outcome: ``sides`` (the outcomes of A and B, as from `run`) and ``files`` (for each side
            with results, an argument of `compare`: ``A=o_a.csv``, ``B=o_b.csv``).

    Raises:
        MembenchError: A and B do not differ, or the run failed; message and hint are those of the
            command.
    """
    from membench.measure.paired.preparing import prepare_pair
    from membench.measure.paired.run import start_pair

    options = RunOptions(
        profile=profile,
        select=_several(select),
        skip=_several(skip),
        settings=_several(settings),
        rounds=rounds,
        device=device,
        output=None if output is None else Path(output),
        label=label,
        seed=seed,
        scratch=None if scratch is None else Path(scratch),
        disk_budget=disk_budget,
        timeout=timeout,
        strict=strict,
        hold=hold,
        versus=versus,
        setup_a=setup_a,
        setup_b=setup_b,
        argv=("membench.run_paired",),
    )
    if not options.paired:
        raise UsageError(
            "configurations A and B do not differ",
            "pass versus, setup_a or setup_b",
        )
    watch = observer or Silent()
    return start_pair(prepare_pair(options, watch), watch)


def _several(words: str | Iterable[str]) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else tuple(words)


def read_rows(path: str | Path) -> list[Row]:
    """The rows of a results file, in the order of the file.

    Raises:
        SchemaError: the file cannot be read, or violates the schema.
    """
    return table.read_rows(Path(path))


def load(*paths: str | Path) -> DataFrame:
    """The rows of all ``paths``, one after the other, as a data frame with a column per field.

    An absent number is NaN or `pandas.NA`, but 0 in ``rounds`` and ``n``. Absent text is ``""``.
    ``round_values`` and ``flags`` are tuples, ``samples`` is a tuple of tuples, and ``detail`` is a
    dict.

    Raises:
        SchemaError: a file cannot be read, or violates the schema.
    """
    from membench.analysis.frame import rows_frame

    return rows_frame([row for path in paths for row in table.read_rows(Path(path))])


def compare(
    *files: str | Path,
    reference: str = "",
    against: str = "",
    by: str = "",
    select: str | Iterable[str] = (),
    normalize: bool = False,
    preset: str = "default",
) -> Comparison:
    """Compare results with a reference, like `membench compare`.

    Args:
        files: ``LABEL=FILE`` or ``FILE``; files with the same label are pooled. ``ref:NAME`` in
            place of a file is a built-in reference.
        reference: the label of the reference; if empty, the first label.
        against: built-in reference to compare with, such as ``ref:h100-sxm``; empty for none.
        by: a column such as ``machine``, or an axis of the case ids. Results with the same value
            form a group, and the groups are compared. If empty, the files are compared.
        select: a glob for case ids, or several globs.
        normalize: compare fractions of the theoretical peak instead of values.
        preset: the smallest differences that matter: ``strict``, ``default``, ``permissive``, or a
            TOML file of thresholds.

    Returns:
        The comparison: ``matched`` (the results that the reference and another label have, with the
            verdicts), ``means`` (the geometric means of the ratios) and ``facts`` (facts about
            machine and software, for each label). ``to_frame()`` returns ``matched`` as a data
            frame.

    Raises:
        MembenchError: the comparison failed; message and hint are those of the command.
    """
    from membench.analysis.comparison import compare as compare_sides
    from membench.analysis.history.offsets import offsets_of
    from membench.analysis.requests import sides_of
    from membench.analysis.thresholds import thresholds

    sides = sides_of(tuple(map(str, files)), reference=reference, against=against, by=by)
    limits = thresholds(preset)
    return compare_sides(
        sides,
        select=_several(select),
        thresholds=limits,
        normalize=normalize,
        offsets=offsets_of(sides),
    )


def history(
    *places: str | Path,
    select: str | Iterable[str] = (),
    every_case: bool = False,
    preset: str = "default",
) -> History:
    """Find levels and changes in the runs of one machine, like `membench history`.

    Args:
        places: results files of one machine, or directories with them; at least one.
        select: a glob for case ids, or several globs.
        every_case: return a line per case, metric and statistic, instead of one per tier and
            metric.
        preset: the smallest changes that are reported: ``strict``, ``default``, ``permissive``, or
            a TOML file of thresholds.

    Returns:
        The history. Each of its ``lines`` has ``values`` (one per run that has a value), ``levels``
            (consecutive runs without a change) and ``changes`` (from one level to the next).
            ``expected()`` returns the range expected for the next run, for each line.

    Raises:
        MembenchError: the files cannot be read or compared; message and hint are those of the
            command.
    """
    from membench.analysis.history.reading import read_history
    from membench.analysis.history.summary import history_of
    from membench.analysis.thresholds import thresholds

    record = read_history([Path(place) for place in places])
    limits = thresholds(preset)
    return history_of(record, select=_several(select), every_case=every_case, thresholds=limits)
