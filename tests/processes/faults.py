# ruff: noqa: E501 - each paragraph of the document at the end is one line
"""The faults that the tests inject into real runs, with the promised and the observed results.

A scenario is a function that runs membench, injects faults and returns the observed results.
The tests compare the observed results with ``FAULTS``.  This command writes docs/reliability.md
from ``FAULTS``:

    PYTHONPATH=tests/support python tests/processes/faults.py > docs/reliability.md
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from c_library import build
from control_group import little_memory
from driver import Membench, alive, alone, until

from membench.core.terms import Status
from membench.results.case_result import CaseResult
from membench.results.journal.reading import read_journal
from membench.results.paths import journal_path
from membench.results.schema import Row
from membench.results.sidecar import read_sidecar, verify_sha256
from membench.results.table import read_rows

COMPLETE = "the run is complete, with all finished samples"


@dataclass(frozen=True)
class Seen:
    """The observed result of a fault.

    Attributes:
        code: exit code of the faulty run.
        says: the reason in the row of the case, or the line on standard error.
        kept: text that names the complete measurements.
        left: names of the files in the results directory, separated by spaces.
        resumed: the result of ``--resume``; empty if there was no work left to resume.
    """

    code: int
    says: str
    kept: str
    left: str = "o.csv o.json"
    resumed: str = ""


@dataclass(frozen=True)
class Fault:
    """A fault, the function that injects the fault, and the expected result."""

    scenario: Callable[[Membench], dict[str, Seen]]
    name: str
    injected: str
    promised: str
    seen: Seen


def by_case(csv: Path) -> dict[str, Row]:
    return {row.case: row for row in read_rows(csv)}


def listed(directory: Path) -> str:
    return " ".join(sorted(path.name for path in directory.iterdir())) if directory.exists() else ""


def first_line(errors: str, kind: str = "Error: ") -> str:
    """The only line of ``errors`` that begins with ``kind``.

    Raises:
        AssertionError: ``errors`` contains a traceback.
    """
    assert "Traceback" not in errors, errors
    (line,) = (line for line in alone(errors).splitlines() if line.startswith(kind))
    return line


def others(rows: dict[str, Row], without: Sequence[str], rounds: int) -> str:
    """The text for the column "kept": whether all cases outside ``without`` have all their rounds."""
    rest = [row for case, row in rows.items() if case not in without]
    whole = [row for row in rest if row.status is Status.OK and row.rounds == rounds]
    assert rest
    return (OTHERS if without else ALL) if len(whole) == len(rest) else f"{len(whole)}/{len(rest)}"


def resume(membench: Membench, before: Sequence[CaseResult], rounds: int, cases: int) -> str:
    """Resume the run, and check that the results contain the samples of ``before`` unchanged."""
    done = membench("run", "--resume", "o.csv")
    assert done.returncode == 0, done.stdout + done.stderr
    csv = membench.directory / "o.csv"
    rows = by_case(csv)
    assert [row.rounds for row in rows.values()] == [rounds] * cases
    for unit in before:
        kept = rows[unit.case].samples[unit.round - 1]
        assert kept == pytest.approx(unit.readings[0].samples), unit.case
    sidecar = read_sidecar(csv)
    assert sidecar is not None
    assert verify_sha256(csv, sidecar)
    assert not sidecar.interrupted
    assert listed(membench.directory) == "o.csv o.json"
    return COMPLETE


def words(line: str) -> list[str]:
    return line.split()


def go_on(membench: Membench) -> None:
    """Delete the file that makes `ddr/slow` wait."""
    membench.flag.unlink(missing_ok=True)
    shutil.rmtree(membench.flag.parent, ignore_errors=True)


# -- faults of a case: one run contains all of these faults -------------------------------------

BROKEN = {
    "hang": "hangs",
    "stop": "stops",
    "sigkill": "dies",
    "segfault": "segfaults",
    "abort": "aborts",
    "exit": "exits",
    "no-memory": "starves",
    "exception": "raises",
    "wrong-result": "wrong",
    "babble": "babbles",
    "device-lost": "loses",
}


def broken_cases(membench: Membench) -> dict[str, Seen]:
    benches = [f"ddr/{name}" for name in BROKEN.values()]
    selectors = [word for name in ("ddr/steady", *benches) for word in ("--select", name)]
    done = membench("run", *selectors, *words("--rounds 2 --timeout 4 --seed 5 -o o.csv"))
    assert "Traceback" not in done.stderr
    rows = by_case(membench.directory / "o.csv")
    found = {}
    for fault, bench in BROKEN.items():
        row = rows[f"ddr/{bench}"]
        assert (row.status, row.value) == (Status.FAILED, None)
        found[fault] = Seen(
            done.returncode, row.reason, others(rows, benches, 2), listed(membench.directory)
        )
    return found


# -- faults of a run ----------------------------------------------------------------------------


def interrupted(
    membench: Membench, number: signal.Signals, fault: str, *, repeat: bool = False
) -> dict[str, Seen]:
    """Send the signal ``number`` to a run; with ``repeat``, send it again until the run ends."""
    run = membench.start(
        *("run", "--select", "ddr/steady", "--select", "ddr/slow"),
        *words("--rounds 2 --seed 0 -o o.csv"),
    )
    worker = membench.wait_for_slow()
    os.killpg(run.pid, number)  # Ctrl-C sends the signal to the worker too
    while repeat and run.poll() is None:
        time.sleep(0.02)
        os.killpg(run.pid, number)
    out, err = run.communicate(timeout=30)
    assert not alive(worker)
    assert "Traceback" not in err
    csv = membench.directory / "o.csv"
    before = read_journal(journal_path(csv)).units
    assert before
    assert "membench run --resume o.csv" in out
    sidecar = read_sidecar(csv)
    assert sidecar is not None
    assert sidecar.interrupted
    assert verify_sha256(csv, sidecar)
    assert {row.case for row in read_rows(csv)} == {unit.case for unit in before}
    says = next(line for line in out.splitlines() if line.startswith("Partial results"))
    left = listed(membench.directory)
    go_on(membench)
    resumed = resume(membench, before, rounds=2, cases=5)
    return {fault: Seen(run.returncode, says, EVERY, left, resumed)}


def parent_killed(membench: Membench) -> dict[str, Seen]:
    run = membench.start(
        *("run", "--select", "ddr/steady", "--select", "ddr/slow"),
        *words("--rounds 2 --seed 3 -o o.csv"),
    )
    worker = membench.wait_for_slow()
    os.kill(run.pid, signal.SIGKILL)
    killed = time.monotonic()
    until(lambda: not alive(worker), seconds=5)
    assert time.monotonic() - killed < 1.0
    run.communicate(timeout=10)
    left = listed(membench.directory)
    journal = membench.directory / "o.journal"
    before = read_journal(journal).units
    with journal.open("ab") as file:
        file.write(b'{"unit":{"round":1,"case":"ddr/st')  # a record cut by a power failure
    go_on(membench)
    resumed = resume(membench, before, rounds=2, cases=5)
    again = membench("run", "--resume", "o.csv")
    assert (again.returncode, first_line(again.stderr)) == (
        1,
        "Error: nothing to resume: o.csv is complete",
    )
    seen = Seen(run.returncode, "(nothing: the main process is dead)", EVERY, left, resumed)
    return {"parent-killed": seen}


def worker_killed(membench: Membench) -> dict[str, Seen]:
    run = membench.start(
        *("run", "--select", "ddr/steady", "--select", "ddr/slow/n=1"),
        *words("--rounds 2 --seed 1 -o o.csv"),
    )
    worker = membench.wait_for_slow()
    assert Path(f"/proc/{worker}/oom_score_adj").read_text().strip() == "1000"
    os.kill(worker, signal.SIGKILL)
    membench.flag.unlink()
    _, err = run.communicate(timeout=60)
    assert "Traceback" not in err
    rows = by_case(membench.directory / "o.csv")
    says = rows["ddr/slow/n=1"].reason
    kept = others(rows, ["ddr/slow/n=1"], 2)
    return {"oom": Seen(run.returncode, says, kept, listed(membench.directory))}


def out_of_memory(membench: Membench) -> dict[str, Seen]:
    with little_memory(512 << 20) as group:
        done = membench(
            *("run", "--select", "ddr/steady", "--select", "ddr/devours"),
            *words("--rounds 2 --seed 1 -o o.csv"),
            preexec_fn=lambda: (group / "cgroup.procs").write_text("0", encoding="ascii"),
        )
        assert "Traceback" not in done.stderr
    rows = by_case(membench.directory / "o.csv")
    says = rows["ddr/devours"].reason
    kept = others(rows, ["ddr/devours"], 2)
    return {"oom-killer": Seen(done.returncode, says, kept, listed(membench.directory))}


def name_taken(membench: Membench) -> dict[str, Seen]:
    run = membench.start(
        *("run", "--select", "ddr/steady", "--select", "ddr/slow/n=1"),
        *words("--rounds 1 --seed 1 -o o.csv"),
    )
    membench.wait_for_slow()
    (membench.directory / "o.csv").write_text("precious")
    membench.flag.unlink()
    _, err = run.communicate(timeout=60)
    assert (membench.directory / "o.csv").read_text() == "precious"
    kept = others(by_case(membench.directory / "o-2.csv"), [], 1)
    says = first_line(err, "Warning: ")
    return {"name-taken": Seen(run.returncode, says, kept, listed(membench.directory))}


def file_limit(membench: Membench) -> dict[str, Seen]:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, 8_000))

    done = membench(
        *words("run --select ddr/steady --rounds 5 --seed 1 -o o.csv"), preexec_fn=limit
    )
    left = listed(membench.directory)
    before = read_journal(membench.directory / "o.journal").units
    assert 0 < len(before) < 15
    assert "membench run --resume o.csv" in done.stderr
    resumed = resume(membench, before, rounds=5, cases=3)
    says = first_line(done.stderr)
    return {"file-limit": Seen(done.returncode, says, EVERY, left, resumed)}


MOUNT = (
    "unshare --user --map-root-user --mount bash -c '"
    "mount -t tmpfs -o size={size} none {place} && exec {command}'"
)


def in_a_filesystem(
    membench: Membench, size: str, command: str, place: str = "."
) -> subprocess.CompletedProcess[str]:
    """Run ``command`` with a tmpfs of ``size`` mounted on ``place``, in a mount namespace.

    Skips the test if the machine does not allow the mount.
    """
    line = MOUNT.format(size=size, place=place, command=command)
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=membench.directory,
        env=membench.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no filesystem can be mounted here: {done.stderr.strip()}")
    return done


RUN = f"{sys.executable} -P -m membench run --select ddr/steady --rounds"


def filesystem_full(membench: Membench) -> dict[str, Seen]:
    script = membench.directory.with_name("full.sh")
    keep = membench.directory.with_name("keep")
    script.write_text(
        f"cd {membench.directory}; {RUN} 5 --seed 1 -o o.csv; code=$?; ls -A | tr '\\n' ' '\n"
        f"cp o.journal {keep}; exit $code\n"
    )
    done = in_a_filesystem(membench, "12k", f"bash {script}", str(membench.directory))
    left = done.stdout.splitlines()[-1].strip()
    shutil.copy(keep, membench.directory / "o.journal")
    before = read_journal(membench.directory / "o.journal").units
    assert 0 < len(before) < 15
    resumed = resume(membench, before, rounds=5, cases=3)
    says = first_line(done.stderr)
    return {"disk-full": Seen(done.returncode, says, EVERY, left, resumed)}


def read_only(membench: Membench) -> dict[str, Seen]:
    done = in_a_filesystem(membench, "1m,ro", f"{RUN} 2 -o {membench.directory}/o.csv")
    assert "[round" not in done.stdout
    says = first_line(done.stderr).replace(str(membench.directory), "results")
    seen = Seen(done.returncode, says, "nothing was measured yet", "")
    assert listed(membench.directory) == ""
    return {"read-only": seen}


def results_removed(membench: Membench) -> dict[str, Seen]:
    run = membench.start(
        *("run", "--select", "ddr/steady", "--select", "ddr/slow/n=1"),
        *words("--rounds 2 --seed 3 -o results/o.csv"),
    )
    membench.wait_for_slow()
    before = read_journal(membench.directory / "results/o.journal").units
    assert before
    shutil.rmtree(membench.directory / "results")
    go_on(membench)
    _, err = run.communicate(timeout=30)
    rows = by_case(membench.directory / "results/o.csv")
    for unit in before:
        kept = rows[unit.case].samples[unit.round - 1]
        assert kept == pytest.approx(unit.readings[0].samples)
    says = first_line(err, "Warning: ")
    left = listed(membench.directory / "results")
    return {"results-removed": Seen(run.returncode, says, others(rows, [], 2), left)}


def scratch_removed(membench: Membench) -> dict[str, Seen]:
    (membench.directory / "scratch").mkdir()
    run = membench.start(
        *("run", "--select", "ssd/slow", "--select", "ssd/tiny", "--scratch", "scratch"),
        *words("--rounds 1 --disk-budget 64MiB -o o.csv"),
    )
    membench.wait_for_slow()
    (membench.directory / "scratch").rmdir()  # works because the scratch file has no name
    go_on(membench)
    _, err = run.communicate(timeout=60)
    assert alone(err) == ""
    rows = by_case(membench.directory / "o.csv")
    seen = Seen(run.returncode, "(nothing)", others(rows, [], 1), listed(membench.directory))
    return {"scratch-removed": seen}


STEP = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int status = real(clock, now);
  if (clock == CLOCK_REALTIME && !access(getenv("TEST_STEP"), F_OK)) now->tv_sec -= 3600;
  return status;
}
"""


