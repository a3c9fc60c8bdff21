"""`membench report` from the command line, on real results."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from driver import ROOT, Membench

RUN = ("run", "--rounds", "2", "--select", "ddr/steady", "--select", "ddr/raises", "-o", "a.csv")
HEAVY = {"jinja2", "matplotlib", "numpy", "pandas", "rich"}
CALL = """
import json, sys
from membench.cli import main
try:
    main(["report", "--help"])
except SystemExit:
    pass
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.fixture
def measured(membench: Membench) -> Membench:
    """Results of a run with three ok cases and a failed case."""
    done = membench(*RUN, "--select", "hbm/nothing")
    assert done.returncode == 3, done.stderr
    return membench


@pytest.mark.slow
def test_what_was_measured_can_be_read_as_a_page_and_as_markdown(measured: Membench) -> None:
    done = measured("report", "a.csv", "-o", "a.html")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Report: a.html, ")
    html = (measured.directory / "a.html").read_text(encoding="utf-8")
    assert "RuntimeError: a line and another" in html
    assert "Overwrites memory" in html
    assert "membench run --rounds 2" in html
    assert "has no sidecar" not in html

    done = measured("report", "a.csv", "-o", "a.md")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Report: a.md and 8 plots in the same folder, ")
    text = (measured.directory / "a.md").read_text(encoding="utf-8")
    for case in ("ddr/steady/n=1", "ddr/raises", "hbm/nothing"):
        assert f"`{case}`" in text
    assert (measured.directory / "a_ladder.svg").is_file()


@pytest.mark.slow
def test_a_report_is_repeated_and_other_files_are_left_alone(measured: Membench) -> None:
    page = measured.directory / "a.html"
    for _ in range(2):
        assert measured("report", "a.csv", "-o", "a.html").returncode == 0
    page.write_text("mine")
    done = measured("report", "a.csv", "-o", "a.html")
    assert done.returncode == 1
    assert done.stderr == (
        "Error: a.html exists and is not a report of membench\n"
        "Hint: membench overwrites only its own reports: choose another file with -o\n"
    )
    assert page.read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["a.csv", "-o", "a.pdf"], 2, "the file name 'a.pdf' of -o does not end in .html or .md"),
        (["a.csv"], 2, "Missing option '-o'"),
        (["-o", "a.html"], 2, "Missing argument 'FILE...'"),
        (["absent.csv", "-o", "a.html"], 1, "absent.csv: cannot be read"),
        (["bad.csv", "-o", "a.html"], 1, "bad.csv: the file is not a results file"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    membench: Membench, arguments: list[str], code: int, message: str
) -> None:
    (membench.directory / "bad.csv").write_text("x\n1\n")
    done = membench.refuses("report", *arguments)
    assert done.returncode == code
    assert done.stderr.startswith(f"Error: {message}")
    assert not (membench.directory / "a.html").exists()


def test_asking_for_help_loads_no_heavy_library(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CALL]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert not HEAVY & set(json.loads(done.stdout.splitlines()[-1]))
