"""A plug-in with small and faulty benches, and real membench processes that run the benches."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from nvml_stub import H100, text

ROOT = Path(__file__).resolve().parents[2]

BENCHES = '''
"""Benches for the tests: they measure real memory, or fail in a way that happens."""

import ctypes
import os
import resource
import signal
import sys
import time
from pathlib import Path

from membench.core.axes import Axis
from membench.core.case import Needs, axis, bench
from membench.core.errors import DeviceLost, VerificationFailed, skip
from membench.core.terms import BytesConvention, Metric, Stat
from membench.core.work import Observation, Observed

VERSION = int(os.environ.get("TEST_VERSION", "1"))
LOST = False  # of this process: its device, for good


def fill(verify=None, before=None):
    """Observed work: how fast a megabyte is overwritten."""
    target = bytearray(1 << 20)
    if LOST:
        raise RuntimeError("the device is lost in this process")

    def observe(seconds):
        if before is not None:
            before()
        samples = []
        for byte in range(1, 6):
            begin = time.perf_counter_ns()
            ctypes.memset((ctypes.c_char * len(target)).from_buffer(target), byte, len(target))
            samples.append(len(target) / (time.perf_counter_ns() - begin))
        setting = os.environ.get("TEST_SETTING")
        detail = {"engine": "memset"} | ({"setting": setting} if setting else {})
        return Observation({(Metric.BANDWIDTH, Stat.MEDIAN): samples}, detail)

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


@bench("ddr/aborts", version=1, seconds=0.01)
def aborts(cpu):
    """Gives up, as the C library does on a damaged heap."""
    return fill(before=os.abort)


@bench("ddr/exits", version=1, seconds=0.01)
def exits(cpu):
    """Leaves the process, as some libraries do."""
    return fill(before=lambda: os._exit(7))


@bench("ddr/stops", version=1, seconds=0.01)
def stops(cpu):
    """Is stopped, as by a debugger or a frozen container."""
    return fill(before=lambda: os.kill(os.getpid(), signal.SIGSTOP))


@bench("ddr/babbles", version=1, seconds=0.01)
def babbles(cpu):
    """Writes into the pipe of the answers."""
    return fill(before=lambda: os.write(int(sys.argv[2]), b"no answer\\n"))


@bench("ddr/starves", version=1, seconds=0.01)
def starves(cpu):
    """Asks for more memory than it may have."""
    def starve():
        limits = resource.getrlimit(resource.RLIMIT_AS)
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + (64 << 20), limits[1]))
        try:
            bytearray(4 << 30)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, limits)
    return fill(before=starve)


@bench("ddr/devours", version=1, seconds=0.01)
def devours(cpu):
    """Takes memory, page by page, until the kernel has had enough."""
    return fill(before=lambda: [bytearray(b"x") * (16 << 20) for _ in range(64)])


@bench("ddr/loses", version=1, seconds=0.01)
def loses(cpu):
    """Meets an error after which nothing on the device works in this process any more."""
    def lose():
        global LOST
        LOST = True
        try:
            raise DeviceLost("an illegal memory access was encountered")
        finally:
            raise RuntimeError("what hangs on it cannot be given back")
    return fill(before=lose)


@bench("ddr/steps", version=1, seconds=0.01)
def steps(cpu):
    """The machine's clock is set back by an hour while it is measured."""
    return fill(before=Path(os.environ["TEST_STEP"]).touch)


def change_gpu(*lines):
    """Other facts for the stand-in for NVML; the first line of a key counts."""
    facts = Path(os.environ["NVML_STUB"])
    new = facts.with_suffix(".new")
    new.write_text("\\n".join(lines) + "\\n" + facts.read_text())
    new.replace(facts)


@bench("hbm/calm", version=1, needs=Needs.GPU, backend="cpu", seconds=0.01)
def calm(cpu):
    """Overwrites memory beside a GPU with which nothing is wrong."""
    return fill()


@bench("hbm/heats", version=1, needs=Needs.GPU, backend="cpu", seconds=0.01)
def heats(cpu):
    """The GPU slows down meanwhile, and somebody else comes."""
    return fill(before=lambda: change_gpu("0.reasons 0x40", f"0.processes {os.getpid()} 1"))


@bench("hbm/vanishes", version=1, needs=Needs.GPU, backend="cpu", seconds=0.01)
def vanishes(cpu):
    """NVML does not answer any more."""
    return fill(before=lambda: change_gpu("gone 15"))


@bench("hbm/slow", version=1, needs=Needs.GPU, backend="cpu", seconds=0.01)
def slow_gpu(cpu):
    """Waits while it is measured."""
    return fill(before=wait)


