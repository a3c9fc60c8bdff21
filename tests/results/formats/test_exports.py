"""membench rows exported to formats of other tools, and imported again."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from pyarrow import dataset, parquet

from membench.cli import main
from membench.core.errors import UsageError
from membench.core.terms import BETTER, UNIT, BytesConvention, Metric, Stat, Status
from membench.results.formats import EXPORTS, exporter, importer
from membench.results.formats.figures import Origin
from membench.results.schema import COLUMNS, Row
from membench.results.table import write_rows

ROUNDS = (30.0, 31.0, 29.0)


@pytest.fixture
def ours(make_row: Callable[..., Row]) -> list[Row]:
    """Rows with a bandwidth, a latency, a p99, a rate, and without a value."""

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


def text_of(form: str, rows: list[Row]) -> str:
    text = exporter(form)(rows)[""]
    assert isinstance(text, str)
    return text


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
    lines = list(csv.DictReader(io.StringIO(text_of("samples", ours))))
    assert len(lines) == 4 * 4
    assert [(line["round"], line["sample"], line["value"]) for line in lines[:4]] == [
        ("1", "1", "30.0"),
        ("2", "1", "31.0"),
        ("2", "2", "32.0"),
        ("3", "1", "29.0"),
    ]


def test_pytest_benchmark_gets_seconds_and_gives_our_cases_back(ours: list[Row]) -> None:
    text = text_of("pytest-benchmark", ours)
    stats = json.loads(text)["benchmarks"][0]["stats"]
    # The time in seconds for all bytes at 30 GB/s.
    assert stats["median"] == pytest.approx(3e9 / 30e9)
    assert stats["rounds"] == 3
    back = importer("pytest-benchmark")(text.encode(), Origin("pytest-benchmark", "r1", "box"))
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
    (tmp_path / "a.json").write_text(text_of("pytest-benchmark", ours))
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


def test_parquet_has_every_row_and_column_in_its_type(ours: list[Row]) -> None:
    data = exporter("parquet")(ours)[""]
    assert isinstance(data, bytes)
    table = parquet.read_table(io.BytesIO(data))
    assert tuple(table.column_names) == COLUMNS
    first, *_, lost = table.to_pylist()
    assert (first["case"], first["value"], first["round_values"]) == ("ddr/copy", 30.0, [*ROUNDS])
    assert first["samples"] == [[30.0], [31.0, 32.0], [29.0]]
    assert (first["detail"], first["flags"]) == ([("threads", "2")], ["noisy"])
    assert (lost["value"], lost["status"], lost["n"]) == (None, "skipped", 0)
    assert first["reason"] is None  # a missing text is null
    kinds = {name: str(table.schema.field(name).type) for name in ("value", "n", "verified")}
    assert kinds == {"value": "double", "n": "int64", "verified": "bool"}


def test_openmetrics_has_base_units_and_each_name_and_labels_once(ours: list[Row]) -> None:
    again = [replace(row, run_id="r2", started="2026-02-01T00:00:00Z") for row in ours[:1]]
    text = text_of("openmetrics", [*again, *ours])
    *lines, end = text.splitlines()
    assert end == "# EOF"
    samples = [line.rpartition(" ") for line in lines if not line.startswith("#")]
    assert len({name for name, _, _ in samples}) == len(samples) == 5
    labels = 'machine="box-1",tier="ddr",case="ssd/read",stat="p99",device="Some CPU",backend="cpu"'
    values = {name: float(value) for name, _, value in samples}
    assert values[f"membench_latency_seconds{{{labels}}}"] == pytest.approx(30e-9)
    assert values['membench_started_timestamp_seconds{machine="box-1"}'] == 1769904000.0
    bandwidth = next(value for name, value in values.items() if "bandwidth" in name)
    assert bandwidth == 30e9
    for name, _, value in samples:
        assert re.fullmatch(r'[a-z_]+\{([a-z]+="([^"\\\n]|\\[\\n"])*",?)+\}', name)
        assert re.fullmatch(r"[0-9.]+(e[+-]?[0-9]+)?", value)
    families = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(set(families)) == len(families)


def test_openmetrics_keeps_the_newest_run_to_a_fraction_of_a_second(ours: list[Row]) -> None:
    times = ("2026-02-01T00:00:00Z", "2026-02-01T00:00:00.5Z", "2026-02-01T00:00:00.25Z")
    rows = [
        replace(ours[0], run_id=f"r{number}", started=started, value=10.0 + number)
        for number, started in enumerate(times)
    ]
    text = text_of("openmetrics", rows)
    assert [line.rpartition(" ")[2] for line in text.splitlines() if line[0] != "#"] == [
        "11000000000.0",
        "1769904000.5",
    ]


def test_results_files_open_as_one_dataset(make_row: Callable[..., Row], tmp_path: Path) -> None:
    """The column is of type double, also for a file with only whole numbers."""
    for number, value in enumerate((1610.0, 33.6, 5.0)):
        values = (value, value)
        row = make_row(
            run_id=f"r{number}",
            value=value,
            round_values=values,
            samples=(values[:1], values[1:]),
            min=value,
            max=value,
            peak=2000.0,
        )
        write_rows(tmp_path / f"{number}.csv", [row])
    table = dataset.dataset(tmp_path, format="csv").to_table(columns=["value", "min", "max"])
    assert [str(one) for one in table.schema.types] == ["double"] * 3
    assert sum(table["value"].to_pylist()) == pytest.approx(1648.6)
    frames = [pd.read_csv(path) for path in sorted(tmp_path.glob("*.csv"))]
    assert {str(frame["value"].dtype) for frame in frames} == {"float64"}
    assert pd.concat(frames)["value"].sum() == pytest.approx(1648.6)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("samples", "1 row without a value, 2 rows without samples"),
        ("pytest-benchmark", "1 row without a value, 1 row without a time"),
        ("openmetrics", "1 row without a value, 1 row of older runs"),
        ("bencher", "1 row without a value, 1 row of a case that a later row has too"),
        ("parquet", ""),
    ],
)
def test_every_omitted_row_is_counted(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    make_row: Callable[..., Row],
    form: str,
    said: str,
) -> None:
    lost = {"value": None, "rounds": 0, "round_values": (), "samples": (), "spread": None}
    rows = [
        make_row(),
        make_row(run_id="r2", started="2020-01-01T00:00:00Z", samples=()),
        make_row(
            case="gpu/x", metric=Metric.FLOPS, unit="GFLOP/s", bytes_convention=None, samples=()
        ),
        make_row(
            case="hbm/x", status=Status.SKIPPED, reason="no GPU", n=0, min=None, max=None, **lost
        ),
    ]
    write_rows(tmp_path / "r.csv", rows)
    with pytest.raises(SystemExit) as end:
        main(["export", form, str(tmp_path / "r.csv"), "-o", str(tmp_path / "out")])
    assert end.value.code == 0
    assert capsys.readouterr().err == (f"Left out: {said}\n" if said else "")
