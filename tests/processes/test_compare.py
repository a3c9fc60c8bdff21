"""`membench compare` in real processes, on results of real runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from driver import Membench

pytestmark = pytest.mark.slow


@pytest.fixture
def runs(membench: Membench) -> Membench:
    """Two runs of the test plug-in: a.csv and b.csv."""
    for name in ("a", "b"):
        done = membench(
            *("run", "--select", "ddr/steady", "--select", "ddr/raises"),
            *("--rounds", "5", "-o", f"{name}.csv"),
        )
        assert done.returncode == 3, done.stderr  # because of ddr/raises
    return membench


def test_two_runs_from_one_end_to_the_other(runs: Membench) -> None:
    done = runs("compare", "a.csv", "b.csv")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert re.search(r"^b against a: 3 rows: ", done.stdout, re.MULTILINE)
    assert re.search(
        r"^1 failed in a, b: round 1: RuntimeError: a line and another\n  ddr/raises$",
        done.stdout,
        re.MULTILINE,
    )
    for fact in ("cpu ", "kernel ", "memory ", "profile quick", "thp ", " packages"):
        assert fact in done.stdout
    for n in (1, 2, 3):
        assert re.search(rf"^ddr/steady/n={n} +\d", done.stdout, re.MULTILINE)
    data = json.loads(runs("compare", "a.csv", "b.csv", "--format", "json").stdout)
    assert data["schema"] == "membench.compare/1"
    assert all(
        line["labels"][1]["against_reference"]["n"] == [5, 5]
        for line in data["rows"]
        if line["case"] != "ddr/raises"
    )
    # A file compared with itself is never better or worse, whatever the noise.
    itself = json.loads(runs("compare", "a.csv", "a.csv", "--format", "json").stdout)
    assert set(itself["counts"]["a#2"]) <= {"same", "unclear"}
    # Only `--fail-on failed` reacts to a failed case.
    assert runs("compare", "a.csv", "a.csv", "--fail-on", "worse").returncode == 0
    assert runs("compare", "a.csv", "b.csv", "--fail-on", "failed").returncode == 3
    # compare needs only the CSV files.
    for name in ("a.json", "b.json"):
        (runs.directory / name).unlink()
    alone = runs("compare", "a.csv", "b.csv")
    assert alone.returncode == 0
    assert alone.stdout.partition("ddr bandwidth")[2] == done.stdout.partition("ddr bandwidth")[2]


def test_pipes_ascii_and_terminals(runs: Membench) -> None:
    command = [sys.executable, "-P", "-m", "membench", "compare", "a.csv", "b.csv"]
    plain = {**runs.environment, "LC_ALL": "C", "TERM": "dumb", "PYTHONUTF8": "0"}
    head = subprocess.run(
        ["bash", "-c", '"$@" | head -n 1', "bash", *command],
        cwd=runs.directory,
        env=plain,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert head.stdout.startswith("a  reference  5 rounds, 3 cases: a.csv")
    assert head.stderr == ""
    script = Path(__file__).with_name("in_terminal.py")
    for columns in (80, 200):
        done = subprocess.run(
            [sys.executable, str(script), str(columns), *command],
            cwd=runs.directory,
            env={**runs.environment, "TERM": "xterm"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", done.stdout).replace("\r\n", "\n")
        assert max(map(len, text.splitlines())) <= columns
        for n in (1, 2, 3):
            assert f"ddr/steady/n={n}" in text


def test_asking_for_help_loads_no_numerical_library(membench: Membench) -> None:
    code = (
        "import sys, membench.cli.compare_command; "
        "print(sorted({'numpy', 'rich', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=membench.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
    assert "--fail-on V,.." in membench("compare", "--help").stdout