@bench("link/narrow", version=1, needs=Needs.GPU, backend="cpu", seconds=0.01)
def narrow(cpu):
    """The link loses half of its lanes meanwhile."""
    return fill(before=lambda: change_gpu("0.width 8"))


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
    from membench.benches.disk.direct import read

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

QUICK_CHASE = '''
"""Answers the chase before a plan, which takes seconds, with what was measured once."""

import os
import sys

if "membench.host.memory.staircase" in sys.orig_argv and "TEST_STAIRS" in os.environ:
    os.write(1, os.environ["TEST_STAIRS"].encode())
    os._exit(0)
'''


@dataclass
class Membench:
    """Runs membench like a user: in another process and another directory."""

    directory: Path
    environment: dict[str, str]
    library: Path = Path()
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def __call__(self, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        """Run membench to the end. Standard output and standard error are text."""
        defaults = {
            "cwd": self.directory,
            "env": self._limited if "preexec_fn" in options else self.environment,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "timeout": 120,
        }
        done = subprocess.run(  # type: ignore[call-overload]
            [sys.executable, "-P", "-m", "membench", *arguments],
            text=True,
            check=False,
            **{**defaults, **options},
        )
        if done.stderr:
            done.stderr = alone(done.stderr)
        return done  # type: ignore[no-any-return]

    @property
    def _limited(self) -> dict[str, str]:
        """The environment of a process whose files may not grow, without bytecode files.

        Python before 3.14 could leave an incomplete bytecode file (CPython issue 126606), and later
        imports of this file would fail.
        """
        return {**self.environment, "PYTHONDONTWRITEBYTECODE": "1"}

    def refuses(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run membench in this process, for commands that fail before any process starts.

        The plug-in is not installed in this process.
        """
        from membench.cli import main

        out, err = io.StringIO(), io.StringIO()
        code: object = None
        with (
            contextlib.chdir(self.directory),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                main(list(arguments))
            except SystemExit as left:
                code = left.code
        assert isinstance(code, int)
        return subprocess.CompletedProcess(arguments, code, out.getvalue(), alone(err.getvalue()))

    def start(self, *arguments: str, **options: object) -> subprocess.Popen[str]:
        """Start membench in a new process group, like a shell."""
        process: subprocess.Popen[str] = subprocess.Popen(  # type: ignore[call-overload]
            [sys.executable, "-P", "-m", "membench", *arguments],
            cwd=self.directory,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            **{"env": self.environment, **options},
        )
        self.started.append(process)
        return process

    def with_gpu(self, uuid: str) -> dict[str, str]:
        """The environment of a machine with one GPU with this UUID. NVML is a stub."""
        facts = self.directory.with_name("gpu")
        facts.write_text(text([{**H100, "uuid": uuid}]))
        environment = {
            **self.environment,
            "LD_LIBRARY_PATH": str(self.library.parent),
            "NVML_STUB": str(facts),
        }
        environment.pop("CUDA_VISIBLE_DEVICES", None)
        return environment

    @property
    def flag(self) -> Path:
        """The file that exists while `ddr/slow` is being measured.

        `ddr/slow` ends if the file is removed.
        """
        return Path(self.environment["TEST_FLAG"])

    def wait_for_slow(self) -> int:
        """Wait until `ddr/slow` is being measured, and return the process id of its worker."""
        return int(until(lambda: self.flag.exists() and self.flag.read_text()))


def installed(folder: Path, library: Path = Path(), stairs: str = "") -> Membench:
    """The command line with the plug-in, in the empty directory ``folder``/work.

    Args:
        stairs: JSON of a staircase; with it, no process measures the staircase.
    """
    site = folder / "site"
    info = site / "membench_test_benches-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "membench_test_benches.py").write_text(BENCHES)
    (site / "sitecustomize.py").write_text(QUICK_CHASE)
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: membench-test-benches\nVersion: 1.0\n"
    )
    (info / "entry_points.txt").write_text("[membench.benches]\ntests = membench_test_benches\n")
    for name in ("flags", "work"):
        (folder / name).mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)]),
        "TEST_FLAG": str(folder / "flags" / "slow"),
    }
    environment.pop("COLUMNS", None)
    if stairs:
        environment["TEST_STAIRS"] = stairs
    return Membench(folder / "work", environment, library)


NEIGHBOURS = re.compile(
    r"Warning: another run[^\n]* measures on this machine and [^\n]*\nHint: [^\n]*\n"
)


def alone(errors: str) -> str:
    """``errors`` without the warning about another run, because tests run at the same time."""
    return NEIGHBOURS.sub("", errors)


def until(condition: Callable[[], object], seconds: float = 60.0) -> str:
    """Wait until ``condition`` returns a true value, and return the value as text."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)
    return str(found)


def alive(pid: int) -> bool:
    """Whether the process runs. A zombie does not run."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
