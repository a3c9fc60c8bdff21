"""Real paired runs of `membench run --versus`, including interrupted and resumed runs."""

from __future__ import annotations

import re
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from driver import Membench

from membench.core.errors import UsageError
from membench.core.plain import dump
from membench.measure.events import Silent
from membench.measure.options import RunOptions
from membench.measure.paired import run as paired
from membench.measure.paired.change import parse_change
from membench.measure.paired.interpreter import ask
from membench.measure.paired.preparing import prepare_pair
from membench.measure.paired.run import Halves
from membench.results.journal.reading import read_journal
from membench.results.journal.writing import Journal
from membench.results.paths import journal_path
from membench.results.sidecar import read_sidecar, verify_sha256
from membench.results.table import read_rows

STEADY = ("run", "--select", "ddr/steady/n=1", "--rounds", "2", "-o", "o.csv")
SLOW = ("run", "--select", "ddr/slow/n=1", "--rounds", "2", "-o", "o.csv")
CHANGE = ("--versus", "env=TEST_SETTING=on")


def test_two_ordinary_files_of_rounds_in_turns(membench: Membench) -> None:
    setups = ("--setup-a", "echo A >> turns", "--setup-b", "echo B >> turns")
    done = membench(*STEADY, *CHANGE, *setups)
    assert done.returncode == 0, done.stderr
    files = [membench.directory / f"o_{side}.csv" for side in "ab"]
    sidecars = []
    for file, setting in zip(files, (None, "on"), strict=True):
        (row,) = read_rows(file)
        assert row.rounds == 2
        assert row.detail.get("setting") == setting
        sidecar = read_sidecar(file)
        assert sidecar is not None
        assert verify_sha256(file, sidecar)
        sidecars.append(sidecar)
    assert sidecars[0].pair_id == sidecars[1].pair_id != ""
    assert sidecars[0].plan.run_id != sidecars[1].plan.run_id
    assert sidecars[0].plan.seed == sidecars[1].plan.seed
    # Each set-up command runs once before the plan, then before each round: A B, B A.
    assert (membench.directory / "turns").read_text().split() == [*"AB", *"ABBA"]
    assert sorted(file.name for file in membench.directory.iterdir()) == [
        *("o_a.csv", "o_a.json", "o_b.csv", "o_b.json", "turns")
    ]
    lines = [line.split()[:3] for line in done.stdout.splitlines() if line.startswith("[round")]
    assert [line[2] for line in lines] == [*"ABBA"]
    assert "A: as started, after: echo A >> turns\nB: env=TEST_SETTING=on, after: " in done.stdout
    assert "membench does not undo it" in done.stdout
    assert re.search(r"^ddr/steady/n=1 .* \? unclear \(n=2\)", done.stdout, re.MULTILINE)
    assert "compared in pairs of rounds" in done.stdout
    assert re.search(r"differs: .*setting: as started after echo A >> turns \| env=", done.stdout)
    assert done.stdout.endswith("Next: membench compare A=o_a.csv B=o_b.csv\n")
    assert "2 pairs of rounds: too few for a 95 % interval" in done.stderr


@pytest.mark.slow
def test_an_interrupted_pair_is_measured_anew_as_a_whole(membench: Membench) -> None:
    process = membench.start(*SLOW, *CHANGE)
    for _ in range(3):  # A, B, and B of the second pair; then A of the second pair is interrupted
        membench.wait_for_slow()
        membench.flag.unlink()
    membench.wait_for_slow()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    resume = "membench run --resume o_a.csv --versus env=TEST_SETTING=on"
    assert out.endswith(f"Next: {resume}\n")
    journals = [membench.directory / f"o_{side}.journal" for side in "ab"]
    rounds = [[unit.round for unit in read_journal(one).units] for one in journals]
    assert rounds == [[1], [1, 2]]
    shutil.rmtree(membench.flag.parent)  # now no case waits

    alone = membench("run", "--resume", "o_b.csv")
    assert alone.returncode == 1
    assert alone.stderr == (
        "Error: o_b.csv is one side of a paired run\n"
        "Hint: continue both sides: membench run --resume o_b.csv --versus env=TEST_SETTING=on\n"
    )
    other = membench("run", "--resume", "o_b.csv", "--versus", "env=TEST_SETTING=off")
    assert other.returncode == 2
    assert other.stderr.startswith(
        "Error: the run of o_b.csv was started with other values of --versus, "
    )

    kept = {one: one.read_bytes() for one in journals}
    done = membench(*resume.split()[1:])
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("[round")]
    assert [line.split()[1:3] for line in lines] == [["2/2", "B"], ["2/2", "A"]]
    for side in "ab":
        (row,) = read_rows(membench.directory / f"o_{side}.csv")
        assert row.rounds == 2
    assert not any(journal.exists() for journal in journals)
    again = membench.refuses("run", "--resume", "o_a.csv", *CHANGE)
    assert again.stderr.startswith("Error: nothing to resume: o_a.csv is complete\n")
    again = membench.refuses("run", "--resume", "o.csv", *CHANGE)  # the argument of -o
    assert again.stderr.startswith("Error: nothing to resume: o_a.csv is complete\n")

    # The state after a run that died before it wrote the second journal.
    journals[1].write_bytes(kept[journals[1]])
    assert membench("run", "--resume", "o_b.csv").returncode == 0
    assert not journals[1].exists()


