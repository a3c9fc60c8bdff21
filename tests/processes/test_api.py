"""The Python API gives the same results as the command line."""

from __future__ import annotations

import subprocess
import sys

import pytest
from driver import Membench

import membench as package

SCRIPT = """
import membench
outcome = membench.run(select="ddr/steady", rounds=2, output="o.csv", label="box", seed=5)
print(len(outcome.rows), outcome.csv, outcome.failed, outcome.signum, outcome.again)
print(membench.read_rows("o.csv") == list(outcome.rows))
print(outcome.wall.total >= outcome.wall.measuring > 0)
print(repr(outcome).partition(" after ")[0])
print(outcome._repr_html_().count("<td>ddr/steady/"))
try:
    membench.run(select=["nothing"])
except membench.MembenchError as error:
    print(type(error).__name__, error, error.hint != "")
"""


def test_a_run_is_one_call(membench: Membench) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT],
        cwd=membench.directory,
        env=membench.environment,
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines() == [
        "3 o.csv False 0 None",
        "True",
        "True",
        "<RunOutcome box: 3 ok, in o.csv",
        "3",
        "NothingMatched no case matches 'nothing' True",
    ], done.stderr


PAIRED = """
import membench
case = "ddr/steady/n=1"
pairs = membench.run_paired("env=TEST_SETTING=on", select=case, rounds=2, output="o.csv")
print(pairs.files, pairs.failed, pairs.signum)
print([side.rows[0].detail.get("setting") for side in pairs.sides])
(line,) = membench.compare(*pairs.files).matched
print(line.row.case, membench.compare(*pairs.files).to_frame().shape[0])
try:
    membench.run_paired(select="ddr/steady")
except membench.MembenchError as error:
    print(type(error).__name__, error, error.hint)
stopped = membench.run_paired(setup_a="kill -INT $PPID", select=case, output="stopped.csv")
print(stopped.signum, [side.again for side in stopped.sides])
"""


@pytest.mark.slow
def test_a_paired_run_is_one_call(membench: Membench) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", PAIRED],
        cwd=membench.directory,
        env=membench.environment,
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines() == [
        "('A=o_a.csv', 'B=o_b.csv') False 0",
        "[None, 'on']",
        "ddr/steady/n=1 1",
        "UsageError configurations A and B do not differ pass versus, setup_a or setup_b",
        "2 [None, None]",  # the run was stopped before its journals existed
    ], done.stderr


def test_every_name_of_the_api_exists_and_is_shown() -> None:
    assert dir(package) == sorted(package.__all__)
    assert sorted(name for name in package.__all__ if getattr(package, name) is None) == []
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = package.nonsense
