"""CPU time between two moments: used by this program, by others, or kept by the hypervisor.

Source: proc_stat(5), proc_pid_stat(5).  The counters advance in ticks, commonly of 10 ms.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from membench.machine.kernel_text import integer, read

_USER, _NICE, _SYSTEM, _STEAL = 0, 1, 2, 7  # columns of the line "cpu"
_STATES = 8  # the later columns, for guests, are already included in "user"
_USER_TIME, _SYSTEM_TIME = 11, 12  # fields of /proc/pid/stat after the name

BUSY_SHARE = 0.1
"""Bandwidth suffers if others use more than this share of the machine's CPUs."""

LEAST_BUSY = 0.5
"""A machine counts as quiet if others use less than this number of CPUs, even if it has few."""

MOST_STEAL = 0.05
"""Bandwidth suffers if the hypervisor keeps more than this share of the CPU time."""

LEAST_TICKS = 40
"""Minimum window: one stolen tick of 40 may be chance, two are not."""


def busy_bound(cpus: int) -> float:
    """With ``cpus`` CPUs, a machine counts as disturbed if others use this many or more."""
    return max(LEAST_BUSY, BUSY_SHARE * cpus)


@dataclass(frozen=True)
class CpuTicks:
    """Counters of the whole machine, in ticks.

    Attributes:
        total: all CPUs and states.
        steal: time that the hypervisor kept.
        processes: time of all processes, without interrupts.
        own: time of the requested processes.
    """

    total: int = 0
    steal: int = 0
    processes: int = 0
    own: int = 0

    def since(self, before: CpuTicks) -> CpuTicks:
        """The increase since ``before``; 0 for a counter that decreased."""
        return CpuTicks(
            max(0, self.total - before.total),
            max(0, self.steal - before.steal),
            max(0, self.processes - before.processes),
            max(0, self.own - before.own),
        )

    def plus(self, other: CpuTicks) -> CpuTicks:
        """The sum of both, counter by counter."""
        return CpuTicks(
            self.total + other.total,
            self.steal + other.steal,
            self.processes + other.processes,
            self.own + other.own,
        )

    @property
    def steal_share(self) -> float | None:
        """Stolen share of the CPU time; None if the kernel counted no CPU time."""
        return self.steal / self.total if self.total else None

    def others(self, cpus: int) -> float | None:
        """CPUs that others used on a machine with ``cpus`` CPUs; None if no time was counted."""
        if not self.total:
            return None
        return max(0, self.processes - self.own) / self.total * cpus


def cpu_ticks(processes: Iterable[int], root: Path = Path("/")) -> CpuTicks:
    """Read the counters; ``own`` covers the processes with the ids ``processes``.

    All threads of a process count; a process that has ended does not.
    """
    first, *columns = read(root / "proc/stat").partition("\n")[0].split() or [""]
    ticks = [integer(column) or 0 for column in columns[:_STATES]]
    if first != "cpu" or len(ticks) < _STATES:
        return CpuTicks()
    return CpuTicks(
        total=sum(ticks),
        steal=ticks[_STEAL],
        processes=ticks[_USER] + ticks[_NICE] + ticks[_SYSTEM],
        own=sum(_of_process(root / "proc" / str(pid) / "stat") for pid in processes),
    )


def _of_process(path: Path) -> int:
    rest = read(path).rpartition(")")[2].split()  # the name may contain brackets and blanks
    if len(rest) <= _SYSTEM_TIME:
        return 0
    return (integer(rest[_USER_TIME]) or 0) + (integer(rest[_SYSTEM_TIME]) or 0)
