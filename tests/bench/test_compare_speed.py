"""Time of comparing many files, relative to reading the files with the csv module alone.

``pytest -m "" tests/bench --benchmark-enable -k many`` times all commands on the same files. The
column of ratios in each group is the result. ``--benchmark-json FILE`` also contains the ratio of
CPU times and the memory. `docs/compare.md` has results for `MEMBENCH_FILES=1000`.
"""

from __future__ import annotations

import csv
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from membench.core.terms import (
    BETTER,
    UNIT,
    BytesConvention,
    CacheState,
    Metric,
    Stat,
    Status,
    Tier,
)
from membench.results.rows import relative_spread
from membench.results.schema import COLUMNS, Row, to_cells
from membench.results.sidecar import SCHEMA, digest

pytestmark = pytest.mark.slow

FILES = int(os.environ.get("MEMBENCH_FILES", "10"))
ROWS, ROUNDS, SAMPLES = 300, 5, 8
LABELS = int(os.environ.get("MEMBENCH_LABELS", "6"))
ROWS_OF_A_LABEL = 100
PAIRS = 3
SIDECAR = 40_000  # bytes, as in a quick run


def _row(rng: random.Random, run: str, place: int) -> Row:
    """A row as in a quick run, with fewer samples, so that the csv module is a fast baseline."""
    metric = (Metric.BANDWIDTH, Metric.LATENCY, Metric.IOPS)[place % 3]
    values = tuple((10 + place) * rng.gauss(1, 0.003) for _ in range(ROUNDS))
    samples = tuple(
        tuple(float(f"{value * rng.gauss(1, 0.003):.7g}") for _ in range(SAMPLES))
        for value in values
    )
    every = [one for samples_of_round in samples for one in samples_of_round]
    return Row(
        run_id=run,
        machine=run.lower(),
        tier=(Tier.DDR, Tier.CACHE, Tier.SSD)[place % 3],
        case=f"ddr/copy/size={place + 1}MiB/threads=all/pages=thp/stores=plain",
        case_version=1,
        metric=metric,
        stat=Stat.MEDIAN,
        status=Status.OK,
        value=statistics.median(values),
        unit=UNIT[metric],
        better=BETTER[metric],
        rounds=ROUNDS,
        n=ROUNDS * SAMPLES,
        round_values=values,
        spread=relative_spread(values),
        min=min(every),
        max=max(every),
        samples=samples,
        size_bytes=1 << 30,
        bytes_moved=1 << 31,
        bytes_convention=BytesConvention.RW_SUM if metric is Metric.BANDWIDTH else None,
        iters=3,
        timer="clock_monotonic",
        cache_state=CacheState.HOT,
        verified=True,
        stop_reason="count",
        backend="cpu",
        device="AMD EPYC",
        membench="0.1.0+g1234e56",
        kernel="k1f0c22aa9b31",
        detail={"engine": "numba", "threads": "2", "huge": "0%,100%"},
        flags=("vm",),
        started="2026-01-31T08:04:12Z",
    )


