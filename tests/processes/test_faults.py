"""Further situations of real processes: outputs, skipped cases, changed machines."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from driver import Membench, alive, alone, until

from membench.core.terms import Status
from membench.results.schema import Row
from membench.results.table import read_rows

LOST = "Hint: check where standard output goes"


def by_case(csv: Path) -> dict[str, Row]:
    return {row.case: row for row in read_rows(csv)}


def only_results(membench: Membench) -> set[str]:
    return {path.name for path in membench.directory.iterdir()}


@pytest.mark.slow
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


@pytest.mark.slow
def test_what_a_library_prints_does_not_disturb_the_run(membench: Membench) -> None:
    done = membench("run", "--select", "ddr/prints", "--rounds", "2", "-o", "o.csv")
    assert done.returncode == 0, done.stderr
    assert by_case(membench.directory / "o.csv")["ddr/prints"].rounds == 2
    assert "noise" not in done.stdout


@pytest.mark.slow
def test_interrupted_before_the_first_case_leaves_nothing_behind(membench: Membench) -> None:
    run = membench.start("run", "--select", "ddr/slow/n=1", "-o", "o.csv")
    worker = membench.wait_for_slow()
    os.killpg(run.pid, signal.SIGINT)
    out, _ = run.communicate(timeout=30)
    assert run.returncode == 130
    assert not alive(worker)
    assert only_results(membench) == set()
    assert "nothing was written" in out


def limited(size: int) -> object:
    """A preexec function: files of the process may not grow beyond ``size`` bytes."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_disk_that_is_full_from_the_start_is_one_clear_line(membench: Membench) -> None:
    done = membench("run", "--select", "ddr/steady", "-o", "o.csv", preexec_fn=limited(100))
    assert done.returncode == 1
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["Error", "Hint"]
    assert only_results(membench) == set()


@pytest.mark.slow
def test_standard_output_on_a_full_disk_does_not_cost_the_results(membench: Membench) -> None:
    with Path("/dev/full").open("w") as full:
        done = membench(
            *("run", "--select", "ddr/steady", "--rounds", "2", "-o", "o.csv"),
            stdout=full,
        )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "Error: cannot write to standard output: No space left on device",
        LOST,
    ]
    assert all(row.rounds == 2 for row in read_rows(membench.directory / "o.csv"))


@pytest.mark.parametrize("arguments", [("list",), ("--help",), ("--version",), ("info",)])
def test_every_command_says_that_its_output_was_lost(
    membench: Membench, arguments: tuple[str, ...]
) -> None:
    with Path("/dev/full").open("w") as full:
        done = membench(*arguments, stdout=full)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "Error: cannot write to standard output: No space left on device",
        LOST,
    ]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("closed", ["1", "2", "0 1 2"])
@pytest.mark.parametrize("command", ["list", "run --select ddr/steady --rounds 1 -o o.csv"])
def test_closed_streams_are_lost_output_and_nothing_else(
    membench: Membench, command: str, closed: str
) -> None:
    streams = " ".join(f"{number}>&-" for number in closed.split())
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -P -m membench {command} {streams}"],
        cwd=membench.directory,
        env=membench.environment,
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == (1 if "1" in closed else 0)
    said = f"Error: cannot write to standard output: Bad file descriptor\n{LOST}\n"
    assert alone(done.stderr) == (said if closed == "1" else "")
    if command.startswith("run"):
        assert len(read_rows(membench.directory / "o.csv")) == 3
        assert only_results(membench) == {"o.csv", "o.json"}


@pytest.mark.slow
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
    assert alone(done.stderr) == ""
    assert len(done.stdout.splitlines()) == 1
    until((membench.directory / "o.json").exists, 10)


@pytest.mark.sampled(2)
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
    done = membench.refuses("run", "--select", "ddr/copy", "-o", output)
    assert done.returncode == 1
    assert done.stderr.startswith(message), done.stderr
    assert len(done.stderr.splitlines()) <= 2
    assert "[round" not in done.stdout
    assert (membench.directory / "file").read_text() == "precious"
    assert only_results(membench) == {"file"}


@pytest.mark.slow
def test_a_run_is_not_resumed_on_other_ground(membench: Membench) -> None:
    run = membench.start(
        *("run", "--select", "ddr/steady", "--select", "ddr/slow"), *("--seed", "3", "-o", "o.csv")
    )
    membench.wait_for_slow()
    os.kill(run.pid, signal.SIGKILL)
    run.communicate(timeout=10)
    other = membench("run", "--resume", "o.csv", env={**membench.environment, "TEST_VERSION": "2"})
    assert other.returncode == 1
    assert "the journal has version 1 of " in other.stderr
    assert ", but this membench has version 2\n" in other.stderr
    journal = membench.directory / "o.journal"
    lines = journal.read_text().splitlines(keepends=True)
    head = json.loads(lines[0])
    head["machine"]["slug"] = "somewhere-else"
    journal.write_text(json.dumps(head) + "\n" + "".join(lines[1:]))
    moved = membench("run", "--resume", "o.csv")
    assert moved.returncode == 1
    assert "the journal belongs to somewhere-else" in moved.stderr
    missing = membench("run", "--resume", "nowhere.csv")
    assert missing.returncode == 1
    assert "there is no nowhere.journal" in missing.stderr


