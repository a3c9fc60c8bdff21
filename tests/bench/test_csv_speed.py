"""Time of reading and writing results files, relative to the csv module on the same data.

``pytest -m "" tests/bench/test_csv_speed.py --benchmark-enable`` shows membench and the csv module
in one group per task.
"""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from membench.results.schema import COLUMNS, Row
from membench.results.table import parse_rows, to_csv

pytestmark = pytest.mark.slow

RUN = next(
    (Path(__file__).parents[2] / "results" / "reference").glob("epyc-zen4-2cpu-vm/*_quick.csv")
)


@pytest.fixture(scope="module")
def text() -> str:
    return RUN.read_text(encoding="ascii")


@pytest.fixture(scope="module")
def numbers(text: str) -> list[Row]:
    """The rows of the file. All samples are parsed numbers, as in the rows of a run."""
    return [replace(row, samples=row.samples) for row in parse_rows(text)]


@pytest.fixture(scope="module")
def written(numbers: list[Row]) -> str:
    """The file as this version of membench writes the rows: all samples have a decimal point."""
    return to_csv(numbers).decode("ascii")


def _records(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.benchmark(group="reading a results file")
@pytest.mark.parametrize("read", [_records, parse_rows], ids=["csv alone", "strictly"])
def test_reading(benchmark: BenchmarkFixture, read: object, text: str) -> None:
    assert len(benchmark(read, text)) >= text.count("\n") - 1


def _values(row: Row) -> list[object]:
    """The values of ``row`` for the csv module, which formats numbers but no lists."""
    joined = {
        "round_values": ";".join(map(repr, row.round_values)),
        "samples": "|".join(";".join([f"{one:.7g}" for one in some]) for some in row.samples),
        "detail": ";".join(map("=".join, row.detail.items())),
        "flags": ";".join(row.flags),
    }
    return [joined.get(name, getattr(row, name)) for name in COLUMNS]


@pytest.mark.benchmark(group="writing a results file")
def test_writing_with_csv_alone(benchmark: BenchmarkFixture, numbers: list[Row]) -> None:
    def write() -> str:
        made = io.StringIO()
        writer = csv.writer(made, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(map(_values, numbers))
        return made.getvalue()

    assert benchmark(write).count("\n") == len(numbers) + 1


@pytest.mark.benchmark(group="writing a results file")
def test_writing(benchmark: BenchmarkFixture, numbers: list[Row]) -> None:
    assert parse_rows(benchmark(to_csv, numbers).decode("ascii")) == numbers


@pytest.mark.benchmark(group="writing again what was read")
def test_copying_with_csv_alone(benchmark: BenchmarkFixture, written: str) -> None:
    records = _records(written)

    def write() -> str:
        made = io.StringIO()
        csv.writer(made, lineterminator="\n").writerows(records)
        return made.getvalue()

    assert benchmark(write) == written


@pytest.mark.benchmark(group="writing again what was read")
def test_copying(benchmark: BenchmarkFixture, written: str) -> None:
    """The samples stay texts, but each text is checked."""
    assert benchmark(to_csv, parse_rows(written)).decode("ascii") == written
