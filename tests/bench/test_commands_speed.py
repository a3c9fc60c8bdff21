"""Times of whole commands relative to a baseline, in interleaved pairs of processes.

``pytest -m "" tests/bench/test_commands_speed.py --benchmark-enable --benchmark-json FILE`` writes
the medians of the ratios, in CPU time and in wall time. The baseline of the short commands is the
import of click. The baseline of all commands is the checkout in ``MEMBENCH_BASE``, for example from
``git worktree add BASE a1d60a3``.

A report depends on the caches on disk, of membench and of Matplotlib. Each report is measured in
three states of the caches:

- empty: both checkouts begin with an empty folder
- new file: both checkouts have made a report before, but not of a file with these values
- same file: both checkouts have made a report of these files before
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from membench.core.terms import Status
from membench.results.rows import relative_spread
from membench.results.schema import Row
from membench.results.table import read_rows, write_rows

pytestmark = pytest.mark.slow

HERE = Path(__file__).parents[2]
BASE = os.environ.get("MEMBENCH_BASE")
MANY = "MEMBENCH_PAIRS" in os.environ
PAIRS = int(os.environ.get("MEMBENCH_PAIRS", "1"))
RUN = next((HERE / "results" / "reference").glob("epyc-zen4-2cpu-vm/*_quick.csv"))
FIGURES = sorted((HERE / "results" / "reference").glob("*/figures.csv"))
CLICK = ("-c", "import click")
LISTING = {
    "list": ["list"],
    "list-full": ["list", "--profile", "full"],
    "info": ["info"],
}
READING = {
    "compare": ["compare", f"a={RUN}", f"b={RUN}"],
    "advise": ["advise", str(RUN), "--model", "llama-3.1-70b", "--context", "32768"],
}
REPORTS = {"report": [RUN], "report-20": FIGURES[:20]}

RowKey = tuple[str, str, str]
"""Case, metric and statistic."""


class Cache(StrEnum):
    """What the caches on disk contain before a report is measured."""

    EMPTY = "empty"
    NEW_FILE = "new file"
    SAME_FILE = "same file"


def _spent(
    checkout: Path,
    arguments: Sequence[str],
    folder: Path,
    cache: Path | None = None,
    codes: Sequence[int] = (0,),
) -> tuple[float, float]:
    """(CPU seconds, wall seconds) of Python with ``arguments`` in a new process.

    Args:
        cache: the folder for caches on disk; None for that of the user.
        codes: the accepted exit codes.
    """
    own = {} if cache is None else {"XDG_CACHE_HOME": str(cache)}
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        check=False,
        stdout=subprocess.DEVNULL,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(checkout), **own},
    )
    assert done.returncode in codes
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def _pairs(
    benchmark: BenchmarkFixture,
    own: Sequence[str],
    other: tuple[Path, Sequence[str]],
    folder: Path,
) -> None:
    ratios: list[tuple[float, float]] = []

    def both() -> None:
        here, there = _spent(HERE, own, folder), _spent(*other, folder)
        ratios.append((here[0] / there[0], here[1] / there[1]))

    benchmark.pedantic(both, rounds=PAIRS)  # type: ignore[no-untyped-call]
    _note(benchmark, ratios)


def _note(benchmark: BenchmarkFixture, ratios: Sequence[tuple[float, float]]) -> None:
    for name, several in zip(("processor", "wall"), zip(*ratios, strict=True), strict=True):
        benchmark.extra_info[f"ratio, {name} time"] = statistics.median(several)


@pytest.mark.benchmark(group="beside importing click")
@pytest.mark.parametrize("name", LISTING | READING)
def test_beside_click(benchmark: BenchmarkFixture, name: str, tmp_path: Path) -> None:
    command = ["-m", "membench", *(LISTING | READING)[name]]
    _pairs(benchmark, command, (HERE, CLICK), tmp_path)


@pytest.mark.benchmark(group="beside another checkout")
@pytest.mark.parametrize("name", LISTING | READING)
def test_beside_another_checkout(benchmark: BenchmarkFixture, name: str, tmp_path: Path) -> None:
    """Without ``MEMBENCH_BASE``, the baseline is this checkout, and the ratio is about 1."""
    command = ["-m", "membench", *(LISTING | READING)[name]]
    _pairs(benchmark, command, (Path(BASE) if BASE else HERE, command), tmp_path)


@pytest.mark.benchmark(group="beside another checkout")
@pytest.mark.parametrize("cache", Cache)
@pytest.mark.parametrize("name", REPORTS)
def test_a_report_beside_another_checkout(
    benchmark: BenchmarkFixture, name: str, cache: Cache, tmp_path: Path
) -> None:
    """The files of each pair are new, except with `Cache.SAME_FILE`."""
    ratios: list[tuple[float, float]] = []
    checkouts = {"here": HERE, "there": Path(BASE) if BASE else HERE}

    def reported(place: str, files: Sequence[Path]) -> tuple[float, float]:
        report = tmp_path / "report.html"
        report.unlink(missing_ok=True)
        command = ["-m", "membench", "report", *map(str, files), "-o", str(report)]
        return _spent(checkouts[place], command, tmp_path, tmp_path / place)

    def both() -> None:
        files = _scaled(REPORTS[name], 1 + 1e-4 * (1 + len(ratios)), tmp_path / str(len(ratios)))
        for place in checkouts:
            if cache is Cache.EMPTY:
                shutil.rmtree(tmp_path / place, ignore_errors=True)
            elif cache is Cache.SAME_FILE or not ratios:
                reported(place, files if cache is Cache.SAME_FILE else REPORTS[name])
        here, there = (reported(place, files) for place in checkouts)
        ratios.append((here[0] / there[0], here[1] / there[1]))

    benchmark.extra_info["cache"] = str(cache)
    benchmark.pedantic(both, rounds=PAIRS)  # type: ignore[no-untyped-call]
    _note(benchmark, ratios)


def _scaled(paths: Sequence[Path], factor: float, folder: Path) -> list[Path]:
    """Copies of results files in ``folder``, with all values times ``factor``."""
    made = []
    for place, path in enumerate(paths):
        rows = [_times(row, factor) for row in read_rows(path)]
        made.append(folder / f"{place}-{path.name}")
        made[-1].parent.mkdir(exist_ok=True)
        write_rows(made[-1], rows)
    return made


def _times(row: Row, factor: float) -> Row:
    if row.value is None:
        return row
    rounds = tuple(factor * value for value in row.round_values)
    return replace(
        row,
        value=statistics.median(rounds) if rounds else factor * row.value,
        round_values=rounds,
        spread=relative_spread(rounds) if rounds else row.spread,
        min=None if row.min is None else factor * row.min,
        max=None if row.max is None else factor * row.max,
        samples=tuple(tuple(factor * one for one in several) for several in row.samples),
    )


@pytest.mark.benchmark(group="beside another checkout")
def test_a_quick_run_beside_another_checkout(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """A run of each checkout compiles its kernels first, and is not part of the ratios.

    Without ``MEMBENCH_PAIRS``, the run has only one case.
    """
    checkouts = {"here": HERE, "there": Path(BASE) if BASE else HERE}
    walls: list[float] = []
    scatters: dict[str, list[dict[RowKey, float]]] = {place: [] for place in checkouts}

    def ran(place: str, number: int) -> float:
        csv = tmp_path / f"{place}{number}.csv"
        command = ["-m", "membench", "run", "--profile", "quick", "--device", "cpu"]
        command += [] if MANY else ["--select", "host/chase/size=16KiB/pages=thp"]
        command += ["-o", str(csv)]
        codes = (0, 3)  # 3: a case failed, for example because another program disturbed it
        _, wall = _spent(checkouts[place], command, tmp_path, tmp_path / place, codes)
        if number:
            scatters[place].append(_scatter(csv))
        return wall

    def both() -> None:
        number = len(walls) + 1
        order = list(checkouts)[:: 1 if number % 2 else -1]
        wall = {place: ran(place, number) for place in order}
        walls.append(wall["here"] / wall["there"])

    for place in checkouts:
        ran(place, 0)
    benchmark.pedantic(both, rounds=PAIRS)  # type: ignore[no-untyped-call]
    benchmark.extra_info["ratio, wall time"] = statistics.median(walls)
    here, there = ({key: _typical(key, runs) for key in runs[0]} for runs in scatters.values())
    shared = [key for key in here.keys() & there.keys() if here[key] and there[key]]
    assert shared
    benchmark.extra_info["ratio, deviation of the rounds"] = statistics.median(
        here[key] / there[key] for key in shared
    )


def _scatter(csv: Path) -> dict[RowKey, float]:
    """The relative deviation of the round values of each row."""
    return {
        (row.case, row.metric, row.stat): statistics.stdev(row.round_values) / row.value
        for row in read_rows(csv)
        if row.status is Status.OK and row.value and len(row.round_values) > 1
    }


def _typical(key: RowKey, runs: Sequence[dict[RowKey, float]]) -> float:
    return statistics.fmean(run[key] for run in runs if key in run)
