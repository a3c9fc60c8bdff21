"""The best samples in a comparison, in addition to the verdict."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from compare_rows import around, of_run, row, run_cli, write

from membench.core.terms import Metric, Stat, Tier
from membench.results.compact.reader import read_measurements
from membench.results.schema import Row

NOISY = (60.0, 100.0, 70.0, 95.0, 80.0)


def sampled(values: tuple[float, ...], best: float, **changes: Any) -> Row:
    """A row with the round values ``values`` and the best sample ``best``."""
    low, high = min(*values, best), max(*values, best)
    return row(values, **{"min": low, "max": high, "n": 10, **changes})


def files(tmp_path: Path, old: Row, new: Row) -> tuple[Path, Path]:
    one = write(tmp_path / "old.csv", old)
    return one, write(tmp_path / "new.csv", *of_run("20260202T000000Z-bbbb", [new]))


def ratio(capsys: pytest.CaptureFixture[str], *paths: Path | str) -> Any:
    _, out, _ = run_cli(capsys, *paths, "--format", "json")
    return json.loads(out)["rows"][0]["labels"][1]["against_reference"]["best_ratio"]


def test_typical_unclear_and_best_alike_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slower = tuple(0.8 * value for value in NOISY)
    old, new = files(tmp_path, sampled(NOISY, 104.0), sampled(slower, 102.0))
    _, out, _ = run_cli(capsys, old, new)
    assert re.search(r"\[95% CI\] +best +verdict", out)
    assert re.search(r"\] +0\.9808 +\? unclear", out)
    assert "1 unclear, but the best samples differ by at most 3%: " in out
    mine = tmp_path / "mine.toml"
    mine.write_text(
        'schema = "membench.thresholds/1"\nbase = "default"\n[all]\nbandwidth = 0.025\n'
    )
    _, out, _ = run_cli(capsys, old, new, "--preset", mine)
    assert "1 unclear, but the best samples differ by at most 2.5%: " in out
    _, out, _ = run_cli(capsys, old, new, "--format", "md")
    assert " | best | new verdict |" in out
    assert "| 0.9808 | ? unclear |" in out


def test_the_verdict_stays_with_the_median(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = files(tmp_path, sampled(around(100), 101.0), sampled(around(80), 101.0))
    _, out, _ = run_cli(capsys, old, new)
    assert re.search(r"\] +1\.000 +v worse", out)
    assert "unclear with best" not in out


def test_the_best_latency_is_the_lowest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = (
        sampled(around(center), best, case="host/chase", metric=Metric.LATENCY, tier=Tier.CACHE)
        for center, best in ((100.0, 80.0), (110.0, 84.0))
    )
    assert ratio(capsys, *files(tmp_path, old, new)) == pytest.approx(1.05)


def test_a_tail_has_no_best_and_without_one_there_is_no_column(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = files(
        tmp_path,
        sampled(around(100), 101.0, stat=Stat.P99, metric=Metric.LATENCY),
        sampled(around(100), 101.0, stat=Stat.P99, metric=Metric.LATENCY),
    )
    assert ratio(capsys, old, new) is None
    _, out, _ = run_cli(capsys, old, new)
    assert " best " not in out
    old, new = files(tmp_path, row(around(100)), sampled(around(100), 101.0))
    assert ratio(capsys, old, new) is None  # one row has no best sample


def test_of_several_runs_it_is_the_best_of_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bests = {"a": (101.0, 110.0), "b": (99.0, 104.5)}
    given: list[str] = []
    for label, several in bests.items():
        for number, best in enumerate(several):
            one = of_run(f"2026020{number + 1}T000000Z-000{label}", [sampled(NOISY, best)])
            given.append(f"{label}={write(tmp_path / f'{label}{number}.csv', *one)}")
    assert ratio(capsys, *given) == pytest.approx(104.5 / 110)


def test_shares_of_peak_have_the_best_share(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = files(tmp_path, sampled(NOISY, 104.0, peak=208.0), sampled(NOISY, 104.0, peak=416.0))
    assert ratio(capsys, old, new, "--normalize", "peak") == pytest.approx(0.5)


def test_csv_has_the_value_and_the_ratio(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = files(tmp_path, sampled(NOISY, 104.0), sampled(NOISY, 102.0))
    _, out, _ = run_cli(capsys, old, new, "--format", "csv")
    first, second = csv.DictReader(io.StringIO(out))
    assert (first["best"], second["best"]) == ("104.0", "102.0")
    assert first["best_ratio"] == ""
    assert float(second["best_ratio"]) == pytest.approx(102 / 104)


@pytest.mark.parametrize("metric", [Metric.BANDWIDTH, Metric.LATENCY])
def test_an_odd_best_goes_to_the_strict_reader(tmp_path: Path, metric: Metric) -> None:
    path = write(tmp_path / "a.csv", sampled(NOISY, 104.0, metric=metric))
    (good,) = read_measurements(path)
    assert good.best == (104.0 if metric is Metric.BANDWIDTH else 60.0)
    text = path.read_text()
    assert text.count("60.0,104.0") == 1
    path.write_text(text.replace("60.0,104.0", "x,x"))
    with pytest.raises(Exception, match="min"):
        read_measurements(path)
