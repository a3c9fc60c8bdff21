"""Results files with labels on the command line."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from compare_rows import around, of_run, row, write

from membench.analysis.sides import make_sides, split_label
from membench.analysis.sources import read_source
from membench.core.errors import SchemaError, UsageError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("argument", "label", "path"),
    [
        ("a.csv", None, "a.csv"),
        ("old=a.csv", "old", "a.csv"),
        ("NA=a.csv", "NA", "a.csv"),
        ("null=a.csv", "null", "a.csv"),
        ("=x=a.csv", "=x", "a.csv"),
        ("a=b=a.csv", "a=b", "a.csv"),
        ("block=4KiB.csv", None, "block=4KiB.csv"),
        ("big=block=4KiB.csv", "big", "block=4KiB.csv"),
        ("old=nowhere.csv", "old", "nowhere.csv"),
        ("nowhere.csv", None, "nowhere.csv"),
        ("a=" + "b" * 5000, "a", "b" * 5000),
        ("\x1b[31mred=a.csv", "[31mred", "a.csv"),
    ],
)
def test_label_and_file(here: Path, argument: str, label: str | None, path: str) -> None:
    for name in ("a.csv", "block=4KiB.csv"):
        (here / name).touch()
    assert split_label(argument) == (label, Path(path))


def test_a_label_of_nothing_is_refused(here: Path) -> None:
    with pytest.raises(UsageError, match="empty label"):
        split_label("\x01=nowhere.csv")


def labels(*paths: str | Path) -> list[str]:
    given = [split_label(str(path)) for path in paths]
    return [side.label for side in make_sides([(one, read_source(path)) for one, path in given])]


def test_a_label_is_the_machine_where_that_tells_the_files_apart(here: Path) -> None:
    write(here / "a.csv", row(around(1)))
    write(here / "b.csv", *of_run("r2", [row(around(1), machine="rack7")]))
    assert labels("a.csv", "b.csv") == ["box", "rack7"]


def test_else_the_name_of_the_file_and_else_its_path(here: Path) -> None:
    (here / "d").mkdir()
    for name in ("a.csv", "b.csv", "d/a.csv"):
        write(here / name, *of_run(name.replace("/", "."), [row(around(1))]))
    assert labels("a.csv", "b.csv") == ["a", "b"]
    assert labels("a.csv", "d/a.csv") == ["a.csv", "d/a.csv"]
    assert labels("a.csv", "a.csv") == ["a#1", "a#2"]
    # The machine's name would mislead, because both files are from the same machine.
    assert labels("x=a.csv", "b.csv") == ["x", "b"]


def test_the_reference_comes_first(here: Path) -> None:
    sources = []
    for run in ("r1", "r2", "r3"):
        path = write(here / f"{run}.csv", *of_run(run, [row(around(1))]))
        sources.append((None, read_source(path)))
    assert [side.label for side in make_sides(sources)] == ["r1", "r2", "r3"]
    assert [side.label for side in make_sides(sources, "r3")] == ["r3", "r1", "r2"]
    with pytest.raises(UsageError, match="there is no label 'r4'"):
        make_sides(sources, "r4")


def test_files_of_one_label_are_pooled_and_count_once(here: Path) -> None:
    a = read_source(write(here / "a.csv", *of_run("r1", [row(around(1))])))
    b = read_source(write(here / "b.csv", *of_run("r2", [row(around(2))])))
    pooled, other = make_sides([("x", a), ("x", b), ("x", a), ("y", a)])
    assert pooled.runs == ("r1", "r2")
    assert len(pooled.rows) == 2
    assert other.runs == ("r1",)


def test_an_edited_copy_is_refused(here: Path) -> None:
    a = read_source(write(here / "a.csv", row(around(1))))
    b = read_source(write(here / "b.csv", row(around(2))))
    with pytest.raises(SchemaError, match="two different rows for ddr/copy"):
        make_sides([("x", a), ("x", b), ("y", a)])


def test_what_cannot_be_meant(here: Path) -> None:
    source = read_source(write(here / "a.csv", row(around(1))))
    other = replace(source, path=Path("b.csv"))
    with pytest.raises(UsageError, match="there is only one file"):
        make_sides([(None, source)])
    with pytest.raises(UsageError, match="all files have the label 'x'"):
        make_sides([("x", source), ("x", other)])
    with pytest.raises(UsageError, match="would get the label 'b'"):
        make_sides([("b", source), (None, other)])


def test_a_file_with_a_header_alone_is_refused(here: Path) -> None:
    with pytest.raises(SchemaError, match="the file has no rows"):
        read_source(write(here / "a.csv"))


def test_a_broken_sidecar_is_a_remark_and_no_error(here: Path) -> None:
    path = write(here / "a.csv", row(around(1)))
    assert read_source(path).problem == ""
    (here / "a.json").write_text("{broken")
    source = read_source(path)
    assert "is not JSON" in source.problem
    assert len(source.rows) == 1


def test_a_pipe_is_a_file(here: Path) -> None:
    path = write(here / "a.csv", row(around(1)))
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as file:
        file.write(path.read_bytes())
    try:
        assert len(read_source(Path(f"/dev/fd/{reader}")).rows) == 1
    finally:
        os.close(reader)
