"""The Python API: measure, read and compare results by function calls.

It uses the same code as the commands, and prints nothing.
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
    """Measure this machine; see `RunOptions` for the arguments.

    ``select``, ``skip`` and ``settings`` take one string or several strings.

    Call this from the main thread. SIGINT and SIGTERM end the run early; ``RunOutcome.signum`` is
    then set, and the partial results are kept.

    Returns:
        The outcome: ``rows`` (a sequence of `Row`), ``csv`` (the file with the rows), ``wall``
            (seconds by activity).

    Raises:
        MembenchError: an error that would end the command, with the same message and hint.
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
    """Measure two sides of this machine in turns, like `membench run --versus`.

    The other arguments, and signals, are those of `run`.

    Args:
        versus: what side B differs in: ``python=PATH``, ``env=NAME=VALUE``, ``scratch=DIR`` or
            ``device=cuda:N``.
        setup_a, setup_b: shell commands before each round of a side; nothing undoes them.
        rounds: pairs of rounds; by default 12, and fewer than 6 give no verdict.
        output: ``o.csv`` stands for ``o_a.csv`` and ``o_b.csv``.

    Returns:
        The outcome: ``sides`` (a `RunOutcome` of each, A first), and ``files``, with which
        ``membench.compare(*outcome.files)`` compares the pairs.

    Raises:
        MembenchError: an error that would end the command, with the same message and hint.
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
            "the sides of a paired run do not differ", "give versus, setup_a or setup_b"
        )
    watch = observer or Silent()
    return start_pair(prepare_pair(options, watch), watch)


def _several(words: str | Iterable[str]) -> tuple[str, ...]:
    """``words`` as a tuple of strings; a single string is one item."""
    return (words,) if isinstance(words, str) else tuple(words)


def read_rows(path: str | Path) -> list[Row]:
    """The rows of a results file, in the order of the file.

    Raises:
        SchemaError: the file cannot be read, or violates the schema.
    """
    return table.read_rows(Path(path))


def load(*paths: str | Path) -> DataFrame:
    """The rows of one or several results files, concatenated, as a data frame.

    Absent numbers are NaN or `pandas.NA`, absent text is ``""``; ``round_values`` and ``flags`` are
    tuples, ``samples`` a tuple of tuples, ``detail`` a dict.

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
        files: ``LABEL=FILE`` or ``FILE``; files of one label are pooled.
        reference: the label of the reference; if empty, the first label.
        against: ``ref:NAME``: use this shipped reference instead of a label.
        by: make one side for each value of a column such as ``machine``, or of a parameter of the
            case ids.
        select: a glob for case ids, or several.
        normalize: compare fractions of the theoretical peak.
        preset: ``strict``, ``default``, ``permissive``, or a TOML file with thresholds.

    Returns:
        The comparison: ``matched`` (lines with their findings), ``means``, ``facts``,
        and all of it as a data frame by ``to_frame()``.

    Raises:
        MembenchError: an error that would end the command, with the same message and hint.
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
    """The history of one machine's runs, as in `membench history`.

    Args:
        places: results files of one machine, or directories with them; at least one.
        select: globs for case ids.
        every_case: one line per case and statistic, instead of one per tier and metric.
        preset: minimum size of a reported change: ``strict``, ``default``, ``permissive``, or a
            TOML file with thresholds.

    Returns:
        The history: ``lines`` (with ``values``, ``levels``, ``changes``); ``expected()`` returns
            the expected range of the next run.

    Raises:
        MembenchError: an error that would end the command, with the same message and hint.
    """
    from membench.analysis.history.reading import read_history
    from membench.analysis.history.summary import history_of
    from membench.analysis.thresholds import thresholds

    record = read_history([Path(place) for place in places])
    limits = thresholds(preset)
    return history_of(record, select=_several(select), every_case=every_case, thresholds=limits)
