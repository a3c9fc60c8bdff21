"""Each fault is really injected into real processes; what a run promises is what is seen."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from driver import Membench, alive, until

from membench.record.journal import read as read_journal
from membench.record.paths import journal_path
from membench.record.schema import Row
from membench.record.sidecar import read_sidecar, verify_sha256
from membench.record.table import read_rows
from membench.terms import Status


def by_case(csv: Path) -> dict[str, Row]:
    return {row.case: row for row in read_rows(csv)}


def only_results(membench: Membench) -> set[str]:
    return {path.name for path in membench.directory.iterdir()}


@pytest.mark.parametrize(
    ("bench", "reason"),
    [
        ("ddr/dies", "round 1: the worker was killed by SIGKILL"),
        ("ddr/segfaults", "round 1: the worker died of SIGSEGV"),
        ("ddr/raises", "round 1: RuntimeError: a line and another"),
        ("ddr/wrong", "round 1: element 7 is 1.0 and must be 2.0"),
    ],
)
def test_a_broken_case_costs_its_own_row_and_nothing_else(
    membench: Membench, bench: str, reason: str
) -> None:
    done = membench(
        "run", "--select", "ddr/steady", "--select", bench, "--rounds", "2", "-o", "o.csv"
    )
    assert done.returncode == 3, done.stderr
    rows = by_case(membench.directory / "o.csv")
    assert rows[bench].status is Status.FAILED
    assert rows[bench].reason.startswith(reason)
    assert rows[bench].value is None
    steady = [row for case, row in rows.items() if case.startswith("ddr/steady")]
    assert [(row.status, row.rounds) for row in steady] == [(Status.OK, 2)] * 3
    assert "Traceback" not in done.stderr


def test_a_hanging_case_is_killed_by_the_watchdog(membench: Membench) -> None:
    begin = time.monotonic()
    done = membench(
        *("run", "--select", "ddr/steady", "--select", "ddr/hangs"),
        *("--rounds", "2", "--timeout", "1.5", "-o", "o.csv"),
    )
    assert time.monotonic() - begin < 60
    assert done.returncode == 3
    rows = by_case(membench.directory / "o.csv")
    assert rows["ddr/hangs"].reason == (
        "round 1: the worker was killed: no answer within 1.5 s (--timeout)"
    )
    assert rows["ddr/steady/n=1"].rounds == 2


def test_what_cannot_run_here_is_a_skipped_row_with_its_reason(membench: Membench) -> None:
    done = membench(
        *("run", "--select", "ddr/skips", "--select", "hbm/nothing", "--select", "ddr/steady/n=1"),
        *("--rounds", "1", "--device", "cpu", "-o", "o.csv"),
    )
    assert done.returncode == 0, done.stderr
    rows = by_case(membench.directory / "o.csv")
    assert (rows["ddr/skips"].status, rows["ddr/skips"].reason) == (Status.SKIPPED, "needs a moon")
    assert rows["hbm/nothing"].status is Status.SKIPPED
    assert rows["hbm/nothing"].reason == "GPU cases are off: --device cpu"
    assert "single-round" in rows["ddr/steady/n=1"].flags


def test_without_a_gpu_its_cases_are_skipped_rows(membench: Membench) -> None:
    environment = {**membench.environment, "CUDA_VISIBLE_DEVICES": ""}
    done = membench("run", "--select", "hbm/nothing", "-o", "o.csv", env=environment)
    assert done.returncode == 0, done.stderr
    row = by_case(membench.directory / "o.csv")["hbm/nothing"]
    assert row.status is Status.SKIPPED
    assert row.reason


def test_what_a_library_prints_does_not_disturb_the_run(membench: Membench) -> None:
    done = membench("run", "--select", "ddr/prints", "--rounds", "2", "-o", "o.csv")
    assert done.returncode == 0, done.stderr
    assert by_case(membench.directory / "o.csv")["ddr/prints"].rounds == 2
    assert "noise" not in done.stdout


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_keeps_and_names_what_it_has_and_can_be_completed(
    membench: Membench, number: signal.Signals, code: int
) -> None:
    run = membench.start(
        *("run", "--select", "ddr/steady", "--select", "ddr/slow"),
        *("--rounds", "3", "--seed", "0", "-o", "o.csv"),
    )
    worker = membench.wait_for_slow()
    os.killpg(run.pid, number)  # Ctrl-C reaches the whole group, a worker too
    out, err = run.communicate(timeout=30)
    assert run.returncode == code, err
    assert not alive(worker)
    assert "Traceback" not in err
    csv = membench.directory / "o.csv"
    contents = read_journal(journal_path(csv))
    if contents.units:
        assert "Partial results: o.csv" in out
        assert "membench run --resume o.csv" in out
        sidecar = read_sidecar(csv)
        assert sidecar is not None
        assert sidecar.interrupted
        assert verify_sha256(csv, sidecar)
        assert {row.case for row in read_rows(csv)} == {unit.case for unit in contents.units}

    membench.flag.unlink()
    membench.flag.parent.rmdir()
    done = membench("run", "--resume", "o.csv")
    assert done.returncode == 0, done.stderr
    rows = by_case(csv)
    assert len(rows) == 5
    assert all(row.rounds == 3 for row in rows.values())
    assert only_results(membench) == {"o.csv", "o.json"}
    again = membench("run", "--resume", "o.csv")
    assert again.returncode == 1
    assert again.stderr.startswith("Error: nothing to resume: o.csv is complete\nHint: ")


def test_interrupted_before_the_first_case_leaves_nothing_behind(membench: Membench) -> None:
    run = membench.start("run", "--select", "ddr/slow/n=1", "-o", "o.csv")
    worker = membench.wait_for_slow()
    os.killpg(run.pid, signal.SIGINT)
    out, _ = run.communicate(timeout=30)
    assert run.returncode == 130
    assert not alive(worker)
    assert only_results(membench) == set()
    assert "nothing was written" in out


def test_when_the_parent_is_killed_its_worker_goes_within_a_second(membench: Membench) -> None:
    run = membench.start(
        *("run", "--select", "ddr/steady", "--select", "ddr/slow"),
        *("--rounds", "2", "--seed", "3", "-o", "o.csv"),
    )
    worker = membench.wait_for_slow()
    os.kill(run.pid, signal.SIGKILL)
    killed = time.monotonic()
    until(lambda: not alive(worker), seconds=5)
    assert time.monotonic() - killed < 1.0
    run.communicate(timeout=10)
    assert only_results(membench) == {"o.journal"}
    before = read_journal(membench.directory / "o.journal")

    membench.flag.unlink()
    membench.flag.parent.rmdir()
    done = membench("run", "--resume", "o.csv")
    assert done.returncode == 0, done.stderr
    rows = by_case(membench.directory / "o.csv")
    assert len(rows) == 5
    assert all(row.rounds == 2 for row in rows.values())
    for unit in before.units:  # what was measured before the death was not measured again
        assert rows[unit.case].samples[unit.round - 1] == pytest.approx(unit.readings[0].samples)
    assert only_results(membench) == {"o.csv", "o.json"}


def test_a_worker_killed_from_outside_costs_one_case(membench: Membench) -> None:
    run = membench.start(
        *("run", "--select", "ddr/steady", "--select", "ddr/slow/n=1"),
        *("--rounds", "2", "-o", "o.csv"),
    )
    os.kill(membench.wait_for_slow(), signal.SIGKILL)
    membench.flag.unlink()
    _, err = run.communicate(timeout=60)
    assert run.returncode == 3, err
    rows = by_case(membench.directory / "o.csv")
    assert rows["ddr/slow/n=1"].status is Status.FAILED
    assert [rows[f"ddr/steady/n={n}"].rounds for n in (1, 2, 3)] == [2, 2, 2]


def limited(size: int) -> object:
    """For subprocess: files of this process may not grow beyond ``size`` bytes (a full disk)."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_disk_that_fills_up_in_the_middle_keeps_what_was_measured(membench: Membench) -> None:
    rounds = ("--rounds", "12", "--seed", "1")
    done = membench(
        *("run", "--select", "ddr/steady", *rounds, "-o", "o.csv"), preexec_fn=limited(12_000)
    )
    assert done.returncode == 1, done.stdout
    errors = done.stderr.splitlines()
    assert [line.partition(":")[0] for line in errors] == ["Error", "Hint"]
    assert "what was measured is in o." in errors[0]
    assert "membench run --resume o.csv" in errors[1]
    kept = read_journal(membench.directory / "o.journal").units
    assert 0 < len(kept) < 36
    resumed = membench("run", "--resume", "o.csv")
    assert resumed.returncode == 0, resumed.stderr
    rows = by_case(membench.directory / "o.csv")
    assert [row.rounds for row in rows.values()] == [12, 12, 12]
    for unit in kept:
        assert rows[unit.case].samples[unit.round - 1] == pytest.approx(unit.readings[0].samples)


