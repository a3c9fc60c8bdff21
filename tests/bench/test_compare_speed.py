"""Comparing many files against reading them with the csv module alone.

``pytest tests/bench --benchmark-enable -k many`` times both on the same files; the group's
column of ratios is the figure.  `MEMBENCH_FILES=1000` makes them a thousand.
"""

from __future__ import annotations

import csv
import os
import random
import resource
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from membench.record.rows import relative_spread
from membench.record.schema import COLUMNS, Row, to_cells
from membench.terms import BETTER, UNIT, BytesConvention, CacheState, Metric, Stat, Status, Tier

pytestmark = pytest.mark.slow

FILES = int(os.environ.get("MEMBENCH_FILES", "10"))
ROWS, ROUNDS, SAMPLES = 300, 5, 8


def _row(rng: random.Random, run: str, place: int) -> Row:
    """As a quick run writes it, but for fewer samples: a hard case, for csv is quick with it."""
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


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """`FILES` files of `ROWS` rows, each a run of its own."""
    folder = tmp_path_factory.mktemp("many")
    rng = random.Random(1)
    paths = []
    for number in range(FILES):
        path = folder / f"{number:04d}.csv"
        with path.open("w", encoding="ascii", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            run = f"20260101T000000Z-{number:04x}"
            writer.writerows(to_cells(_row(rng, run, place)) for place in range(ROWS))
        paths.append(path)
    return paths


@pytest.mark.benchmark(group="many files")
def test_reading_many_files_with_csv_alone(benchmark: BenchmarkFixture, many: list[Path]) -> None:
    def read() -> int:
        count = 0
        for path in many:
            with path.open(newline="", encoding="ascii") as file:
                for _ in csv.reader(file):
                    count += 1
        return count

    rows = benchmark(read)
    assert rows == FILES * (ROWS + 1)


@pytest.mark.benchmark(group="many files")
def test_comparing_many_files(benchmark: BenchmarkFixture, many: list[Path]) -> None:
    """The whole command, start-up included: half of the files against the other half."""
    arguments = [f"{'a' if place < FILES // 2 else 'b'}={path}" for place, path in enumerate(many)]

    def compare() -> str:
        command = [sys.executable, "-m", "membench", "compare", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    shown = benchmark(compare)
    assert f"b against a: {ROWS} rows: " in shown
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    benchmark.extra_info["peak MiB of any child so far"] = peak