def clock_step(membench: Membench) -> dict[str, Seen]:
    library = build(membench.directory.with_name("step.so"), STEP, "-ldl")
    step = str(membench.directory.with_name("step"))
    environment = {**membench.environment, "LD_PRELOAD": str(library), "TEST_STEP": step}
    done = membench(
        *("run", "--select", "ddr/steady", "--select", "ddr/steps"),
        *words("--rounds 2 --seed 0 -o o.csv"),
        env=environment,
    )
    assert done.stderr == ""
    rows = by_case(membench.directory / "o.csv")
    sidecar = read_sidecar(membench.directory / "o.csv")
    assert sidecar is not None
    # The clock was set back.
    assert min(row.started for row in rows.values()) < sidecar.plan.started
    assert all(seconds >= 0 for seconds in sidecar.seconds.values())
    assert all(sample > 0 for row in rows.values() for one in row.samples for sample in one)
    kept = others(rows, [], 2)
    return {"clock-step": Seen(done.returncode, "(nothing)", kept, listed(membench.directory))}


def nvml_gone(membench: Membench) -> dict[str, Seen]:
    done = membench(
        *("run", "--select", "hbm/calm", "--select", "hbm/vanishes", "--select", "ddr/steady"),
        *words("--rounds 2 --seed 0 -o o.csv"),
        env=membench.with_gpu(f"GPU-{membench.directory.parent.name}"),
    )
    rows = by_case(membench.directory / "o.csv")
    says = first_line(done.stderr, "Warning: ")
    kept = others(rows, [], 2)
    return {"nvml-gone": Seen(done.returncode, says, kept, listed(membench.directory))}