@pytest.mark.slow
def test_a_side_that_was_not_begun_is_resumed_too(membench: Membench) -> None:
    process = membench.start(*SLOW, *CHANGE)
    membench.wait_for_slow()
    membench.flag.unlink()
    membench.wait_for_slow()
    process.send_signal(signal.SIGINT)  # during the first round of B
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Partial results: o_a.csv\nNext: membench run --resume o_a.csv --versus " in out
    left = sorted(one.name for one in membench.directory.iterdir())
    assert left == ["o_a.csv", "o_a.journal", "o_a.json", "o_b.journal"]
    shutil.rmtree(membench.flag.parent)
    # The argument of -o also names the run.
    alone = membench("run", "--resume", "o.csv")
    assert "continue both sides: membench run --resume o_a.csv --versus env=" in alone.stderr
    done = membench("run", "--resume", "o.csv", *CHANGE)
    assert done.returncode == 0, done.stderr
    lines = [line.split()[1:3] for line in done.stdout.splitlines() if line.startswith("[round")]
    assert lines == [["1/2", "A"], ["1/2", "B"], ["2/2", "B"], ["2/2", "A"]]


@pytest.mark.slow
def test_a_set_up_command_that_fails_ends_the_run_and_keeps_what_there_is(
    membench: Membench,
) -> None:
    # The third run of the command fails: after the runs before the plan and before round 1.
    count = "echo x >> runs; test $(wc -l < runs) -lt 3 || { echo no governor >&2; exit 5; }"
    done = membench(*STEADY, "--setup-b", count)
    assert done.returncode == 1
    (line,) = re.findall(r"^Error: .*$", done.stderr, re.MULTILINE)
    assert line.startswith(
        "Error: the command of --setup-b ended with exit code 5: no governor; the finished "
    )
    assert "--setup-b" in done.stderr.partition("Hint: solve the problem, then run: ")[2]
    for side in "ab":
        (row,) = read_rows(membench.directory / f"o_{side}.csv")
        assert row.rounds == 1
        assert (membench.directory / f"o_{side}.journal").exists()


def test_a_dry_run_names_the_sides_and_runs_no_command(membench: Membench) -> None:
    done = membench(*STEADY, *CHANGE, "--setup-a", "touch it", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "B: env=TEST_SETTING=on\n" in done.stdout
    assert "2 pairs of rounds, in the order A B, B A\n" in done.stdout
    assert list(membench.directory.iterdir()) == []


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("versus", "says"),
    [
        ("nonsense", "--versus 'nonsense' is not valid"),
        ("env=X", "env=X is not NAME=VALUE"),
        ("env=", "--versus 'env=' is not valid"),
        ("env=1X=2", "env=1X=2: '1X' is not the name of a variable"),
        (
            "env=PYTHONPATH=/x",
            "--versus env=PYTHONPATH is not possible: PYTHONPATH also",
        ),
        ("env=CUDA_VISIBLE_DEVICES=1", "--versus env=CUDA_VISIBLE_DEVICES is not possible: CUDA"),
        ("device=gpu1", "device=gpu1 does not name one GPU"),
        ("scratch=/tmp", "no selected case that can run here uses the scratch directory, so B"),
        ("device=cuda:7", "there is no cuda:7"),
        ("python=/no/such/python", "there is no executable program /no/such/python"),
    ],
)
def test_what_cannot_be_compared_is_one_line(membench: Membench, versus: str, says: str) -> None:
    done = membench.refuses("run", "--select", "ddr/copy", "--versus", versus)
    assert done.returncode == 2
    assert done.stderr.startswith(f"Error: {says}")
    assert len(done.stderr.splitlines()) == 2


