"""The sidecar and the journal, and the check before a run that membench can write these files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from membench.core.errors import OutputError, SchemaError
from membench.results.journal.reading import JournalEvent
from membench.results.paths import (
    check_output,
    default_path,
    journal_path,
    new_directory,
    sidecar_path,
    unused_path,
    with_mark,
)
from membench.results.plan import Plan
from membench.results.schema import Row
from membench.results.sidecar import Sidecar, read_sidecar, verify_sha256, write_sidecar
from membench.results.table import write_rows


@pytest.fixture
def csv(tmp_path: Path, make_row: Callable[..., Row]) -> Path:
    path = tmp_path / "r.csv"
    write_rows(path, [make_row()])
    return path


@pytest.fixture
def sidecar(make_plan: Callable[..., Plan]) -> Sidecar:
    return Sidecar(
        plan=make_plan(),
        machine={"slug": "box-1", "cpu": {"model": "na\u00efve", "quota": None}},
        order=(("a", "b"), ("b",)),
        notes=(JournalEvent("round", {"sm_mhz": [1980.0, 1975]}),),
        seconds={"total": 3.5, "measuring": 3.0},
        interrupted=True,
    )


def test_a_sidecar_comes_back_with_the_digest(csv: Path, sidecar: Sidecar) -> None:
    path = write_sidecar(csv, sidecar)
    assert path == csv.with_name("r.json")
    back = read_sidecar(csv)
    assert back is not None
    assert len(back.sha256) == 64
    assert back == Sidecar(**{**vars(sidecar), "sha256": back.sha256})
    data = json.loads(path.read_text("ascii"))
    assert data["schema"] == "membench.run/1"
    assert data["plan"]["argv"] == ["run", "--rounds", "2"]
    assert data["plan"]["seed"] == 7


def test_the_digest_tells_an_edited_file(csv: Path, sidecar: Sidecar) -> None:
    write_sidecar(csv, sidecar)
    back = read_sidecar(csv)
    assert back is not None
    assert verify_sha256(csv, back)
    csv.write_text(csv.read_text().replace("20.5", "99.5"))
    assert not verify_sha256(csv, back)


def test_a_csv_without_sidecar(csv: Path, sidecar: Sidecar) -> None:
    assert read_sidecar(csv) is None
    with pytest.raises(OutputError, match="No such file"):
        write_sidecar(csv.with_name("none.csv"), sidecar)
    with pytest.raises(OutputError, match="No such file"):
        verify_sha256(csv.with_name("none.csv"), sidecar)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "does not have the schema membench.run/1"),
        ('{"schema":"x/1"}', "does not have the schema membench.run/1"),
        ('{"schema":"membench.run/2"}', "has the schema membench.run/2, not membench.run/1"),
        ('{"schema":"membench.run/1"}', "Sidecar: 'plan' is missing"),
    ],
)
def test_a_broken_sidecar_is_refused_in_one_line(csv: Path, text: str, message: str) -> None:
    sidecar_path(csv).write_text(text)
    with pytest.raises(SchemaError) as refused:
        read_sidecar(csv)
    assert str(refused.value).endswith(message)
    assert str(sidecar_path(csv)) in str(refused.value)


def test_a_sidecar_that_cannot_be_read(csv: Path) -> None:
    sidecar_path(csv).mkdir()
    with pytest.raises(SchemaError, match="a directory, not a file"):
        read_sidecar(csv)


def test_default_path() -> None:
    path = default_path(Path("results"), "box-1", "2026-01-31T08:04:12Z", "quick")
    assert path == Path("results/box-1/20260131T080412Z_quick.csv")
    fraction = default_path(Path("results"), "box-1", "2026-01-31T08:04:12.345Z", "full")
    assert fraction.name == "20260131T080412Z_full.csv"


@pytest.mark.parametrize(
    ("name", "stem"),
    [("r.csv", "r"), ("r.CSV", "r"), ("run.v1", "run.v1"), ("r", "r"), ("r.json", "r.json")],
)
def test_files_beside_the_csv_never_share_its_name(name: str, stem: str) -> None:
    csv = Path("d") / name
    assert sidecar_path(csv) == Path("d") / f"{stem}.json"
    assert journal_path(csv) == Path("d") / f"{stem}.journal"
    assert csv not in (sidecar_path(csv), journal_path(csv))


def test_a_good_place_gets_its_directory_and_no_file(tmp_path: Path) -> None:
    check_output(tmp_path / "a" / "b" / "r.csv")
    assert list((tmp_path / "a" / "b").iterdir()) == []
    check_output(tmp_path / "a" / "any name")


def refused(csv: Path) -> OutputError:
    with pytest.raises(OutputError) as error:
        check_output(csv)
    for text in (str(error.value), error.value.hint):
        assert len(text.splitlines()) == 1
    return error.value


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    csv = tmp_path / "r.csv"
    csv.write_text("mine")
    error = refused(csv)
    assert str(error) == f"{csv} exists, and nothing is overwritten"
    journal_path(csv).write_text("{}")
    assert f"--resume {csv}" in refused(csv).hint
    csv.unlink()
    assert f"--resume {csv}" in refused(csv).hint
    journal_path(csv).unlink()
    sidecar_path(csv).write_text("{}")
    assert str(refused(csv)) == f"{sidecar_path(csv)} exists, and nothing is overwritten"


def test_only_a_new_regular_file_will_do(tmp_path: Path) -> None:
    assert "is a directory" in str(refused(tmp_path))
    assert "is a directory" in str(refused(Path()))
    assert "is not a regular file" in str(refused(Path("/dev/full")))
    os.mkfifo(tmp_path / "fifo")
    assert "is not a regular file" in str(refused(tmp_path / "fifo"))
    (tmp_path / "dangling").symlink_to(tmp_path / "elsewhere.csv")
    assert "is not a regular file" in str(refused(tmp_path / "dangling"))
    os.mkfifo(tmp_path / "x.journal")
    assert "is not a regular file" in str(refused(tmp_path / "x.csv"))


def test_places_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    assert "Not a directory" in str(refused(tmp_path / "file" / "r.csv"))
    assert "Not a directory" in str(refused(tmp_path / "file" / "deeper" / "r.csv"))
    assert "too long" in str(refused(tmp_path / ("n" * 250 + ".csv")))
    assert "too long" in str(refused(tmp_path / "new" / ("n" * 250 + ".csv")))
    assert str(refused(Path("/proc/1/r.csv"))).startswith("cannot write /proc/1/r.csv: ")
    with pytest.raises(OutputError, match="cannot write"):
        check_output(tmp_path / "a\0b.csv")


def test_a_full_disk_is_seen_before_measuring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(descriptor: int, data: bytes) -> int:
        with Path("/dev/full").open("wb", buffering=0) as full:
            return full.write(data)

    monkeypatch.setattr(os, "write", write)
    error = refused(tmp_path / "r.csv")
    assert "No space left on device" in str(error)
    assert "free some space" in error.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("taken", ["r.csv", "r.json", "r.journal"])
def test_a_name_that_a_run_has_is_not_given_again(tmp_path: Path, taken: str) -> None:
    wanted = tmp_path / "r.csv"
    assert unused_path(wanted) == wanted
    (tmp_path / taken).touch()
    assert unused_path(wanted).name == "r_2.csv"
    (tmp_path / "r_2.journal").symlink_to("nowhere")
    assert unused_path(wanted).name == "r_3.csv"


def test_a_mark_comes_before_csv_and_after_every_other_suffix() -> None:
    names = {"r.csv": "r_2.csv", "r.CSV": "r_2.CSV", "run.v1": "run.v1_2", "r": "r_2"}
    assert {name: with_mark(Path(name), "_2").name for name in names} == names


def test_in_a_deleted_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with (
        pytest.raises(OutputError, match=r"cannot write results/r\.csv"),
        new_directory(Path("results/r.csv")),
    ):
        pass
