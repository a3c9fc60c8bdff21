"""Time to read and write results files, relative to the csv module on the same bytes.

``pytest -m "" tests/bench/test_csv_speed.py --benchmark-enable`` shows each pair in a group.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from membench.results.schema import Row
from membench.results.table import parse_rows, to_csv

pytestmark = pytest.mark.slow

RUN = next(
    (Path(__file__).parents[2] / "results" / "reference").glob("epyc-zen4-2cpu-vm/*_quick.csv")
)


@pytest.fixture(scope="module")
def text() -> str:
    return RUN.read_text(encoding="ascii")


@pytest.fixture(scope="module")
def rows(text: str) -> list[Row]:
    return parse_rows(text)


def _records(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.benchmark(group="reading a results file")
@pytest.mark.parametrize("read", [_records, parse_rows], ids=["csv alone", "strictly"])
def test_reading(benchmark: BenchmarkFixture, read: object, text: str) -> None:
    assert len(benchmark(read, text)) >= text.count("\n") - 1


@pytest.mark.benchmark(group="writing a results file")
def test_writing_with_csv_alone(benchmark: BenchmarkFixture, text: str) -> None:
    records = _records(text)

    def write() -> str:
        made = io.StringIO()
        csv.writer(made, lineterminator="\n").writerows(records)
        return made.getvalue()

    assert benchmark(write) == text


@pytest.mark.benchmark(group="writing a results file")
def test_writing(benchmark: BenchmarkFixture, rows: list[Row]) -> None:
    assert parse_rows(benchmark(to_csv, rows).decode("ascii")) == rows
