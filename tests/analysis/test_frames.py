"""Results and comparisons as data frames, through the public names of the package."""

from __future__ import annotations

from pathlib import Path

import pytest
from compare_rows import around, of_run, row, write

import membench
from membench.core.errors import SchemaError, UsageError
from membench.core.terms import Metric, Status
from membench.results.schema import COLUMNS


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Two results files of the same machine; the second run is better."""
    lost = row((), "ddr/lost", reason="it broke")
    skipped = row((), "hbm/x", status=Status.SKIPPED, reason="needs a GPU")
    first = [row(around(100), flags=("noisy",), detail={"threads": "2"}, peak=200.0), lost, skipped]
    second = [row(around(120)), row(around(90), "host/chase", metric=Metric.LATENCY)]
    return (
        write(tmp_path / "a.csv", *first),
        write(tmp_path / "b.csv", *of_run("r2", second)),
    )


def test_load_gives_every_column_in_its_type(files: tuple[Path, Path]) -> None:
    frame = membench.load(*files)
    assert list(frame.columns) == list(COLUMNS)
    assert list(frame["case"]) == ["ddr/copy/size=1GiB", "ddr/lost", "hbm/x", *frame["case"][3:]]
    assert frame["value"].dtype == "float64"
    assert frame["rounds"].dtype == "Int64"
    assert frame.loc[0, "round_values"] == around(100)
    assert frame.loc[0, "flags"] == ("noisy",)
    assert frame.loc[0, "detail"] == {"threads": "2"}
    assert frame["value"].isna().tolist() == [False, True, True, False, False]
    assert frame.loc[1, "reason"] == "it broke"
    assert frame.loc[1, "timer"] == ""
    assert frame["bytes_convention"].tolist()[:2] == ["rw_sum", "rw_sum"]
    assert frame["verified"].dtype == "boolean"
    by_status = frame.groupby("status").size().to_dict()
    assert by_status == {"ok": 3, "failed": 1, "skipped": 1}


def test_compare_gives_what_the_command_gives(files: tuple[Path, Path]) -> None:
    first, second = files
    comparison = membench.compare(f"old={first}", f"new={second}")
    (record,) = comparison.to_frame().to_dict("records")
    assert record["label"] == "new"
    assert record["verdict"] == "better"
    assert record["ratio"] == pytest.approx(1.2)
    assert record["ci_low"] <= record["ratio"] <= record["ci_high"]
    assert record["reference"] == pytest.approx(100)
    assert [one.name for one in comparison.facts if one.differs] == []
    back = membench.compare(first, second, reference="b", preset="strict").to_frame()
    assert back["verdict"].tolist() == ["worse"]
    assert membench.compare(first, second, select=["ddr/copy"]).matched
    assert not membench.compare(first, second, normalize=True).matched  # one row has no peak


def test_errors_are_those_of_the_command(files: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no results files were given"):
        membench.compare()
    with pytest.raises(SchemaError, match="cannot be read"):
        membench.load(tmp_path / "nowhere.csv")
    with pytest.raises(membench.MembenchError, match="no reference"):
        membench.compare(files[0], against="ref:nothing")
