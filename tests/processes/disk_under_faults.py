"""A run whose disk fills up or becomes read-only, inside a mount namespace.

    python disk_under_faults.py full|read-only|budget|quota DIRECTORY

prints one JSON object with the outcome of the run and the remaining files.
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
    command = [sys.executable, "-m", "membench", "run", *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )


def when(ready: Callable[[], bool], run: subprocess.Popen[str]) -> None:
    """Wait until ``ready`` returns True.

    Raises:
        RuntimeError: the run ended first, or `DEADLINE_S` passed.
    """
    end = time.monotonic() + DEADLINE_S
    while not ready():
        if run.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"the run ended before the fault: {run.communicate()}")
        time.sleep(0.02)


def units(out: Path) -> int:
    """Number of finished case results in the journal of the run."""
    try:
        return len(read_journal(journal_path(out)).units)
    except Exception:  # the journal does not exist yet, or is incomplete
        return 0


@contextlib.contextmanager
def filled(directory: Path) -> Iterator[int]:
    """Fill the filesystem of ``directory``; yields the free bytes that remain."""
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
    # The filesystem frees the space a little later.
    while os.statvfs(directory).f_bavail < 2 * status.f_blocks // 5:
        if time.monotonic() > end:
            raise RuntimeError("what was taken does not become free")
        os.sync()
        time.sleep(0.1)


def ended(run: subprocess.Popen[str], out: Path) -> dict[str, Any]:
    """The exit code, the outputs and the rows of the run."""
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
    """Fill the filesystem of the scratch file, then the filesystem of the results."""
    chosen = ("--select", "ssd/read/pattern=rand*", "--select", "ssd/write/*", "--rounds", "3")
    place = ("--scratch", str(directory), "--disk-budget", "256MiB")
    out = Path("o.csv")
    run = start(*chosen, *place, "-o", str(out))
    when(lambda: units(out) >= 2, run)
    with filled(directory) as left:
        scratch = {**ended(run, out), "left": left}
    within = directory / "o.csv"
    # Enough samples to exceed the free space in the last block of the journal.
    arguments = ("--select", "ssd/read/pattern=rand*", "--rounds", "4", *place)
    run = start(*arguments, "-o", str(within))
    when(lambda: units(within) >= 2, run)
    with filled(directory):
        results = ended(run, within)
        kept = units(within)
    resumed = ended(start("--resume", str(within)), within)
    return {"scratch": scratch, "results": results, "kept": kept, "resumed": resumed}


def read_only(directory: Path) -> dict[str, Any]:
    """The filesystem detects an error and becomes read-only."""
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
    """Number of bytes written to the device during a run, as the kernel counts them."""
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
    """The btrfs subvolume of the results reaches its quota during the run."""
    subvolume = directory / "results"
    within = subvolume / "o.csv"

    def btrfs(*arguments: str) -> None:
        subprocess.run(["btrfs", *arguments], check=True, stdout=subprocess.DEVNULL)

    btrfs("subvolume", "create", str(subvolume))
    btrfs("quota", "enable", str(directory))
    run = start("--select", "host/chase/size=16KiB/*", "--rounds", "8", "-o", str(within))
    when(lambda: units(within) >= 2, run)
    group = "0/256"  # the id of the first subvolume
    # A limit of one byte, so that every later write fails.
    btrfs("qgroup", "limit", "1", group, str(directory))
    found = ended(run, within)
    kept = units(within)
    btrfs("qgroup", "limit", "none", group, str(directory))
    resumed = ended(start("--resume", str(within)), within)
    return {**found, "kept": kept, "resumed": resumed}


if __name__ == "__main__":
    stories = {"full": full, "read-only": read_only, "budget": budget, "quota": quota}
    print(json.dumps(stories[sys.argv[1]](Path(sys.argv[2]))))
