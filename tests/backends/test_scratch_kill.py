"""A killed run leaves no file on the disk, whenever it is killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from membench.core.units import MIB
from membench.machine.disks.filesystem import read_filesystem

SIZE = 192 * MIB
OTHERS = SIZE // 3  # space that other programs may use during the test

PROGRAM = f"""
import os, subprocess, sys
from pathlib import Path
from membench.host.storage.scratch import ScratchFile
print("begun", flush=True)
file = ScratchFile.create(Path(sys.argv[1]), {SIZE}, budget={2 * SIZE}, seed=1)
print("laid out", flush=True)
fd = os.open(file.scratch.path, os.O_RDWR)
while True:
    os.pwrite(fd, os.pread(fd, 1 << 20, 1 << 20), 8 << 20)
"""


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    if reason := read_filesystem(tmp_path).direct_io:
        pytest.skip(reason)
    return tmp_path


def free(directory: Path) -> int:
    status = os.statvfs(directory)
    return status.f_bavail * status.f_frsize


def given_back(directory: Path, before: int) -> bool:
    """Wait at most five seconds until the space is free again. Return whether the space is free."""
    for _ in range(100):
        if free(directory) > before - OTHERS:
            return True
        time.sleep(0.05)
    return False


def start(directory: Path, first: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(directory)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    while process.stdout.readline().strip() != first:
        assert process.poll() is None
    return process


def kill(process: subprocess.Popen[str], signum: int) -> None:
    process.send_signal(signum)
    process.wait(60)
    assert process.stdout is not None
    process.stdout.close()


@pytest.mark.sampled(2)
@pytest.mark.parametrize("moment", range(6))
def test_killed_while_it_is_laid_out(disk: Path, moment: int) -> None:
    before = free(disk)
    process = start(disk, "begun")
    time.sleep(random.Random(moment).uniform(0, 0.12))
    kill(process, signal.SIGKILL)
    assert list(disk.iterdir()) == []
    assert given_back(disk, before)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_killed_while_it_is_used(disk: Path, signum: int) -> None:
    before = free(disk)
    process = start(disk, "laid out")
    assert free(disk) < before - OTHERS  # the file really uses space
    time.sleep(random.Random(signum).uniform(0, 0.1))
    kill(process, signum)
    assert list(disk.iterdir()) == []
    assert given_back(disk, before)


def test_a_worker_that_outlives_the_parent_keeps_only_its_own_hold(disk: Path) -> None:
    before = free(disk)
    process = start(disk, "laid out")
    descriptors = Path(f"/proc/{process.pid}/fd")
    path = next(entry for entry in descriptors.iterdir() if str(disk) in str(entry.readlink()))
    worker = os.open(path, os.O_RDONLY)
    kill(process, signal.SIGKILL)
    assert os.fstat(worker).st_size == SIZE
    assert list(disk.iterdir()) == []
    os.close(worker)
    assert given_back(disk, before)