def test_without_a_gpu_the_hint_names_only_settings_that_can_differ(membench: Membench) -> None:
    done = membench.refuses("run", "--select", "ddr/copy", "--versus", "device=cuda:0")
    hint = "Hint: compare another setting: python=PATH, env=NAME=VALUE or scratch=DIR\n"
    assert done.stderr == f"Error: there is no cuda:0: membench sees 0 GPUs\n{hint}"


def test_a_missing_scratch_directory_has_the_same_code_as_of_a_single_run(
    membench: Membench,
) -> None:
    for option in (("--scratch", "/no/such/place"), ("--versus", "scratch=/no/such/place")):
        done = membench.refuses("run", "--select", "ssd/read", *option)
        assert done.returncode == 1
        assert done.stderr.startswith("Error: the scratch path /no/such/place is not a directory")


@pytest.mark.slow
def test_one_file_of_a_pair_is_no_reason_to_measure(membench: Membench) -> None:
    (membench.directory / "o_b.csv").touch()
    done = membench.refuses("run", "--select", "ddr/copy", "-o", "o.csv", "--setup-a", "true")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: o_b.csv ")
    assert [one.name for one in membench.directory.iterdir()] == ["o_b.csv"]


@pytest.mark.slow
def test_no_command_of_a_journal_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger may have written the journal, so membench does not run its commands."""
    asked = RunOptions(
        select=("ddr/copy",), output=tmp_path / "o.csv", setup_a="true\ntrue", setup_b="false"
    )
    halves = prepare_pair(asked, Silent())
    for half in halves:
        one = half.prepared
        pairing = replace(half.pairing, setup_a="true true")  # as read from a journal
        if half.pairing.side == "b":
            pairing = replace(pairing, setup_b="touch evil", versus="env=LD_PRELOAD=evil.so")
        Journal.create(
            journal_path(one.csv), replace(one.plan, pair=pairing), dump(one.machine)
        ).close()

    def resumed(both: Halves, *_: object, **__: object) -> Halves:
        return both

    monkeypatch.setattr(paired, "_run", resumed)
    first, second = cast("Halves", paired.resume_pair(halves[0].prepared.csv, asked, Silent()))
    assert (first.pairing.setup, second.pairing.setup) == ("true\ntrue", "false")
    assert second.variables == {}
    with pytest.raises(UsageError, match="was started with other values of --versus"):
        paired.resume_pair(halves[1].prepared.csv, asked, Silent())


def python_without_membench(folder: Path) -> Path:
    path = folder / "python"
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    path.chmod(0o755)
    return path


def test_another_python_says_which_membench_it_has(tmp_path: Path) -> None:
    other = ask(sys.executable)
    assert other.python == ".".join(map(str, sys.version_info[:3]))
    assert other.versions["ddr/copy"] >= 1
    assert "numpy" in other.packages
    with pytest.raises(UsageError, match=r"No module named 'membench'") as error:
        ask(str(python_without_membench(tmp_path)))
    assert "install membench for this interpreter" in error.value.hint
    with pytest.raises(UsageError, match=r"/bin/true has no membench .*: no answer"):
        ask("/bin/true")


@pytest.mark.slow
def test_cases_of_another_version_are_planned_as_such() -> None:
    """The other Python has another version of ddr/read, and no ddr/copy."""
    halves = prepare_pair(
        RunOptions(select=("ddr/copy", "ddr/read"), versus=f"python={sys.executable}"), Silent()
    )
    other = ask(parse_change(f"python={sys.executable}").python)
    plan = halves[0].prepared.plan
    assert plan.rounds == 12
    assert halves[1].prepared.plan.cases == plan.cases  # the same membench
    assert halves[1].python == sys.executable
    versions = {**other.versions, "ddr/read": 99}
    del versions["ddr/copy"]
    cases = type(other)("9.9", "3.99", {}, versions, "/py").planned(plan).cases
    found = {case.bench: (case.version, case.skipped) for case in cases}
    assert found["ddr/read"][0] == 99
    assert found["ddr/copy"][1] == "the membench of /py has no bench ddr/copy"


def test_a_pair_without_a_value_ends_with_the_reason(membench: Membench) -> None:
    done = membench("run", "--select", "ddr/skips", "--rounds", "4", "-o", "o.csv", *CHANGE)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("Nothing was measured: 1 case skipped: needs a moon\n")
