"""The input files of a report: runs, labels, sidecars, and errors in the files."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from membench.core.errors import SchemaError
from membench.report.page.runs import read_runs
from membench.results.schema import Row
from membench.results.table import write_rows


def problems(*paths: Path) -> list[str]:
    sources, _ = read_runs(paths)
    return [problem for source in sources for problem in source.problems]


def test_a_file_beside_its_sidecar_has_no_problem(results: Path) -> None:
    sources, (run,) = read_runs([results])
    assert problems(results) == []
    assert (run.label, run.started) == ("box-1", "2026-01-31 08:04:12")
    assert run.machine is not None
    assert run.machine.cpu.model == "Some CPU"
    assert sources[0].data == results.read_bytes()


def test_a_file_given_twice_is_read_once(results: Path) -> None:
    sources, runs = read_runs([results, results])
    assert len(sources) == len(runs) == 1


def test_a_missing_sidecar_is_said(results: Path) -> None:
    results.with_suffix(".json").unlink()
    (problem,) = problems(results)
    assert problem.startswith("a.csv has no sidecar (a.json is missing)")


def test_changed_numbers_are_said(results: Path) -> None:
    results.write_bytes(results.read_bytes().replace(b"box-1", b"box-9"))
    (problem,) = problems(results)
    assert problem == "a.csv was changed after its run: its numbers may be wrong"


def test_the_sidecar_of_another_run_is_not_believed(
    results: Path, tmp_path: Path, everything: tuple[Row, ...]
) -> None:
    write_rows(results, [replace(row, run_id="another-1") for row in everything])
    (problem,) = problems(results)
    assert problem == "a.json describes another run than a.csv and is not used"
    (run,) = read_runs([results])[1]
    assert run.sidecar is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "membench.run/9"}'])
def test_a_broken_sidecar_is_said_and_the_rows_are_used(results: Path, text: str) -> None:
    results.with_suffix(".json").write_text(text)
    (problem,) = problems(results)
    assert re.match("a.json.*; the file is not used, so the machine and the settings ", problem)
    assert read_runs([results])[1][0].rows


def test_a_snapshot_that_cannot_be_read_is_said(results: Path) -> None:
    sidecar = results.with_suffix(".json")
    data = json.loads(sidecar.read_text())
    del data["machine"]["cpu"]
    sidecar.write_text(json.dumps(data))
    (problem,) = problems(results)
    assert problem.startswith("a.json has an invalid description of the machine: ")


def test_an_interrupted_run_is_said(results: Path) -> None:
    sidecar = results.with_suffix(".json")
    data = json.loads(sidecar.read_text())
    sidecar.write_text(json.dumps({**data, "interrupted": True}))
    (problem,) = problems(results)
    assert "was interrupted" in problem


def test_labels_tell_the_runs_apart(
    tmp_path: Path, everything: tuple[Row, ...], make_file: Callable[..., Path]
) -> None:
    def file(name: str, *runs: tuple[str, str]) -> Path:
        rows = [
            replace(row, run_id=run_id, machine=machine)
            for run_id, machine in runs
            for row in everything
        ]
        return make_file(tmp_path / name, rows, sidecar=False)

    def labels(*paths: Path) -> list[str]:
        return [run.label for run in read_runs(paths)[1]]

    one, other = file("x.csv", ("r-1", "box")), file("y.csv", ("r-2", "tower"))
    assert labels(one, other) == ["box", "tower"]
    again = file("z.csv", ("r-3", "box"))
    assert labels(one, again) == ["x", "z"]
    assert labels(file("both.csv", ("r-1", "box"), ("r-2", "box"))) == ["both r-1", "both r-2"]


def test_what_is_no_results_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(SchemaError, match="not a results file"):
        read_runs([path])


def test_a_pipe_is_read_once(results: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    data = results.read_bytes()
    writer = threading.Thread(target=lambda: pipe.write_bytes(data))
    writer.start()
    sources, runs = read_runs([pipe])
    writer.join()
    assert runs[0].rows
    assert sources[0].data == b""
    assert "was read from a pipe" in sources[0].problems[0]


def test_figures_that_nobody_here_measured_have_no_sidecar_to_miss(
    everything: tuple[Row, ...], make_file: Callable[..., Path], tmp_path: Path
) -> None:
    for backend in ("cited", "import:nvbandwidth"):
        rows = tuple(replace(row, backend=backend) for row in everything)
        file = make_file(tmp_path / f"{backend[:5]}.csv", rows)
        file.with_suffix(".json").unlink(missing_ok=True)
        ((source,), _) = read_runs([file])
        assert source.problems == ()