@pytest.mark.slow
def test_two_runs_on_one_machine_are_both_let_go_on_and_the_second_is_warned(
    membench: Membench,
) -> None:
    run = membench.start("run", "--select", "ddr/slow/n=1", "--rounds", "1", "-o", "o.csv")
    membench.wait_for_slow()
    second = membench.start("run", "--select", "ddr/steady", "--rounds", "1", "-o", "p.csv")
    _, err = second.communicate(timeout=60)
    assert second.returncode == 0, err
    assert re.match(r"Warning: another run \(process \d+\) measures on this machine and ", err)
    assert alone(err) == ""  # other tests rely on this
    membench.flag.unlink()
    _, err = run.communicate(timeout=60)
    assert run.returncode == 0, err


@pytest.mark.slow
@pytest.mark.parametrize("resumed", [False, True])
def test_a_file_that_appears_during_a_run_stays(membench: Membench, resumed: bool) -> None:
    """During the run, membench writes only the journal, so another program may create the CSV."""
    run = membench.start(
        *("run", "--select", "ddr/slow", "--select", "ddr/steady", "--rounds", "1", "-o", "o.csv")
    )
    membench.wait_for_slow()
    if resumed:
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
    theirs = membench.directory / "o.csv"
    theirs.write_text("precious")
    if resumed:
        run = membench.start("run", "--resume", "o.csv")
    while run.poll() is None:  # each `ddr/slow` waits until the test removes its file
        membench.flag.unlink(missing_ok=True)
        time.sleep(0.01)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 0, err
    assert theirs.read_text() == "precious"
    assert only_results(membench) == {"o.csv", "o-2.csv", "o-2.json"}
    assert len(read_rows(membench.directory / "o-2.csv")) == 5
    assert "Warning: o.csv or o.json belongs to another run, and is not overwritten\n" in err
    assert "Results: o-2.csv and o-2.json" in out


def _stopped(run: subprocess.Popen[str]) -> str:
    """Send SIGINT to the group of ``run`` again and again until it ends. Returns its output."""
    while run.poll() is None:
        os.killpg(run.pid, signal.SIGINT)
        time.sleep(0.02)
    return run.communicate()[0]


@pytest.mark.slow
def test_more_signals_do_not_cut_the_summary(membench: Membench) -> None:
    run = membench.start(*("run", "--select", "ddr/slow/n=1", "--rounds", "2", "-o", "o.csv"))
    membench.wait_for_slow()
    membench.flag.unlink()  # round 1 ends
    membench.wait_for_slow()
    out = _stopped(run)
    assert run.returncode == 130, out
    assert "Partial results: o.csv and o.json\nNext: membench run --resume o.csv\n" in out
    assert only_results(membench) == {"o.csv", "o.json", "o.journal"}


@pytest.mark.slow
@pytest.mark.parametrize("named", ["o.csv", "o.journal", "o.json"])
def test_a_killed_run_is_resumed_by_the_name_of_any_of_its_files(
    membench: Membench, named: str
) -> None:
    run = membench.start(*("run", "--select", "ddr/slow/n=1", "--rounds", "2", "-o", "o.csv"))
    membench.wait_for_slow()
    membench.flag.unlink()
    membench.wait_for_slow()
    run.kill()
    run.communicate()
    assert only_results(membench) == {"o.journal"}
    membench.flag.unlink()
    membench.flag.parent.rmdir()  # now no case waits
    done = membench("run", "--resume", named)
    assert done.returncode == 0, done.stderr
    assert re.search(r"; 2 of 2 rounds; \S+ m?s since --resume \(", done.stdout)
    assert only_results(membench) == {"o.csv", "o.json"}
    again = membench("run", "--resume", named)
    assert again.stderr.startswith("Error: nothing to resume: o.csv is complete\n")


@pytest.mark.slow
def test_a_run_that_wrote_nothing_leaves_no_new_directory(membench: Membench) -> None:
    run = membench.start("run", "--select", "ddr/slow/n=1")
    membench.wait_for_slow()
    os.killpg(run.pid, signal.SIGINT)
    out, _ = run.communicate(timeout=30)
    assert "nothing was written" in out
    assert only_results(membench) == set()
