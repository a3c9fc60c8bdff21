"""A run whose disk fills up or turns read-only meanwhile, inside of a mount namespace.

    python disk_under_faults.py full|read-only|budget|quota DIRECTORY

prints one JSON object with what the run did and what it left.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from membench.core.units import MIB
from membench.machine.disks.filesystem import read_filesystem
from membench.results.journal.reading import read_journal
from membench.results.paths import journal_path
from membench.results.table import read_rows

DEADLINE_S = 120.0
BUDGET = 256 * MIB


def start(*arguments: str) -> subprocess.Popen[str]:
    """``membench run`` with ``arguments``."""
    command = [sys.executable, "-m", "membench", "run", *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )


def when(ready: Callable[[], bool], run: subprocess.Popen[str]) -> None:
    """Wait until it is ready; the run must still be going."""
    end = time.monotonic() + DEADLINE_S
    while not ready():
        if run.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"the run ended before the fault: {run.communicate()}")
        time.sleep(0.02)


def units(out: Path) -> int:
    """Finished units in the journal of a run."""
    try:
        return len(read_journal(journal_path(out)).units)
    except Exception:  # it is being made, or is not there yet
        return 0


@contextlib.contextmanager
def filled(directory: Path) -> Iterator[int]:
    """Take all that is free in ``directory``; the bytes that are left to a user."""
    filler = directory / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (16 * MIB, MIB, 4096):
            block = os.urandom(size)
            with contextlib.suppress(OSError):
                while True:
                    file.write(block)
                    os.fsync(file.fileno())
    status = os.statvfs(directory)
    yield status.f_bavail * status.f_frsize
    filler.unlink()
    end = time.monotonic() + DEADLINE_S
    while os.statvfs(directory).f_bavail < 2 * status.f_blocks // 5:  # freed a little later
        if time.monotonic() > end:
            raise RuntimeError("what was taken does not become free")
        os.sync()
        time.sleep(0.1)


def ended(run: subprocess.Popen[str], out: Path) -> dict[str, Any]:
    """How the run ended, and its rows."""
    try:
        told, complained = run.communicate(timeout=DEADLINE_S)
    finally:
        run.kill()
    found: dict[str, Any] = {"code": run.returncode, "out": told, "err": complained}
    if out.exists():
        rows = read_rows(out)
        found["rows"] = [[row.case, str(row.status), row.reason, row.rounds] for row in rows]
    return found


def full(directory: Path) -> dict[str, Any]:
    """First the scratch file's filesystem fills up, then that of the results."""
    chosen = ("--select", "ssd/read/pattern=rand*", "--select", "ssd/write/*", "--rounds", "3")
    place = ("--scratch", str(directory), "--disk-budget", "256MiB")
    out = Path("o.csv")
    run = start(*chosen, *place, "-o", str(out))
    when(lambda: units(out) >= 2, run)
    with filled(directory) as left:
        scratch = {**ended(run, out), "left": left}
    within = directory / "o.csv"
    # Enough samples to outgrow whatever the journal's last block still has room for.
    arguments = ("--select", "ssd/read/pattern=rand*", "--rounds", "4", *place)
    run = start(*arguments, "-o", str(within))
    when(lambda: units(within) >= 2, run)
    with filled(directory):
        results = ended(run, within)
        kept = units(within)
    resumed = ended(start("--resume", str(within)), within)
    return {"scratch": scratch, "results": results, "kept": kept, "resumed": resumed}


def read_only(directory: Path) -> dict[str, Any]:
    """The filesystem meets an error of its own, and goes on without writing."""
    out = Path("o.csv")
    chosen = ("--select", "ssd/read/pattern=rand*", "--select", "ssd/write/*", "--rounds", "3")
    run = start(*chosen, "--scratch", str(directory), "--disk-budget", "256MiB", "-o", str(out))
    when(lambda: units(out) >= 2, run)
    before = units(out)
    device = read_filesystem(directory).device.removeprefix("/dev/")
    Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("1")
    found = ended(run, out)
    try:
        (directory / "x").touch()
    except OSError as error:
        found["refused"] = error.strerror
    return {**found, "before": before}


def budget(directory: Path) -> dict[str, Any]:
    """Bytes that the device was given to write in a run, as the kernel counts them."""
    device = read_filesystem(directory).device.removeprefix("/dev/")
    counters = Path(f"/sys/class/block/{device}/stat")

    def written() -> int:
        os.sync()
        return int(counters.read_text().split()[6]) * 512

    out = Path("o.csv")
    chosen = ("--profile", "full", "--select", "ssd/write/*", "--select", "ssd/mix/*")
    before = written()
    run = start(
        *(*chosen, "--rounds", "3", "--disk-budget", f"{BUDGET // MIB}MiB"),
        *("--scratch", str(directory), "-o", str(out)),
    )
    found = ended(run, out)
    return {**found, "kernel": written() - before}


def quota(directory: Path) -> dict[str, Any]:
    """The results' subvolume of btrfs reaches its limit in the middle of the run."""
    subvolume = directory / "results"
    within = subvolume / "o.csv"

    def btrfs(*arguments: str) -> None:
        subprocess.run(["btrfs", *arguments], check=True, stdout=subprocess.DEVNULL)

    btrfs("subvolume", "create", str(subvolume))
    btrfs("quota", "enable", str(directory))
    run = start("--select", "host/chase/size=16KiB/*", "--rounds", "8", "-o", str(within))
    when(lambda: units(within) >= 2, run)
    group = "0/256"  # of the first subvolume that is made
    btrfs("qgroup", "limit", "1", group, str(directory))  # a byte: all that follows is too much
    found = ended(run, within)
    kept = units(within)
    btrfs("qgroup", "limit", "none", group, str(directory))
    resumed = ended(start("--resume", str(within)), within)
    return {**found, "kept": kept, "resumed": resumed}


if __name__ == "__main__":
    stories = {"full": full, "read-only": read_only, "budget": budget, "quota": quota}
    print(json.dumps(stories[sys.argv[1]](Path(sys.argv[2]))))