def test_a_disk_that_is_full_from_the_start_is_one_clear_line(membench: Membench) -> None:
    done = membench("run", "--select", "ddr/steady", "-o", "o.csv", preexec_fn=limited(100))
    assert done.returncode == 1
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["Error", "Hint"]
    assert only_results(membench) == set()


def test_standard_output_on_a_full_disk_does_not_cost_the_results(membench: Membench) -> None:
    with Path("/dev/full").open("w") as full:
        done = membench(
            *("run", "--select", "ddr/steady", "--rounds", "2", "-o", "o.csv"),
            stdout=full,
        )
    assert done.returncode == 1
    assert done.stderr == "Error: cannot write to standard output: No space left on device\n"
    assert all(row.rounds == 2 for row in read_rows(membench.directory / "o.csv"))


@pytest.mark.parametrize("arguments", [("list",), ("--help",), ("--version",), ("info",)])
def test_every_command_says_that_its_output_was_lost(
    membench: Membench, arguments: tuple[str, ...]
) -> None:
    with Path("/dev/full").open("w") as full:
        done = membench(*arguments, stdout=full)
    assert done.returncode == 1
    assert done.stderr == "Error: cannot write to standard output: No space left on device\n"


def test_a_reader_that_leaves_is_no_error_message(membench: Membench) -> None:
    command = (
        f"{sys.executable} -P -m membench run --select 'ddr/steady' --rounds 2 -o o.csv | head -n 1"
    )
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=membench.directory,
        env=membench.environment,
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1
    until((membench.directory / "o.json").exists, 10)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("/proc/o.csv", "Error: cannot write /proc/o.csv"),
        ("/dev/full", "Error: /dev/full is not a regular file"),
        ("file/o.csv", "Error: cannot write file/o.csv: Not a directory"),
        (".", "Error: . is a directory"),
        ("file", "Error: file exists, and nothing is overwritten"),
    ],
)
def test_an_output_that_cannot_be_is_refused_before_anything_is_measured(
    membench: Membench, output: str, message: str
) -> None:
    (membench.directory / "file").write_text("precious")
    done = membench("run", "--select", "ddr/steady", "-o", output)
    assert done.returncode == 1
    assert done.stderr.startswith(message), done.stderr
    assert len(done.stderr.splitlines()) <= 2
    assert "[round" not in done.stdout
    assert (membench.directory / "file").read_text() == "precious"
    assert only_results(membench) == {"file"}


