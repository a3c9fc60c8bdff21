"""A plug-in of small and of badly behaved benches, and real membench processes that run them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

BENCHES = '''
"""Benches for the tests: they measure real memory, or fail in a way that happens."""

import ctypes
import os
import signal
import time
from pathlib import Path

from membench.axes import Axis
from membench.case import Needs, axis, bench
from membench.errors import VerificationFailed, skip
from membench.terms import BytesConvention, Metric, Stat
from membench.work import Observation, Observed

VERSION = int(os.environ.get("TEST_VERSION", "1"))


def fill(verify=None, before=None):
    """Observed work: how fast a megabyte is overwritten."""
    target = bytearray(1 << 20)

    def observe(seconds):
        if before is not None:
            before()
        samples = []
        for byte in range(1, 6):
            begin = time.perf_counter_ns()
            ctypes.memset((ctypes.c_char * len(target)).from_buffer(target), byte, len(target))
            samples.append(len(target) / (time.perf_counter_ns() - begin))
        return Observation({(Metric.BANDWIDTH, Stat.MEDIAN): samples}, {"engine": "memset"})

    return Observed(
        observe=observe, seconds=0.01, timer="perf_counter_ns", size_bytes=len(target),
        bytes_moved=len(target), bytes_convention=BytesConvention.RW_SUM, verify=verify,
    )


def wait():
    """Write the process id to a file, then wait until the file is gone."""
    flag = Path(os.environ["TEST_FLAG"])
    if flag.parent.is_dir():
        flag.write_text(str(os.getpid()))
        while flag.exists():
            time.sleep(0.01)


@bench("ddr/steady", version=VERSION, seconds=0.01)
@axis("n", quick=(1, 2, 3))
def steady(cpu, n):
    """Overwrites memory."""
    return fill()


@bench("ddr/raises", version=1, seconds=0.01)
def raises(cpu):
    """Breaks."""
    raise RuntimeError("a line\\nand another")


@bench("ddr/wrong", version=1, seconds=0.01)
def wrong(cpu):
    """Computes the wrong thing."""
    def verify():
        raise VerificationFailed("element 7 is 1.0 and must be 2.0")
    return fill(verify=verify)


@bench("ddr/skips", version=1, seconds=0.01)
def skips(cpu):
    """Cannot run here."""
    skip("needs a moon")


@bench("ddr/prints", version=1, seconds=0.01)
def prints(cpu):
    """Writes to standard output, as libraries do."""
    return fill(before=lambda: (print("noise", flush=True), os.write(1, b"more noise\\n")))


@bench("ddr/hangs", version=1, seconds=0.01)
def hangs(cpu):
    """Never comes back."""
    return fill(before=lambda: time.sleep(3600))


@bench("ddr/dies", version=1, seconds=0.01)
def dies(cpu):
    """Kills its own process, as the kernel does for want of memory."""
    return fill(before=lambda: os.kill(os.getpid(), signal.SIGKILL))


@bench("ddr/segfaults", version=1, seconds=0.01)
def segfaults(cpu):
    """Reads where there is nothing."""
    return fill(before=lambda: ctypes.string_at(8))


@bench("ddr/slow", version=1, seconds=0.01)
@axis("n", quick=(1, 2))
def slow(cpu, n):
    """Waits while it is measured."""
    return fill(before=wait)


YIELDS = tuple(
    [(Metric.IOPS, Stat.MEDIAN), (Metric.BANDWIDTH, Stat.MEDIAN)]
    + [(Metric.LATENCY, stat) for stat in (Stat.P50, Stat.P95, Stat.P99, Stat.P999)]
)


@bench("ssd/tiny", version=1, backend="storage", yields=YIELDS, seconds=0.2, disk=16 << 20)
def tiny(storage):
    """Reads a small file."""
    from membench.benches.ssd import read

    return read.function(storage, "rand", 4096, 4, "thp")


@bench("ssd/slow", version=1, backend="storage", yields=YIELDS, seconds=0.2, disk=16 << 20)
def slow_disk(storage):
    """Holds the file until it is told to go on."""
    wait()
    return tiny.function(storage)


@bench("hbm/nothing", version=1, needs=Needs.GPU, seconds=0.01)
def nothing(gpu):
    """Needs a GPU."""
    raise AssertionError("it must not be called without one")
'''


@dataclass
class Membench:
    """Runs the command line as a user would: another process, another directory."""

    directory: Path
    environment: dict[str, str]
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def __call__(self, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        """Run to the end; stdout and stderr as text."""
        defaults = {
            "cwd": self.directory,
            "env": self.environment,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "timeout": 120,
        }
        return subprocess.run(  # type: ignore[call-overload,no-any-return]
            [sys.executable, "-P", "-m", "membench", *arguments],
            text=True,
            check=False,
            **{**defaults, **options},
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start it in a process group of its own, as a shell would."""
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "membench", *arguments],
            cwd=self.directory,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    @property
    def flag(self) -> Path:
        """By this file `ddr/slow` says that it is being measured; without it, it goes on."""
        return Path(self.environment["TEST_FLAG"])

    def wait_for_slow(self) -> int:
        """Wait until `ddr/slow` is being measured; the process id of its worker."""
        return int(until(lambda: self.flag.exists() and self.flag.read_text()))


def until(condition: Callable[[], object], seconds: float = 60.0) -> str:
    """Wait for ``condition`` and return what it says."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)
    return str(found)


def alive(pid: int) -> bool:
    """The process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
