"""Read the results files of one machine into series of values over its runs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from membench.analysis.facts import AS_STARTED, paired_setting
from membench.analysis.many_rounds import sorted_rounds
from membench.analysis.sources import for_many_files
from membench.core.errors import MembenchError, SchemaError, UsageError
from membench.core.files import shown
from membench.core.record import record
from membench.core.terms import Better, Metric, Stat, Status, Tier
from membench.core.text import ascii_line, counted
from membench.results.compact.reader import read_measurements
from membench.results.compact.row import Common, Measurement
from membench.results.magnitude import fits
from membench.results.own_sidecar import describes, plain_sidecar
from membench.results.sidecar import is_original, read_plain

_STAMP = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)\d\dZ")
_REFERENCE = "reference"  # results/reference has runs of other people's machines
_NAMES_SHOWN = 4


class SeriesKey(NamedTuple):
    """What a value measures. Values with equal keys are comparable.

    ``convention`` is how bytes are counted.
    """

    tier: Tier
    case: str
    version: int
    metric: Metric
    stat: Stat
    unit: str
    convention: str
    better: Better
    backend: str


@record
class HistoryRun:
    """One run of the machine; ``run_id`` usually begins with the time of the run."""

    run_id: str
    machine: str
    path: Path

    @property
    def when(self) -> str:
        """The time of the run as ``2026-11-25 04:12`` (UTC); ``run_id`` if it contains no time."""
        found = _STAMP.match(self.run_id)
        if found is None:
            return self.run_id
        year, month, day, hour, minute = found.groups()
        return f"{year}-{month}-{day} {hour}:{minute}"


@record
class RunSeries:
    """The values with the same key, in the order of time.

    Attributes:
        runs: indices of the runs with a value, ascending, shape (n,).
        values: in the unit of the key, above 0, shape (n,).
        commons: for each value, the other columns of its row.
    """

    runs: NDArray[np.int64]
    values: NDArray[np.float64]
    commons: tuple[Common, ...]


@record
class RunRecord:
    """The runs in several files, in the order of time.

    Attributes:
        machines: the machine names in the files, in the order of their first runs.
        failures: for each case, the number of runs in which it failed.
        repeated: number of files that repeat a run of another file.
        unread: files of a directory that were left out, each with the reason.
        problems: a sentence for each file that was changed after its run, or whose sidecar cannot
            be used.
    """

    machines: tuple[str, ...]
    runs: tuple[HistoryRun, ...]
    series: Mapping[SeriesKey, RunSeries]
    failures: Mapping[str, int] = field(default_factory=dict)
    repeated: int = 0
    unread: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def read_history(places: Sequence[Path]) -> RunRecord:
    """Read the runs in ``places``, which are results files and directories.

    The CSV files in a directory are read. If a directory has no CSV files, the CSV files in its
    subdirectories are read, except in ``reference``. If several files contain the same run, only
    the first file counts. Published figures do not count as runs.

    Raises:
        SchemaError: a given file is not a results file, or no run was found.
        UsageError: ``places`` is empty, or the files are from several machines.
    """
    if not places:
        raise UsageError("no results files were given", "give results files or a folder of them")
    record = read_record(*_files(places))
    if not record.runs:
        files = ", ".join(shown(place) for place in places[:_NAMES_SHOWN])
        if record.unread:
            name, reason = next(iter(record.unread.items()))
            more = len(record.unread) - 1
            raise SchemaError(
                f"{files}: no file can be read as a run; {name}: {reason}"
                + (f" (and {counted(more, 'more file')})" if more else ""),
                "restore the file from a copy, or measure again",
            )
        raise SchemaError(
            f"{files}: no runs found", "give the folder with the results of one machine"
        )
    _check_machine(record)
    return record


def read_record(named: Iterable[Path], found: Iterable[Path]) -> RunRecord:
    """Read the runs in the files ``named`` and ``found``, from any number of machines.

    A file in ``found`` is listed in ``unread`` of the result if it is not a results file, or was
    measured with a changed setting in a paired run.

    Raises:
        SchemaError: a file in ``named`` is not a results file.
    """
    read = _FileReading()
    with for_many_files():
        for path in named:
            read.add(path, pipe=True)
        for path in found:
            if setting := _other_setting(path):
                read.unread[ascii_line(str(path))] = f"measured with a changed setting: {setting}"
                continue
            try:
                read.add(path, pipe=False)
            except SchemaError as error:
                reason = str(error).removeprefix(f"{path}: ")
                read.unread[ascii_line(str(path))] = ascii_line(reason)
    return read.record()


def _files(places: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    named: dict[Path, None] = {}
    found: dict[Path, None] = {}
    for place in places:
        if not _is_directory(place):
            named[place] = None
            continue
        here = sorted(place.glob("*.csv"))
        below = (path for path in place.glob("*/*.csv") if path.parent.name != _REFERENCE)
        found |= dict.fromkeys(here or sorted(below))
    return list(named), [path for path in found if path not in named]


def _is_directory(place: Path) -> bool:
    try:
        return place.is_dir()
    except OSError:  # the attempt to read `place` as a file explains the error
        return False


def _other_setting(path: Path) -> str:
    """The changed setting of a file of a paired run; empty if unchanged."""
    if not path.stem.endswith(("_a", "_b")):
        return ""
    try:
        sidecar = read_plain(path)
    except MembenchError:
        return ""
    setting = paired_setting(sidecar) if sidecar is not None else None
    return "" if setting in (None, AS_STARTED) else ascii_line(str(setting))


class _FileReading:
    def __init__(self) -> None:
        self.unread: dict[str, str] = {}
        self._problems: list[str] = []
        self._runs: dict[str, HistoryRun] = {}
        self._rows: dict[str, list[Measurement]] = {}
        self._repeated = 0

    def add(self, path: Path, *, pipe: bool) -> None:
        by_run: dict[str, list[Measurement]] = {}
        found = read_measurements(path, pipe=pipe)
        _check_medians(path, found)
        for row in found:
            if row.value is not None and not fits(row.value):
                raise SchemaError(
                    f"{path}: {row.case}: {row.value:g} is not a possible measurement"
                )
            if row.common.backend != "cited":
                by_run.setdefault(row.run_id, []).append(row)
        if by_run and path.is_file() and (problem := _problem(path, by_run)):
            self._problems.append(ascii_line(problem))
        self._repeated += any(run in self._runs for run in by_run)
        for run, rows in by_run.items():
            if run not in self._runs:
                self._runs[run] = HistoryRun(run, rows[0].machine, path)
                self._rows[run] = rows

    def record(self) -> RunRecord:
        order = sorted(self._runs)
        lists: dict[SeriesKey, tuple[list[int], list[float], list[Common]]] = {}
        keys: dict[int, SeriesKey] = {}  # many rows share the object that makes their key
        failures: dict[str, int] = {}
        for place, run in enumerate(order):
            failed: set[str] = set()
            for row in self._rows[run]:
                common = row.common
                if row.value is None:
                    failed |= {common.case} if common.status is Status.FAILED else set()
                    continue
                key = keys.get(id(common))
                if key is None:
                    key = keys[id(common)] = _key(common)
                runs, values, commons = lists.setdefault(key, ([], [], []))
                runs.append(place)
                values.append(row.value)
                commons.append(common)
            for case in failed:
                failures[case] = failures.get(case, 0) + 1
        series = {
            key: RunSeries(np.array(runs, np.int64), np.array(values), tuple(commons))
            for key, (runs, values, commons) in lists.items()
        }
        machines = tuple(dict.fromkeys(self._runs[run].machine for run in order))
        return RunRecord(
            machines=machines,
            runs=tuple(self._runs[run] for run in order),
            series=series,
            failures=failures,
            repeated=self._repeated,
            unread=self.unread,
            problems=tuple(self._problems),
        )


def _check_medians(path: Path, rows: Sequence[Measurement]) -> None:
    """Raise `SchemaError` if the value of a row is not the median of its round values."""
    by_count: dict[int, list[Measurement]] = {}
    for row in rows:
        if row.rounds_cell:
            by_count.setdefault(row.common.rounds, []).append(row)
    for count, some in by_count.items():
        cells, values = [row.rounds_cell for row in some], [row.value for row in some]
        if sorted_rounds(cells, count, values) is not None:
            continue
        for row in some:
            try:
                row.round_values  # noqa: B018 - the property checks the values
            except SchemaError as error:
                raise SchemaError(f"{path}: {error}", error.hint) from None


def _problem(path: Path, runs: Collection[str]) -> str:
    """A sentence if ``path`` was changed, or if its sidecar cannot be used; otherwise empty."""
    with suppress(MembenchError):
        if is_original(path) is not False:  # faster than `plain_sidecar`
            return ""
    return plain_sidecar(path, runs).problem


def _key(common: Common) -> SeriesKey:
    return SeriesKey(
        common.tier,
        common.case,
        common.case_version,
        common.metric,
        common.stat,
        common.unit,
        str(common.bytes_convention or ""),
        common.better,
        common.backend,
    )


def sidecar_of(run: HistoryRun) -> Mapping[str, Any]:
    """The sidecar of ``run`` as parsed JSON; empty if missing, invalid, or of another run."""
    try:
        sidecar = read_plain(run.path)
    except MembenchError:
        return {}
    return sidecar if sidecar is not None and describes(sidecar, (run.run_id,)) else {}


def _check_machine(record: RunRecord) -> None:
    """Reject runs of several machines.

    Names in the same sidecar are names of one machine: the automatic name, the user's label, or
    former names.
    """
    groups: list[set[str]] = []
    for name in record.machines:
        names = {name, *_other_names(name, record.runs)}
        groups = [group for group in groups if group.isdisjoint(names)] + [
            names.union(*(group for group in groups if not group.isdisjoint(names)))
        ]
    if len(groups) > 1:
        firsts = sorted(next(one for one in record.machines if one in group) for group in groups)
        several = ", ".join(firsts[:_NAMES_SHOWN])
        more = len(firsts) - _NAMES_SHOWN
        raise UsageError(
            f"the runs are from {len(groups)} machines: {several}"
            + (f" and {more} more" if more > 0 else ""),
            "give only the files of one machine",
        )


def _other_names(name: str, runs: Iterable[HistoryRun]) -> set[str]:
    """The other names of the machine ``name``, from the newest sidecar of its runs."""
    for run in sorted((one for one in runs if one.machine == name), key=_newest_first):
        machine = sidecar_of(run).get("machine")
        if isinstance(machine, Mapping):
            former = machine.get("former")
            names = [machine.get("slug"), *(former if isinstance(former, list) else ())]
            return {one for one in names if isinstance(one, str) and one}
    return set()


def _newest_first(run: HistoryRun) -> tuple[int, ...]:
    return tuple(-ord(character) for character in run.run_id)