def test_two_runs_into_one_file_are_refused(membench: Membench) -> None:
    run = membench.start("run", "--select", "ddr/slow/n=1", "--rounds", "1", "-o", "o.csv")
    membench.wait_for_slow()
    second = membench("run", "--select", "ddr/steady", "-o", "o.csv")
    assert second.returncode == 1
    assert "still going on" in second.stderr
    third = membench("run", "--resume", "o.csv")
    assert third.returncode == 1
    assert "another run is writing" in third.stderr
    membench.flag.unlink()
    _, err = run.communicate(timeout=60)
    assert run.returncode == 0, err


def test_a_run_is_not_resumed_on_other_ground(membench: Membench) -> None:
    run = membench.start(
        *("run", "--select", "ddr/steady", "--select", "ddr/slow"), *("--seed", "3", "-o", "o.csv")
    )
    membench.wait_for_slow()
    os.kill(run.pid, signal.SIGKILL)
    run.communicate(timeout=10)
    other = membench("run", "--resume", "o.csv", env={**membench.environment, "TEST_VERSION": "2"})
    assert other.returncode == 1
    assert "the journal has version 1, this is 2" in other.stderr
    journal = membench.directory / "o.journal"
    lines = journal.read_text().splitlines(keepends=True)
    head = json.loads(lines[0])
    head["machine"]["slug"] = "somewhere-else"
    journal.write_text(json.dumps(head) + "\n" + "".join(lines[1:]))
    moved = membench("run", "--resume", "o.csv")
    assert moved.returncode == 1
    assert "the journal is of somewhere-else" in moved.stderr
    missing = membench("run", "--resume", "nowhere.csv")
    assert missing.returncode == 1
    assert "no journal nowhere.journal" in missing.stderr
