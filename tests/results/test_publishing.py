"""Results are written to the requested path, and existing files of others are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from membench.core import files
from membench.core.errors import OutputError
from membench.results.plan import Plan
from membench.results.publishing import publish
from membench.results.schema import Row
from membench.results.sidecar import Sidecar, read_sidecar, verify_sha256
from membench.results.table import read_rows

RUN = "20260131T080412Z-7f3a"


@pytest.fixture
def rows(make_row: Callable[..., Row]) -> list[Row]:
    return [make_row(run_id=RUN)]


@pytest.fixture
def sidecar(make_plan: Callable[..., Plan]) -> Sidecar:
    return Sidecar(plan=replace(make_plan(), run_id=RUN), machine={})


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def assert_whole(csv: Path, rows: list[Row]) -> None:
    assert read_rows(csv) == rows
    sidecar = read_sidecar(csv)
    assert sidecar is not None
    assert verify_sha256(csv, sidecar)


def test_a_free_name_is_taken(tmp_path: Path, rows: list[Row], sidecar: Sidecar) -> None:
    assert publish(tmp_path / "o.csv", rows, sidecar) == tmp_path / "o.csv"
    assert_whole(tmp_path / "o.csv", rows)
    assert names(tmp_path) == {"o.csv", "o.json"}


@pytest.mark.parametrize("theirs", [("o.csv",), ("o.json",), ("o.csv", "o.json"), ("link",)])
def test_what_is_not_of_this_run_stays(
    tmp_path: Path, rows: list[Row], sidecar: Sidecar, theirs: tuple[str, ...]
) -> None:
    (tmp_path / "elsewhere").write_text("precious")
    if theirs == ("link",):
        (tmp_path / "o.csv").symlink_to("elsewhere")
    for name in theirs:
        (tmp_path / name).write_text("precious")
    (tmp_path / "o-2.json").mkdir()
    (tmp_path / "o-3.journal").write_text("another run goes on")
    assert publish(tmp_path / "o.csv", rows, sidecar) == tmp_path / "o-4.csv"
    assert_whole(tmp_path / "o-4.csv", rows)
    assert (tmp_path / "elsewhere").read_text() == "precious"
    for name in theirs:
        assert (tmp_path / name).read_text() == "precious"


def test_results_of_another_run_stay(tmp_path: Path, rows: list[Row], sidecar: Sidecar) -> None:
    other = replace(sidecar, plan=replace(sidecar.plan, run_id="20260131T080412Z-0000"))
    publish(tmp_path / "o.csv", rows, other)
    before = (tmp_path / "o.csv").read_bytes(), (tmp_path / "o.json").read_bytes()
    assert publish(tmp_path / "o.csv", rows, sidecar) == tmp_path / "o-2.csv"
    assert ((tmp_path / "o.csv").read_bytes(), (tmp_path / "o.json").read_bytes()) == before


def test_an_earlier_part_of_the_same_run_is_replaced(
    tmp_path: Path, rows: list[Row], sidecar: Sidecar, make_row: Callable[..., Row]
) -> None:
    publish(tmp_path / "o.csv", rows, replace(sidecar, interrupted=True))
    more = [*rows, make_row(run_id=RUN, case="ddr/triad/size=256MiB")]
    assert publish(tmp_path / "o.csv", more, sidecar) == tmp_path / "o.csv"
    assert_whole(tmp_path / "o.csv", more)
    assert names(tmp_path) == {"o.csv", "o.json"}


def test_an_earlier_part_that_somebody_edited_stays(
    tmp_path: Path, rows: list[Row], sidecar: Sidecar
) -> None:
    publish(tmp_path / "o.csv", rows, replace(sidecar, interrupted=True))
    with (tmp_path / "o.csv").open("a") as file:
        file.write("\n# my notes\n")
    edited = (tmp_path / "o.csv").read_bytes()
    assert publish(tmp_path / "o.csv", rows, sidecar) == tmp_path / "o-2.csv"
    assert (tmp_path / "o.csv").read_bytes() == edited


def test_a_name_that_appears_at_this_moment_stays(
    tmp_path: Path, rows: list[Row], sidecar: Sidecar, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_name = files.give_name

    def late(descriptor: int, path: Path) -> None:
        if path.name == "o.csv":
            path.write_text("precious")
        give_name(descriptor, path)

    monkeypatch.setattr(files, "give_name", late)
    assert publish(tmp_path / "o.csv", rows, sidecar) == tmp_path / "o-2.csv"
    assert (tmp_path / "o.csv").read_text() == "precious"
    assert names(tmp_path) == {"o.csv", "o-2.csv", "o-2.json"}  # no o.json without its CSV


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("nameless", [True, False])
@pytest.mark.parametrize("call", [1, 2])
def test_both_files_are_published_or_neither(
    tmp_path: Path,
    rows: list[Row],
    sidecar: Sidecar,
    monkeypatch: pytest.MonkeyPatch,
    before: bool,
    nameless: bool,
    call: int,
) -> None:
    if before:
        publish(tmp_path / "o.csv", rows, replace(sidecar, interrupted=True))
    left = {path: path.read_bytes() for path in tmp_path.iterdir()}
    calls = 0
    write_all = files.write_all

    def full(descriptor: int, data: bytes) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            raise OSError(28, "No space left on device")
        write_all(descriptor, data)

    monkeypatch.setattr(files, "write_all", full)
    if not nameless:
        monkeypatch.setattr(files, "nameless", lambda *_: None)
    with pytest.raises(OutputError, match="No space left"):
        publish(tmp_path / "o.csv", rows, sidecar)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == left


@pytest.mark.parametrize("links", [True, False])
def test_without_nameless_files_or_links_nothing_is_overwritten_either(
    tmp_path: Path,
    rows: list[Row],
    sidecar: Sidecar,
    monkeypatch: pytest.MonkeyPatch,
    links: bool,
) -> None:
    monkeypatch.setattr(files, "nameless", lambda *_: None)
    if not links:

        def refuse(_self: Path, _target: Path) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(Path, "hardlink_to", refuse)
    (tmp_path / "o.csv").write_text("precious")
    assert publish(tmp_path / "o.csv", rows, sidecar) == tmp_path / "o-2.csv"
    assert_whole(tmp_path / "o-2.csv", rows)
    assert (tmp_path / "o.csv").read_text() == "precious"
    assert names(tmp_path) == {"o.csv", "o-2.csv", "o-2.json"}


def test_a_death_between_the_two_names_costs_nothing(
    tmp_path: Path, rows: list[Row], sidecar: Sidecar
) -> None:
    """Only the JSON file exists. A resumed run writes both files to the same names."""
    publish(tmp_path / "o.csv", rows, sidecar)
    (tmp_path / "o.csv").unlink()
    assert publish(tmp_path / "o.csv", rows, sidecar) == tmp_path / "o.csv"
    assert_whole(tmp_path / "o.csv", rows)
    assert names(tmp_path) == {"o.csv", "o.json"}
