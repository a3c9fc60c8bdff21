"""Repeat short runs for a given time, also several runs at once: ci/soak.py [SECONDS].

A cycle consists of a run through the Python API in this process, three concurrent runs, an
interrupted run, and a run that is killed and resumed. After each cycle, no process, file, shared
memory or descriptor of the runs may remain.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/processes"), str(ROOT / "tests/support")]

from driver import Membench, alone, installed, until  # noqa: E402 - by the line above
from hearing import hear_signals  # noqa: E402

import membench as api  # noqa: E402

AT_ONCE = 3
MARK = "MEMBENCH_SOAK"
RUN = ("run", "--select", "ddr/steady", "--select", "ssd/tiny", "--rounds", "2")
SLOW = ("run", "--select", "ddr/steady", "--select", "ddr/slow", "--rounds", "2")
SHM = Path("/dev/shm")  # noqa: S108 - only listed


def marked(token: str) -> list[int]:
    """The ids of the running processes of this soak test, except this process."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue
        if f"{MARK}={token}".encode() in environment.split(b"\0"):
            found.append(int(folder.name))
    return [pid for pid in found if pid != os.getpid()]


def shared_memory() -> set[str]:
    """The names of all shared memory segments, POSIX and System V."""
    try:
        posix = {str(path) for path in SHM.iterdir()}
        system = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    except OSError:
        return set()
    return posix | {f"sysv {line.split()[1]}" for line in system}


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def cycle(membench: Membench) -> int:
    """Run one cycle, and return the number of runs in the cycle."""
    api.run(select=["ddr/steady", "ssd/tiny"], rounds=1, output=membench.directory / "api.csv")
    several = [membench.start(*RUN, "-o", f"{n}.csv") for n in range(AT_ONCE)]
    for run in several:
        _, errors = run.communicate(timeout=120)
        if run.returncode or alone(errors):
            sys.exit(f"exit {run.returncode}: {errors}")
    for number, code in ((signal.SIGINT, 130), (signal.SIGKILL, -9)):
        name = f"{number.name}.csv"
        run = membench.start(*SLOW, "-o", name)
        membench.wait_for_slow()
        (os.killpg if number is signal.SIGINT else os.kill)(run.pid, number)
        run.communicate(timeout=60)
        if run.returncode != code:
            sys.exit(f"exit {run.returncode} after {number.name}")
        shutil.rmtree(membench.flag.parent)
        if (membench.directory / name).with_suffix(".journal").exists():
            done = membench("run", "--resume", name)
            if done.returncode:
                sys.exit(f"exit {done.returncode}: {done.stderr}")
        membench.flag.parent.mkdir()
    membench.started.clear()
    return AT_ONCE + 3


def leftovers(membench: Membench, token: str, temporary: Path, memory: set[str]) -> list[str]:
    """Remove the results of a cycle, and return descriptions of all leftovers."""
    found = [f"process {pid}" for pid in marked(token)]
    for path in membench.directory.iterdir():
        pair = {path.with_suffix(".csv"), path.with_suffix(".json")}
        if path not in pair or not all(one.exists() for one in pair):
            found.append(f"file {path.name}")
    found += [f"temporary file {path.name}" for path in temporary.iterdir()]
    found += [f"shared memory {name}" for name in shared_memory() - memory]
    for path in membench.directory.iterdir():
        path.unlink()
    return found


def main(seconds: float) -> int:
    """Run cycles for ``seconds``. Returns 0 if no cycle left anything behind."""
    token = secrets.token_hex(8)
    with tempfile.TemporaryDirectory(prefix="membench-soak-") as base:
        membench = installed(Path(base))
        temporary = Path(base) / "tmp"
        temporary.mkdir()
        membench.environment |= {MARK: token, "TMPDIR": str(temporary)}
        os.environ |= membench.environment  # workers started by runs in this process
        sys.path.insert(0, str(Path(base) / "site"))
        memory = shared_memory()
        runs, cycles, bad = cycle(membench), 1, []
        bad += leftovers(membench, token, temporary, memory)
        opened, threads = descriptors(), threading.active_count()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            runs += cycle(membench)
            cycles += 1
            until(lambda: not marked(token), seconds=5)
            bad += leftovers(membench, token, temporary, memory)
            if descriptors() > opened:
                bad.append(f"{descriptors() - opened} descriptors")
            if threading.active_count() > threads:
                bad.append(f"{threading.active_count() - threads} threads")
    print(
        f"{cycles} cycles, {runs} runs, {opened} descriptors after each, left: {bad or 'nothing'}"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    hear_signals()
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0))