def two_on_one_gpu(membench: Membench) -> dict[str, Seen]:
    environment = membench.with_gpu(f"GPU-{membench.directory.parent.name}")
    run = membench.start(*words("run --select hbm/slow --rounds 1 -o o.csv"), env=environment)
    membench.wait_for_slow()
    second = membench(*words("run --select hbm/calm -o p.csv"), env=environment)
    hidden = {**environment, "CUDA_VISIBLE_DEVICES": ""}  # a run without a GPU is allowed
    third = membench(*words("run --select ddr/steady/n=1 --rounds 1 -o q.csv"), env=hidden)
    assert third.returncode == 0, third.stderr
    membench.flag.unlink()
    _, err = run.communicate(timeout=60)
    assert run.returncode == 0, err
    rows = by_case(membench.directory / "o.csv")
    says = first_line(second.stderr).replace(str(run.pid), "1234")
    left = " ".join(name for name in listed(membench.directory).split() if name[0] != "q")
    return {"two-on-one-gpu": Seen(second.returncode, says, others(rows, [], 1), left)}


def two_in_one_file(membench: Membench) -> dict[str, Seen]:
    run = membench.start(*words("run --select ddr/slow/n=1 --rounds 1 -o o.csv"))
    membench.wait_for_slow()
    second = membench(*words("run --select ddr/steady -o o.csv"))
    third = membench(*words("run --resume o.csv"))
    assert third.returncode == 1
    assert "another run is writing" in third.stderr
    membench.flag.unlink()
    _, err = run.communicate(timeout=60)
    assert run.returncode == 0, err
    rows = by_case(membench.directory / "o.csv")
    says = first_line(second.stderr)
    seen = Seen(second.returncode, says, others(rows, [], 1), listed(membench.directory))
    return {"two-in-one-file": seen}


