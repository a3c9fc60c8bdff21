"""The Python API: measuring, reading and comparing as function calls.

The same engine as the commands; nothing is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from membench.measure.events import Observer, Silent
from membench.measure.options import DEFAULT_DISK_BUDGET, DEFAULT_TIMEOUT, RunOptions
from membench.measure.run import RunOutcome, prepare, start
from membench.results import table
from membench.results.schema import Row

if TYPE_CHECKING:
    from membench.analysis.comparison import Comparison
    from membench.analysis.frame import DataFrame
    from membench.analysis.history.summary import History


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

    ``select``, ``skip`` and ``settings`` take one text or several, as the options do.

    Call it from the main thread: SIGINT and SIGTERM end the run early, with
    ``RunOutcome.signum`` set and the partial results kept.

    Returns:
        The outcome: ``rows`` (a sequence of `Row`), ``csv`` (the file that
        holds them), ``wall`` (where the time went, in seconds).

    Raises:
        MembenchError: what the command line would end with, as one line and a hint.
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


def _several(words: str | Iterable[str]) -> tuple[str, ...]:
    """One word is not its letters."""
    return (words,) if isinstance(words, str) else tuple(words)


def read_rows(path: str | Path) -> list[Row]:
    """The rows of a results file, in its order.

    Raises:
        SchemaError: it cannot be read, or breaks a rule of the schema.
    """
    return table.read_rows(Path(path))


def load(*paths: str | Path) -> DataFrame:
    """The rows of one results file or several, one after the other, as a data frame.

    Absent numbers are NaN or `pandas.NA`, absent text is ``""``; ``round_values``
    and ``flags`` are tuples, ``samples`` a tuple of tuples, ``detail`` a dict.

    Raises:
        SchemaError: one of them cannot be read, or breaks a rule of the schema.
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
    """Hold results against each other, as `membench compare` does.

    Args:
        files: ``LABEL=FILE`` or ``FILE``; files of one label are pooled.
        reference: the label to compare with; the first one where it is empty.
        against: ``ref:NAME``, a reference that comes with membench, to compare with.
        by: compare within the files by a column such as ``machine`` or a part of the case ids.
        select: a glob for case ids, or several.
        normalize: compare shares of the theoretical peak.
        preset: ``strict``, ``default``, ``permissive``, or a TOML file with thresholds.

    Returns:
        The comparison: ``matched`` (lines with their findings), ``means``, ``facts``,
        and all of it as a data frame by ``to_frame()``.

    Raises:
        MembenchError: what the command line would end with, as one line and a hint.
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
    """One machine's runs over time, as `membench history` shows them.

    Args:
        places: results files of one machine, or directories with them; at least one.
        select: globs for case ids.
        every_case: a line for every case and statistic, not one for each tier and metric.
        preset: how large a change must be to be named: ``strict``, ``default``, ``permissive``, or
            a TOML file with thresholds.

    Returns:
        The history: ``lines`` (with ``values``, ``levels``, ``changes``), and by ``expected()``
        the range that a next run should lie in.

    Raises:
        MembenchError: what the command line would end with, as one line and a hint.
    """
    from membench.analysis.history.reading import read_history
    from membench.analysis.history.summary import history_of
    from membench.analysis.thresholds import thresholds

    record = read_history([Path(place) for place in places])
    limits = thresholds(preset)
    return history_of(record, select=_several(select), every_case=every_case, thresholds=limits)