def _write(path: Path, number: int, rows: int, rng: random.Random) -> Path:
    """Write a results file of ``rows`` rows from a new run, and return ``path``."""
    with path.open("w", encoding="ascii", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        run = f"20260101T000000Z-{number:04x}"
        writer.writerows(to_cells(_row(rng, run, place)) for place in range(rows))
    return path


def _vary(source: Path, path: Path, rng: random.Random) -> Path:
    """Copy ``source`` to ``path``, with different start times, flags and details, and a sidecar."""
    with source.open(encoding="ascii", newline="") as file:
        header, *records = csv.reader(file)
    started, iters, flags, detail = map(header.index, ("started", "iters", "flags", "detail"))
    for record in records:
        record[started] = f"2026-01-31T{rng.randrange(24):02d}:{rng.randrange(60):02d}:12Z"
        record[iters] = str(rng.randrange(1, 9))
        record[flags] = "vm;noisy" if rng.random() < 0.1 else "vm"
        record[detail] = f"engine=numba;threads=2;huge={rng.randrange(9)}%,100%"
    with path.open("w", encoding="ascii", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *records])
    plan = {"run_id": records[0][header.index("run_id")], "profile": "quick"}
    order = [[f"ddr/copy/size={place}MiB" for place in range(SIDECAR // 20)]]
    sidecar = {"schema": SCHEMA, "plan": plan, "order": order, "sha256": digest(path)}
    path.with_suffix(".json").write_text(json.dumps(sidecar))
    return path


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("many")
    rng = random.Random(1)
    return [_write(folder / f"{number:04d}.csv", number, ROWS, rng) for number in range(FILES)]


@pytest.fixture(scope="module")
def varied(many: list[Path], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The files of `many` with the differences between real runs: see `_vary`."""
    folder = tmp_path_factory.mktemp("varied")
    rng = random.Random(2)
    return [_vary(path, folder / path.name, rng) for path in many]


def _read(paths: Sequence[Path]) -> int:
    count = 0
    for path in paths:
        with path.open(newline="", encoding="ascii") as file:
            for _ in csv.reader(file):
                count += 1
    return count


def _halves(paths: Sequence[Path]) -> list[str]:
    """Arguments of compare: the first half of ``paths`` as label a, the second half as label b."""
    return [f"{'a' if place < len(paths) // 2 else 'b'}={path}" for place, path in enumerate(paths)]


def _compare(arguments: Sequence[str]) -> str:
    """The output of the whole command in a new process."""
    command = [sys.executable, "-m", "membench", "compare", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _peak_mib() -> float:
    """Peak memory of the largest child process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


@pytest.mark.benchmark(group="many files")
def test_reading_many_files_with_csv_alone(benchmark: BenchmarkFixture, many: list[Path]) -> None:
    assert benchmark(_read, many) == FILES * (ROWS + 1)


@pytest.mark.benchmark(group="many files")
def test_comparing_many_files(benchmark: BenchmarkFixture, many: list[Path]) -> None:
    shown = benchmark(_compare, _halves(many))
    assert f"b against a: {ROWS} rows: " in shown
    benchmark.extra_info["peak MiB of any child so far"] = _peak_mib()


@pytest.mark.benchmark(group="many files")
def test_comparing_many_files_as_runs_leave_them(
    benchmark: BenchmarkFixture, varied: list[Path]
) -> None:
    shown = benchmark(_compare, _halves(varied))
    assert f"b against a: {ROWS} rows: " in shown
    assert "not as its run wrote it" not in shown


def _with_crlf(paths: Sequence[Path], folder: Path) -> list[Path]:
    """Copies of the files with CRLF line ends, as spreadsheets write them."""
    copies = [folder / path.name for path in paths]
    for path, copy in zip(paths, copies, strict=True):
        copy.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    return copies


def _beside_csv_alone(
    benchmark: BenchmarkFixture, paths: Sequence[Path], arguments: Sequence[str]
) -> str:
    """Run compare and the csv module in turn, and record the ratios of their CPU times."""
    ratios = []

    def both() -> str:
        start = time.process_time()
        _read(paths)
        alone = time.process_time() - start
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        shown = _compare(arguments)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        ratios.append(spent / alone)
        return shown

    shown: str = benchmark.pedantic(both, rounds=PAIRS)  # type: ignore[no-untyped-call]
    benchmark.extra_info["times of csv alone"] = statistics.median(ratios)
    benchmark.extra_info["peak MiB of any child so far"] = _peak_mib()
    return shown


@pytest.mark.benchmark(group="many files, processor time")
def test_comparing_many_files_beside_csv_alone(
    benchmark: BenchmarkFixture, many: list[Path]
) -> None:
    shown = _beside_csv_alone(benchmark, many, _halves(many))
    assert f"b against a: {ROWS} rows: " in shown


@pytest.mark.benchmark(group="a label per file, processor time")
@pytest.mark.parametrize("form", ["lf", "crlf", "json"])
def test_comparing_a_label_per_file_beside_csv_alone(
    benchmark: BenchmarkFixture, many: list[Path], form: str, tmp_path: Path
) -> None:
    paths = _with_crlf(many, tmp_path) if form == "crlf" else many
    arguments = [f"l{number}={path}" for number, path in enumerate(paths)]
    arguments += ["--format", "json"] if form == "json" else []
    shown = _beside_csv_alone(benchmark, paths, arguments)
    last = f"l{len(paths) - 1}"
    assert (
        f'"{last}": {{' in shown if form == "json" else f"{last} against l0: {ROWS} rows" in shown
    )


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("labels")
    rng = random.Random(3)
    paths = (folder / f"{number:04d}.csv" for number in range(LABELS))
    return [_write(path, number, ROWS_OF_A_LABEL, rng) for number, path in enumerate(paths)]


@pytest.mark.benchmark(group="many labels", max_time=1, min_rounds=1)
@pytest.mark.parametrize("most", [80, 10_000], ids=["wide", "list"])
def test_comparing_many_labels(benchmark: BenchmarkFixture, labels: list[Path], most: int) -> None:
    """Without a terminal, at most eighty short labels fit side by side."""
    arguments = [f"l{number}={path}" for number, path in enumerate(labels[:most])]
    shown = benchmark(_compare, arguments)
    assert f"l{len(arguments) - 1} against l0: {ROWS_OF_A_LABEL} rows: " in shown
    assert ("l1/l0" in shown) == (len(arguments) <= 80)
