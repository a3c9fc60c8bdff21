"""Measure the load by other processes, and read how much swap is in use.

Source: proc_stat(5), proc_pid_stat(5). The counters advance in ticks of usually 10 ms, so the
resolution in a window of 200 ms is a twentieth of a CPU.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from membench.machine.cpus.topology import online_cpus
from membench.machine.kernel_text import fields, integer, numbered, read

WINDOW = 0.2
"""Seconds between the two readings of the counters."""

LEAST_CPUS = 0.1
"""Minimum share of a CPU that a process must use to be reported."""

_IDLE, _IOWAIT, _STEAL = 3, 4, 7  # columns of the line "cpu" in /proc/stat
# Number of columns to add. The later columns are the time of guests, which "user" includes.
_STATES = 8
_USER_TIME, _SYSTEM_TIME, _START = 11, 12, 19  # fields of /proc/pid/stat after the name


@dataclass(frozen=True)
class Busy:
    """A process that uses CPU time.

    Attributes:
        command: name of the process, which may contain any characters.
        cpus: average number of CPUs that the process uses.
    """

    command: str
    cpus: float


@dataclass(frozen=True)
class Noise:
    """The load of the machine during `WINDOW` seconds, and its use of swap. None means unknown.

    Attributes:
        steal: share of the machine's CPU time that the hypervisor gave to other machines.
        busy_cpus: average number of busy CPUs, including this process.
        busy: the visible busy processes except this process, the busiest process first.
        swap_total, swap_used: bytes of swap space.
    """

    steal: float | None = None
    busy_cpus: float | None = None
    busy: tuple[Busy, ...] = ()
    swap_total: int | None = None
    swap_used: int | None = None


@dataclass(frozen=True)
class _Look:
    """The CPU-time counters at one moment.

    Attributes:
        cpu: ticks of all CPUs by state; empty if unknown.
        processes: (process id, start time) -> (name, ticks of CPU time).
    """

    seconds: float
    cpu: tuple[int, ...]
    processes: dict[tuple[int, int], tuple[str, int]]


def watch(
    root: Path = Path("/"),
    wait: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Noise:
    """Measure the activity of other programs during `WINDOW` seconds.

    ``wait`` and ``clock`` replace `time.sleep` and `time.monotonic`.
    """
    first = _look(root, clock)
    wait(WINDOW)
    second = _look(root, clock)
    # A counter of idle time may decrease a little, or one of the two readings may have failed.
    both = zip(first.cpu, second.cpu, strict=False)
    states = tuple(max(0, after - before) for before, after in both)
    steal = busy_cpus = None
    if total := sum(states):
        steal = states[_STEAL] / total
        at_work = total - states[_IDLE] - states[_IOWAIT] - states[_STEAL]
        busy_cpus = at_work / total * (len(online_cpus(root)) or 1)
    info = fields(read(root / "proc/meminfo"))
    swap_total, swap_free = _kilobytes(info, "SwapTotal"), _kilobytes(info, "SwapFree")
    used = None if swap_total is None or swap_free is None else max(0, swap_total - swap_free)
    return Noise(steal, busy_cpus, _busy(first, second), swap_total, used)


def _look(root: Path, clock: Callable[[], float]) -> _Look:
    processes = {}
    for pid, folder in numbered(root / "proc", ""):
        text = read(folder / "stat")  # empty if the process has ended since the listing
        name, closed, rest = text.partition("(")[2].rpartition(")")  # a name may contain brackets
        numbers = [integer(field) or 0 for field in rest.split()]
        if closed and len(numbers) > _START and pid != os.getpid():
            ticks = numbers[_USER_TIME] + numbers[_SYSTEM_TIME]
            processes[pid, numbers[_START]] = (name, ticks)
    first, *columns = read(root / "proc/stat").partition("\n")[0].split() or [""]
    cpu = tuple(integer(column) or 0 for column in columns[:_STATES])
    known = first == "cpu" and len(cpu) == _STATES
    return _Look(clock(), cpu if known else (), processes)


def _busy(first: _Look, second: _Look) -> tuple[Busy, ...]:
    ticks = (second.seconds - first.seconds) * os.sysconf("SC_CLK_TCK")
    if ticks <= 0:
        return ()
    found = [
        Busy(name, (after - before) / ticks)
        for key, (name, after) in second.processes.items()
        for _, before in [first.processes.get(key, (name, 0))]
    ]
    return tuple(
        sorted(
            (busy for busy in found if busy.cpus >= LEAST_CPUS),
            key=lambda busy: (-busy.cpus, busy.command),
        )
    )


def _kilobytes(info: dict[str, str], key: str) -> int | None:
    number = integer(info.get(key, "").removesuffix(" kB"))
    return None if number is None else number * 1024
