"""Kill runs with SIGKILL at random moments and resume each: ci/kills.py [COUNT] [SEED].

Every moment of a run is equally likely: the start, writing the scratch file, measuring, writing the
results. The script counts lost case results, leftover files and processes, and complete results.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/processes"), str(ROOT / "tests/support")]

from driver import Membench, alive, installed, until  # noqa: E402 - by the line above

from membench.core.terms import Status  # noqa: E402
from membench.results.case_result import CaseResult  # noqa: E402
from membench.results.journal.reading import read_journal  # noqa: E402
from membench.results.table import read_rows  # noqa: E402

ROUNDS, CASES = 3, 4
RUN = ("run", "--select", "ddr/steady", "--select", "ssd/tiny", "--rounds", str(ROUNDS))


@dataclass
class Tally:
    """The outcome of all kills. Each list contains unwanted effects."""

    finished: int = 0
    lost: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    workers: list[str] = field(default_factory=list)
    complete: int = 0
    phases: dict[str, int] = field(default_factory=dict)


def children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(word) for word in text.split()]


def kill(membench: Membench, moment: float, tally: Tally) -> tuple[CaseResult, ...] | None:
    """Start a run, kill the run ``moment`` seconds later, and return its finished case results.

    Returns None if the run had already ended.
    """
    run = membench.start(*RUN, "-o", "o.csv")
    time.sleep(moment)
    if run.poll() is not None:
        return None
    workers = children(run.pid)
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    deadline = time.monotonic() + 1.0
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.01)
    tally.workers += [str(pid) for pid in workers if alive(pid)]
    journal, csv = membench.directory / "o.journal", membench.directory / "o.csv"
    phase = "measuring" if journal.exists() else "complete" if csv.exists() else "before its plan"
    units = read_journal(journal).units if journal.exists() else ()
    if phase == "measuring" and len(units) == ROUNDS * CASES:
        phase = "all measured"
    tally.phases[phase] = tally.phases.get(phase, 0) + 1
    tally.finished += len(units)
    return units


def go_on(membench: Membench, units: tuple[CaseResult, ...], tally: Tally) -> None:
    """Resume the run and check its results. If there is no journal, start the run again."""
    csv = membench.directory / "o.csv"
    if (membench.directory / "o.journal").exists():
        done = membench("run", "--resume", "o.csv")
    elif not csv.exists():
        done = membench(*RUN, "-o", "o.csv")
    else:
        done = None
    if done is not None and done.returncode:
        tally.lost.append(done.stderr)
        return
    rows = read_rows(csv)
    of_case = {row.case: row for row in rows if row.metric == "bandwidth"}
    for unit in units:
        reading = next(one for one in unit.readings if one.metric == "bandwidth")
        kept = of_case[unit.case].samples[unit.round - 1]
        pairs = zip(kept, reading.samples, strict=True)
        if any(abs(one - other) > 1e-6 * other for one, other in pairs):
            tally.lost.append(f"{unit.case} of round {unit.round}")
    whole = all(row.status is Status.OK and row.rounds == ROUNDS for row in rows)
    tally.complete += whole and len({row.case for row in rows}) == CASES


def main(count: int, seed: int) -> int:
    """Kill ``count`` runs. Returns 0 if no result was lost and no file or process was left."""
    draw = random.Random(seed)
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="membench-kills-") as base:
        membench = installed(Path(base))
        temporary = Path(base) / "tmp"
        temporary.mkdir()
        membench.environment["TMPDIR"] = str(temporary)
        began = time.monotonic()
        first = membench(*RUN, "-o", "o.csv")
        if first.returncode:
            sys.exit(first.stdout + first.stderr)
        length = time.monotonic() - began
        number = 0
        while number < count:
            shutil.rmtree(membench.directory)
            membench.directory.mkdir()
            moment = draw.uniform(0, length)
            units = kill(membench, moment, tally)
            if units is None:  # this run was faster than the first run, so the kill came too late
                length = moment
                continue
            number += 1
            go_on(membench, units, tally)
            left = {path.name for path in membench.directory.iterdir()} - {"o.csv", "o.json"}
            left |= {f"tmp/{path.name}" for path in temporary.iterdir()}
            tally.files += sorted(left)
            print(f"{number}/{count} killed after {moment:.2f} s, {len(units)} units finished")
        until(lambda: not any(alive(run.pid) for run in membench.started))
    phases = ", ".join(f"{many} {phase}" for phase, many in sorted(tally.phases.items()))
    print(f"{count} runs of at most {length:.1f} s killed: {phases}")
    print(f"finished units {tally.finished}, lost {len(tally.lost)} {tally.lost or ''}".rstrip())
    print(f"files left {len(tally.files)} {tally.files or ''}".rstrip())
    print(f"workers alive a second later {len(tally.workers)}")
    print(f"complete results {tally.complete} of {count}")
    fine = tally.complete == count and not (tally.lost or tally.files or tally.workers)
    return 0 if fine else 1


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    sys.exit(main(*(numbers + [20, 1][len(numbers) :])))