ONE_CASE = (
    "only this case fails; the row contains the message; a new worker measures the other cases"
)
ROW = "only this case fails; the row contains the message"
STOPPED = (
    "membench keeps the finished samples; the message names the file; `--resume` completes the run"
)
ALL, OTHERS, EVERY = "all cases", "all other cases", "all finished samples"
PARTIAL = "Partial results: o.csv and o.json"
WAIT = "round 1: the worker was killed: no answer within 4 s (--timeout)"


def _case(name: str, injected: str, promised: str, says: str) -> Fault:
    return Fault(broken_cases, name, injected, promised, Seen(3, says, OTHERS))


def _signal(
    number: signal.Signals,
    name: str,
    injected: str,
    promised: str = STOPPED,
    *,
    repeat: bool = False,
) -> Fault:
    seen = Seen(128 + number, PARTIAL, EVERY, "o.csv o.journal o.json", COMPLETE)
    scenario = partial(interrupted, number=number, fault=name, repeat=repeat)
    return Fault(scenario, name, injected, promised, seen)


FAULTS = (
    _case("hang", "a case that never returns", ONE_CASE, WAIT),
    _case("stop", "a worker that is stopped (SIGSTOP)", ONE_CASE, WAIT),
    _case(
        "sigkill",
        "a worker that kills itself with SIGKILL",
        ONE_CASE,
        "round 1: the worker was killed by SIGKILL (by a person, or by the kernel because "
        "memory ran out)",
    ),
    _case("segfault", "a read of address 8", ONE_CASE, "round 1: the worker died of SIGSEGV"),
    _case("abort", "`abort()`", ONE_CASE, "round 1: the worker died of SIGABRT"),
    _case(
        "exit",
        "`_exit(7)` inside a case",
        ONE_CASE,
        "round 1: the worker ended with exit code 7: no text on standard error",
    ),
    _case(
        "no-memory",
        "an allocation beyond RLIMIT_AS",
        ROW,
        "round 1: out of memory",
    ),
    _case("exception", "a Python exception", ROW, "round 1: RuntimeError: a line and another"),
    _case("wrong-result", "a wrong result", ROW, "round 1: element 7 is 1.0 and must be 2.0"),
    _case(
        "babble",
        "a worker that sends an invalid result to the main process",
        ONE_CASE,
        "round 1: the worker was killed, because its answer was malformed: b'no answer'",
    ),
    _case(
        "device-lost",
        "a CUDA error that makes the context unusable, then another error when membench frees the memory",
        ONE_CASE,
        "round 1: an illegal memory access was encountered",
    ),
    Fault(
        worker_killed,
        "oom",
        "a worker that another process kills with SIGKILL, as the kernel's OOM killer does (the "
        "worker has the highest `oom_score_adj`, so the OOM killer kills the worker first)",
        ONE_CASE,
        Seen(
            3,
            "round 1: the worker was killed by SIGKILL (by a person, or by the kernel because "
            "memory ran out)",
            OTHERS,
        ),
    ),
    Fault(
        out_of_memory,
        "oom-killer",
        "a case that allocates memory until the OOM killer kills the worker, in a control group "
        "with 512 MiB",
        ONE_CASE,
        Seen(
            3,
            "round 1: the worker was killed by SIGKILL (by a person, or by the kernel because "
            "memory ran out)",
            OTHERS,
        ),
    ),
    _signal(signal.SIGINT, "ctrl-c", "SIGINT to the whole process group"),
    _signal(
        signal.SIGINT,
        "ctrl-c-again",
        "SIGINT again and again until the run ends",
        f"membench ignores every signal after the first; {STOPPED}",
        repeat=True,
    ),
    _signal(signal.SIGTERM, "sigterm", "SIGTERM to the whole process group"),
    _signal(signal.SIGHUP, "hang-up", "SIGHUP, as when the terminal is closed"),
    Fault(
        parent_killed,
        "parent-killed",
        "SIGKILL of the main process; the last record in its journal is incomplete",
        "the worker dies too; the journal keeps the finished samples; `--resume` completes the run",
        Seen(-9, "(nothing: the main process is dead)", EVERY, "o.journal", COMPLETE),
    ),
    Fault(
        file_limit,
        "file-limit",
        "a run that reaches RLIMIT_FSIZE",
        f"membench prints an error of one line; {STOPPED}",
        Seen(
            1,
            "Error: cannot write o.journal: File too large; the finished measurements are in o.csv",
            EVERY,
            "o.csv o.journal o.json",
            COMPLETE,
        ),
    ),
    Fault(
        filesystem_full,
        "disk-full",
        "a filesystem of 12 KiB that fills up during the run",
        f"membench prints an error of one line; {STOPPED}",
        Seen(
            1,
            "Error: cannot write o.journal: No space left on device; "
            "the finished measurements are in o.journal",
            EVERY,
            "o.journal",
            COMPLETE,
        ),
    ),
    Fault(
        read_only,
        "read-only",
        "a results directory on a read-only filesystem",
        "membench prints an error of one line before the first measurement",
        Seen(
            1,
            "Error: cannot write results/o.csv: Read-only file system",
            "nothing was measured yet",
            "",
        ),
    ),
    Fault(
        results_removed,
        "results-removed",
        "`rm -r` of the results directory during the run",
        "membench makes the directory again, loses nothing, and prints one warning",
        Seen(
            0,
            "Warning: results/o.journal was removed during the run and has been written again",
            ALL,
        ),
    ),
    Fault(
        name_taken,
        "name-taken",
        "another process that creates a file `o.csv` during the run",
        "membench keeps this file, writes the results to the next free name, and prints one warning",
        Seen(
            0,
            "Warning: o.csv or o.json belongs to another run, and is not overwritten",
            ALL,
            "o-2.csv o-2.json o.csv",
        ),
    ),
    Fault(
        scratch_removed,
        "scratch-removed",
        "removal of the scratch directory while a disk case runs",
        "the run continues: the scratch file has no name, and exists until the run ends",
        Seen(0, "(nothing)", ALL),
    ),
    Fault(
        clock_step,
        "clock-step",
        "a wall clock that is set back by an hour during the run",
        "no duration and no sample depends on the wall clock",
        Seen(0, "(nothing)", ALL),
    ),
    Fault(
        nvml_gone,
        "nvml-gone",
        "NVML that stops answering during the run",
        "membench prints one warning, and the run continues",
        Seen(
            0,
            "Warning: GPU 0 no longer responds to NVML: GPU is lost; the run continues, but "
            "cannot detect whether a GPU is throttled or shared",
            ALL,
        ),
    ),
    Fault(
        two_on_one_gpu,
        "two-on-one-gpu",
        "while a run is going on: a second run on the same GPU",
        "membench refuses the second run with one line; the first run continues",
        Seen(
            1,
            "Error: another run (process 1234) measures on GPU 0 (NVIDIA H100 80GB HBM3): "
            "each run would get only a share of the device",
            ALL,
        ),
    ),
    Fault(
        two_in_one_file,
        "two-in-one-file",
        "while a run is going on: a second run with the same `-o`, and `--resume` of the first run",
        "membench refuses both commands with one line each; the first run continues",
        Seen(
            1,
            "Error: o.journal exists: its run was interrupted, or is still going on",
            ALL,
        ),
    ),
)

