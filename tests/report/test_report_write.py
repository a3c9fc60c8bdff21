"""The output path of a report, and files that the report must not overwrite."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from membench.core.errors import OutputError, SchemaError, UsageError
from membench.core.files import create
from membench.report.page.compose import compose, measured
from membench.report.page.document import Document
from membench.report.page.runs import read_runs
from membench.report.page.sections import figures
from membench.report.page.write import make_report
from membench.results.schema import Row
from membench.thesis.claims.verdicts import Verdicts, verdicts

_MADE: list[tuple[Verdicts, Document]] = []


@pytest.fixture(autouse=True)
def made_once(
    everything: tuple[Row, ...],
    make_file: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Compose the document only once, because these tests check only the output paths."""
    if not _MADE:
        file = make_file(tmp_path_factory.mktemp("composed") / "a.csv", everything)
        sources, runs = read_runs([file])
        first = measured(sources, runs, figures.section(runs))
        judged = verdicts([row for run in runs for row in run.rows])
        _MADE.append(
            (
                judged,
                compose(first, judged, judged.entries),
            )
        )
    ((judged, document),) = _MADE
    monkeypatch.setattr("membench.thesis.claims.verdicts.verdicts", lambda *_args, **_more: judged)
    monkeypatch.setattr("membench.report.page.compose.compose", lambda *_args: document)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", ["r.html", "r.HTML", "r.md", "deep/er/r.html", "r.json"])
def test_a_report_of_ours_is_overwritten(results: Path, tmp_path: Path, name: str) -> None:
    first = make_report([results], tmp_path / name)
    before = [path.read_bytes() for path in first]
    again = make_report([results], tmp_path / name)
    assert [path.read_bytes() for path in again] == before


@pytest.mark.parametrize("name", ["r.html", "r.md", "r_ladder.svg"])
def test_a_file_of_somebody_else_is_not(results: Path, tmp_path: Path, name: str) -> None:
    theirs = tmp_path / name
    theirs.write_text("<html>my own work</html>")
    output = tmp_path / ("r.html" if name == "r.html" else "r.md")
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(OutputError, match=f"{name} exists and is not a report of membench"):
        make_report([results], output)
    assert theirs.read_text() == "<html>my own work</html>"
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["r.pdf", "r", "r.html.gz", "verdicts.json.gz"])
def test_the_suffix_chooses_the_format(results: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"does not end in \.html or \.md or \.json"):
        make_report([results], tmp_path / name)
    assert not (tmp_path / name).exists()


def test_only_regular_files_are_written(results: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(OutputError, match="is not a regular file"):
        make_report([results], tmp_path / "folder.html")
    (tmp_path / "link.html").symlink_to(results)
    with pytest.raises(OutputError, match="is not a regular file"):
        make_report([results], tmp_path / "link.html")
    os.mkfifo(tmp_path / "pipe.md")
    with pytest.raises(OutputError, match="is not a regular file"):
        make_report([results], tmp_path / "pipe.md")


def test_a_parent_that_is_a_file_is_one_clear_line(results: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        make_report([results], results / "r.html")


def test_nothing_is_written_about_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="cannot be read"):
        make_report([tmp_path / "absent.csv"], tmp_path / "r.html")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [b"r\xff.html", b"r\xff.md", b"r\xff.json"])
def test_names_that_are_no_utf_8_are_reported(results: Path, tmp_path: Path, name: bytes) -> None:
    source = results.rename(results.with_name(os.fsdecode(b"in\xfe.csv")))
    for path in make_report([source], tmp_path / os.fsdecode(name)):
        path.read_bytes().decode()


QUOTING = {
    "r.md": "# My notes\n\n<!-- generator: membench 0.1.0 -->\n",
    "r.html": '<!doctype html>\n<p>\n<meta name="generator" content="membench 0.1.0">\n',
    "r.json": '{\n "notes": {\n  "schema": "membench.verdicts/1"\n }\n}\n',
    "r_ladder.svg": "<svg/>\n<!-- generator: membench -->\n",
}


@pytest.mark.parametrize("name", QUOTING)
def test_a_file_that_quotes_our_mark_is_not_ours(results: Path, tmp_path: Path, name: str) -> None:
    theirs = tmp_path / name
    theirs.write_text(QUOTING[name])
    output = theirs if theirs.suffix != ".svg" else tmp_path / "r.md"
    with pytest.raises(OutputError, match=f"{name} exists and is not a report of membench"):
        make_report([results], output)
    assert theirs.read_text() == QUOTING[name]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("r")] == [name]


def test_a_file_that_appears_while_the_report_is_made_stays(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "r.html"

    def late(*_arguments: object) -> Document:
        output.write_text("my own work")
        return _MADE[0][1]

    monkeypatch.setattr("membench.report.page.compose.compose", late)
    with pytest.raises(OutputError, match="exists and is not a report of membench"):
        make_report([results], output)
    assert output.read_text() == "my own work"


def test_a_report_on_a_full_disk_leaves_no_plots(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        if path.suffix == ".md":
            raise OutputError(f"cannot write {path}: No space left on device", "free some space")
        create(path, data)

    monkeypatch.setattr("membench.report.page.write.create", full)
    folder = tmp_path / "reports"
    with pytest.raises(OutputError, match="No space left"):
        make_report([results], folder / "r.md")
    assert list(folder.iterdir()) == []
