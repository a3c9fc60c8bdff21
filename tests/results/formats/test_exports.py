"""Our rows in other tools' formats, and what comes back of them."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from membench.core.errors import UsageError
from membench.core.terms import BETTER, UNIT, BytesConvention, Metric, Stat, Status
from membench.results.formats import EXPORTS, exporter, importer
from membench.results.formats.figures import Origin
from membench.results.schema import Row

ROUNDS = (30.0, 31.0, 29.0)


@pytest.fixture
def ours(make_row: Callable[..., Row]) -> list[Row]:
    """A bandwidth, a latency, a p99, a rate, and a row without a number."""

    def made(case: str, metric: Metric, stat: Stat = Stat.MEDIAN) -> Row:
        return make_row(
            case=case,
            metric=metric,
            stat=stat,
            unit=UNIT[metric],
            better=BETTER[metric],
            value=30.0,
            rounds=3,
            round_values=ROUNDS,
            samples=((30.0,), (31.0, 32.0), (29.0,)),
            bytes_moved=3 * 10**9,
            bytes_convention=BytesConvention.RW_SUM if metric is Metric.BANDWIDTH else None,
        )

    lost = make_row(
        status=Status.SKIPPED,
        value=None,
        rounds=0,
        round_values=(),
        samples=(),
        spread=None,
        n=0,
        min=None,
        max=None,
        case="hbm/x",
        reason="needs a GPU",
    )
    return [
        made("ddr/copy", Metric.BANDWIDTH),
        made("host/chase", Metric.LATENCY),
        made("ssd/read", Metric.LATENCY, Stat.P99),
        made("ssd/read", Metric.IOPS),
        lost,
    ]


def test_github_action_benchmark_has_a_file_for_each_direction(ours: list[Row]) -> None:
    texts = exporter("github-action-benchmark")(ours)
    bigger, smaller = (json.loads(texts[end]) for end in (".bigger.json", ".smaller.json"))
    assert [one["name"] for one in bigger] == ["ddr/copy", "ssd/read"]
    assert [one["name"] for one in smaller] == ["host/chase", "ssd/read p99"]
    assert bigger[0] == {
        "name": "ddr/copy",
        "value": 30.0,
        "unit": "GB/s",
        "range": "+-1",
        "extra": "3 rounds; Some CPU; membench 0.1.0+g1234e56",
    }


def test_bencher_has_a_measure_for_each_metric_and_statistic(ours: list[Row]) -> None:
    cases = json.loads(exporter("bencher")(ours)[""])
    assert cases["ssd/read"] == {
        "latency-p99": {"value": 30.0, "lower_value": 29.0, "upper_value": 31.0},
        "iops": {"value": 30.0, "lower_value": 29.0, "upper_value": 31.0},
    }
    assert "hbm/x" not in cases


def test_samples_are_one_a_line(ours: list[Row]) -> None:
    lines = list(csv.DictReader(io.StringIO(exporter("samples")(ours)[""])))
    assert len(lines) == 4 * 4
    assert [(line["round"], line["sample"], line["value"]) for line in lines[:4]] == [
        ("1", "1", "30.0"),
        ("2", "1", "31.0"),
        ("2", "2", "32.0"),
        ("3", "1", "29.0"),
    ]


def test_pytest_benchmark_gets_seconds_and_gives_our_cases_back(ours: list[Row]) -> None:
    text = exporter("pytest-benchmark")(ours)[""]
    stats = json.loads(text)["benchmarks"][0]["stats"]
    assert stats["median"] == pytest.approx(3e9 / 30e9)  # seconds for the bytes at 30 GB/s
    assert stats["rounds"] == 3
    back = importer("pytest-benchmark")(text.encode(), Origin("pytest-benchmark", "r1", "box")).rows
    expected = [row for row in ours if row.value is not None]
    for row, one in zip(back, expected, strict=True):
        assert (row.case, row.metric, row.stat, row.tier, row.bytes_convention) == (
            one.case,
            one.metric,
            one.stat,
            one.tier,
            one.bytes_convention,
        )
        assert row.value == pytest.approx(one.value)


def test_pytest_benchmark_itself_reads_what_we_write(ours: list[Row], tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(exporter("pytest-benchmark")(ours)[""])
    done = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", "compare", "--columns=median", "a.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ddr/copy bandwidth" in done.stdout


def test_an_unknown_format_is_named_with_the_known_ones() -> None:
    with pytest.raises(UsageError) as error:
        exporter("xml")
    assert all(name in error.value.hint for name in EXPORTS)
    with pytest.raises(UsageError):
        importer("xml")
