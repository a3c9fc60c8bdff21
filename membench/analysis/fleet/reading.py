"""Read the results files of a fleet into columns of numbers."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from membench.analysis.sources import for_many_files
from membench.core.errors import SchemaError
from membench.core.record import record
from membench.core.terms import Better, Metric, Stat, Status, Tier
from membench.core.text import ascii_line
from membench.results.compact.reader import read_measurements
from membench.results.compact.row import Measurement
from membench.results.fleet_ledger import FleetLedger, HostState, latest_ledger
from membench.results.magnitude import fits

_FILES_AT_ONCE = 32
_ALONE = 64  # files that this process reads alone, because starting other processes takes longer
_REFERENCE = "reference"  # results/reference has runs of other people's machines


class Key(NamedTuple):
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


@record
class Values:
    """The `ok` values of a fleet, as three columns of equal length: key, machine, value.

    Attributes:
        key, machine: columns of indices into ``keys`` and ``machines``.
        value: column of values, in the unit of the key.
        failed: for each machine with `failed` rows, their number and the reason of the first.
        unread: path of each invalid file -> the reason.
        ledger: the list of hosts of the newest fleet run; None if there is no list.
    """

    keys: tuple[Key, ...]
    machines: tuple[str, ...]
    key: NDArray[np.int32]
    machine: NDArray[np.int32]
    value: NDArray[np.float64]
    failed: dict[str, tuple[int, str]] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    ledger: FleetLedger | None = None


class _Run(NamedTuple):
    """The values of one run in one file.

    Attributes:
        key: for each value, the index of its key in the list of all keys.
        failed: the number of `failed` rows, and the reason of the first.
    """

    machine: str
    run_id: str
    key: NDArray[np.int32]
    value: NDArray[np.float64]
    failed: tuple[int, str]


class _Batch(NamedTuple):
    keys: list[Key]
    runs: list[_Run]
    unread: dict[str, str]


def read_fleet(directory: Path, workers: int | None = None) -> Values:
    """Read the values of the fleet in ``directory``, from the newest run of each machine.

    The ledger of the newest fleet run lists the files. If there is no ledger, all CSV files in
    ``directory`` and its direct subdirectories are read, except in ``reference``.

    Args:
        workers: number of reading processes; None for one per usable CPU.

    Raises:
        SchemaError: ``directory`` is not a directory, or its ledger cannot be read.
    """
    if not directory.is_dir():
        raise SchemaError(
            f"{directory} is not a directory",
            "give the output directory (-o) of a fleet run, or a directory of CSV files",
        )
    ledger = latest_ledger(directory)
    paths = _paths(directory, ledger)
    batches = [paths[at : at + _FILES_AT_ONCE] for at in range(0, len(paths), _FILES_AT_ONCE)]
    cores = len(os.sched_getaffinity(0)) if workers is None else workers
    if len(paths) <= _ALONE or cores < 2:
        return _merged(map(read_batch, batches), ledger)
    # Threads of NumPy or Dask may be running, and a fork copies their locks: so start new
    # processes.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores, mp_context=context) as pool:
        return _merged(pool.map(read_batch, batches), ledger)


def _paths(directory: Path, ledger: FleetLedger | None) -> list[Path]:
    if ledger is not None:
        return [directory / host.csv for host in ledger.of_state(HostState.ARRIVED)]
    below = (path for path in directory.glob("*/*.csv") if path.parent.name != _REFERENCE)
    return sorted([*directory.glob("*.csv"), *below])


def read_batch(paths: Sequence[Path]) -> _Batch:
    """Read the values in ``paths`` as columns; list invalid files with the reason."""
    keys: dict[Key, int] = {}
    runs: list[_Run] = []
    unread: dict[str, str] = {}
    with for_many_files():
        for path in paths:
            try:
                rows = read_measurements(path, pipe=False)
                _check_magnitude(rows)
                runs += _runs(rows, keys)
            except SchemaError as error:
                unread[ascii_line(str(path))] = ascii_line(str(error).removeprefix(f"{path}: "))
    return _Batch(list(keys), runs, unread)


def _check_magnitude(rows: Sequence[Measurement]) -> None:
    for row in rows:
        if row.value is not None and not fits(row.value):
            raise SchemaError(f"{row.case}: {row.value:g} is not a possible measurement")


def _runs(rows: Sequence[Measurement], keys: dict[Key, int]) -> Iterator[_Run]:
    by_run: dict[tuple[str, str], list[Measurement]] = {}
    for row in rows:
        by_run.setdefault((row.machine, row.run_id), []).append(row)
    for (machine, run_id), several in by_run.items():
        ok = [row for row in several if row.value is not None]
        failures = [row.reason for row in several if row.status is Status.FAILED]
        yield _Run(
            machine,
            run_id,
            np.array([keys.setdefault(_key(row), len(keys)) for row in ok], np.int32),
            np.array([row.value for row in ok], np.float64),
            (len(failures), ascii_line(failures[0])[:200] if failures else ""),
        )


def _key(row: Measurement) -> Key:
    return Key(
        row.tier,
        row.case,
        row.case_version,
        row.metric,
        row.stat,
        row.unit,
        str(row.bytes_convention or ""),
        row.better,
    )


def _merged(batches: Iterator[_Batch], ledger: FleetLedger | None) -> Values:
    keys: dict[Key, int] = {}
    newest: dict[str, _Run] = {}
    unread: dict[str, str] = {}
    for batch in batches:
        place = np.array([keys.setdefault(key, len(keys)) for key in batch.keys], np.int32)
        unread |= batch.unread
        for run in batch.runs:
            held = newest.get(run.machine)
            if held is None or run.run_id > held.run_id:  # run ids begin with the time
                newest[run.machine] = run._replace(key=place[run.key])
    names = sorted(newest)
    runs = [newest[name] for name in names]
    empty: list[NDArray[np.int32]] = [np.zeros(0, np.int32)]
    counts = [len(run.key) for run in runs]
    return Values(
        keys=tuple(keys),
        machines=tuple(names),
        key=np.concatenate([*empty, *(run.key for run in runs)]),
        machine=np.repeat(np.arange(len(runs), dtype=np.int32), counts),
        value=np.concatenate([np.zeros(0), *(run.value for run in runs)]),
        failed={run.machine: run.failed for run in runs if run.failed[0]},
        unread=unread,
        ledger=ledger,
    )