HEAD = """\
# Reliability

Tests inject these faults into real processes of `membench run`, and check the results. `PYTHONPATH=tests/support python tests/processes/faults.py` prints this page.

- *exit* is the exit code: 128 + n if membench received signal n and ended in order, and -n if signal n killed membench.
- *message* is the reason in the row of the failed case; if no case failed, it is the line that membench prints.
- *kept* names the measurements that the fault does not destroy.
- *files* names the files in the results directory after the run.
- *resumed* is the result of `membench run --resume`; `-` means that nothing is left to resume.

| fault | promised result | exit | message | kept | files | resumed |
| --- | --- | --- | --- | --- | --- | --- |
"""

TAIL = """
If a case fails in one round, membench does not run the case in later rounds, but keeps the samples of earlier rounds.

## Limits

- membench cannot kill a worker that hangs in a system call (state D). The run waits until the kernel returns from the call.
- A run that is killed loses only the measurement of the current case, which `--resume` repeats.
- If the filesystem does not support files without a name (`O_TMPFILE`), a SIGKILL during a write can leave a temporary file `.membench-*.tmp`, or a journal that `--resume` cannot use, because it has no plan.
- Two runs that use no GPU can run at the same time, but the second prints a warning. Runs in different network namespaces (containers) do not detect each other.
- The error of NVML comes from a simulated library. No test disconnects a real GPU.
- At the end of a run, membench gives first the JSON file and then the CSV file its final name. If the run dies between these two steps, only the JSON file exists. `--resume` then writes both again.

## Untrusted files and workers

membench does not trust results files, sidecars, journals, ledgers of fleet runs, model configurations, traces, TOML files and the output of other tools. A command that reads a hostile file must finish its work or print one `Error:` line, within one minute and 1 GiB of memory. It must not print control characters for the terminal, or commands for a CI system. `tests/fuzz` tests every such command with:

- files that are cut short, contain a part twice, or have random changes
- JSON values of the wrong type
- numbers at the limits of a double
- hostile text in every field and in file names

`MEMBENCH_FUZZ=60 python -m pytest tests/fuzz` tries new files for 60 seconds per command. On 2026-11-28, 152,300 new files caused no failure. Limits:

- Size: 1 MiB for TOML, 32 MiB for JSON, 256 MiB for the output of other tools, 512 MiB for results, journals and decompressed Parquet, and 4 GiB for traces. A compressed trace may expand to 64 MiB, or to 32 times its compressed size if that is more. A whole number may have at most 40 digits.
- A separate process with at most 2 GiB of memory reads Parquet, because Arrow can crash on hostile files.
- membench refuses sparse files, devices and sockets, and reads a pipe only if the command line names it.
- If a worker of a fleet freezes or sends invalid data, only the host of this worker fails. A worker can pretend to be another host. Anyone who can connect to the scheduler can run code on it, so use TLS.
- If a worker has another version of membench than the client, `membench fleet run` prints a warning and still measures. The column `membench` of each row contains the version.
- A worker that sends gigabytes of results fills the memory of the client. membench cannot prevent this, because Dask receives the results first.

## Situations without a test

- A disk quota of a user or a project on ext4 and xfs. A quota on btrfs, which gives the same error (EDQUOT), is tested.
- The OOM killer, if the tests may not make a control group for memory (this needs root or a delegated group).
- `membench report --scheduler` with a real worker of a different version. The test simulates such a worker, and membench refuses it.

## Disk faults

`tests/processes/test_disk_faults.py` (slow, as root) runs membench on small filesystems on loop devices. Results (Linux 6.18, 2026-11-28):

- If the filesystem of the scratch file fills up during a run (ext4, xfs, btrfs), all cases still succeed. membench writes the whole scratch file before the first case, and the cases overwrite it in place.
- If the filesystem of the results fills up, the run ends with exit code 1 and one line, `No space left on device`. The finished measurements are kept. After you free space, `--resume` completes the run.
- If the btrfs subvolume of the results reaches its quota, the run ends in the same way, with the line `Disk quota exceeded`.
- If ext4 detects an error and becomes read-only, cases that write fail, and cases that only read succeed. The exit code is 3.
- A run writes at most eight times its `--disk-budget`: if a case would exceed this limit, membench skips the case. The write counter of the device confirms the limit.

## Runs killed at random moments

`ci/kills.py` kills the main process of a run with SIGKILL at random moments, and then resumes the run. `ci/soak.py` starts many short runs, also several at once, interrupts or kills some of them, and looks for leftover files and processes. Results on a virtual machine with two CPUs (AMD EPYC, ext4, 2026-11-25):

- `ci/kills.py 20 1` killed 20 runs, 4 of them before the first measurement. No finished measurement was lost, no file and no process was left, and all 20 runs could be completed.
- `ci/soak.py 120` started 66 runs. No file and no process was left.
"""


def document(faults: Sequence[Fault] = FAULTS) -> str:
    lines = []
    for fault in faults:
        seen = fault.seen
        said = seen.says if seen.says.startswith("(") else f"`{seen.says}`"
        cells = [fault.injected, fault.promised, str(seen.code), said, seen.kept]
        cells += [f"`{seen.left}`" if seen.left else "nothing", seen.resumed or "-"]
        lines.append(f"| {' | '.join(cells)} |\n")
    return HEAD + "".join(lines) + TAIL


if __name__ == "__main__":
    sys.stdout.write(document())
