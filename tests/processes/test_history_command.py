"""`membench history` in real processes, on results of real runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from driver import Membench

pytestmark = pytest.mark.slow


def test_runs_of_this_machine_are_found_and_shown(membench: Membench) -> None:
    for _ in range(3):
        done = membench("run", "--select", "ddr/steady", "--rounds", "2")
        assert done.returncode == 0, done.stderr
    shown = membench("history")
    assert shown.returncode == 0, shown.stderr
    assert shown.stderr == ""
    assert ": 3 runs, " in shown.stdout
    assert "the history has 3 runs: with fewer than 15 runs" in shown.stdout
    data = json.loads(membench("history", "--json", "--all").stdout)
    assert {line["case"] for line in data["lines"]} == {f"ddr/steady/n={n}" for n in (1, 2, 3)}
    assert all(len(line["values"]) == 3 for line in data["lines"])
    (folder,) = {str(Path(run["file"]).parent) for run in data["runs"]}
    page = membench("history", folder, "-o", "machine.html")
    assert page.returncode == 0, page.stderr
    text = (membench.directory / "machine.html").read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert "<script" not in text
    # compare finds the offset between runs from the other runs in the folder.
    first, second, third = (run["file"] for run in data["runs"])
    compared = membench("compare", first, second)
    assert "1 other run" not in compared.stdout  # at least three other runs are needed
    assert "each label has only one run" in compared.stdout
    for _ in range(2):
        assert membench("run", "--select", "ddr/steady", "--rounds", "2").returncode == 0
    compared = membench("compare", first, third)
    assert "3 other runs of this machine" in compared.stdout
