"""Read the CPU time that this program and all programs used, and that the hypervisor took.

Source: proc_stat(5), proc_pid_stat(5). The counters advance in ticks of usually 10 ms.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from membench.machine.kernel_text import integer, read

_USER, _NICE, _SYSTEM, _STEAL = 0, 1, 2, 7  # columns of the line "cpu" in /proc/stat
# Number of columns to add. The later columns are the time of guests, which "user" includes.
_STATES = 8
_USER_TIME, _SYSTEM_TIME = 11, 12  # fields of /proc/pid/stat after the name

BUSY_SHARE = 0.1
"""Largest share of the machine's CPUs that other programs may use without effect on bandwidth."""

LEAST_BUSY = 0.5
"""Number of CPUs that other programs may use on any machine, even a small one."""

MOST_STEAL = 0.05
"""Largest share of the CPU time that the hypervisor may take without effect on bandwidth."""

LEAST_TICKS = 40
"""Minimum number of ticks between two readings; with fewer, a single tick distorts the shares."""


def busy_bound(cpus: int) -> float:
    """Number of CPUs that other programs must use to disturb a machine of ``cpus`` CPUs."""
    return max(LEAST_BUSY, BUSY_SHARE * cpus)


@dataclass(frozen=True)
class CpuTicks:
    """CPU-time counters, in ticks.

    Attributes:
        total: time of all CPUs in all states.
        steal: time that the hypervisor took.
        processes: time of all processes, without interrupts.
        own: time of the processes whose ids were given to `cpu_ticks`.
    """

    total: int = 0
    steal: int = 0
    processes: int = 0
    own: int = 0

    def since(self, before: CpuTicks) -> CpuTicks:
        """The increase of each counter since ``before``; 0 for a counter that decreased."""
        return CpuTicks(
            max(0, self.total - before.total),
            max(0, self.steal - before.steal),
            max(0, self.processes - before.processes),
            max(0, self.own - before.own),
        )

    def plus(self, other: CpuTicks) -> CpuTicks:
        return CpuTicks(
            self.total + other.total,
            self.steal + other.steal,
            self.processes + other.processes,
            self.own + other.own,
        )

    @property
    def steal_share(self) -> float | None:
        """Share (0 to 1) of the CPU time that the hypervisor took; None if no time was counted."""
        return self.steal / self.total if self.total else None

    def others(self, cpus: int) -> float | None:
        """Average number of CPUs that other programs used, on a machine of ``cpus`` CPUs.

        None if the kernel counted no time.
        """
        if not self.total:
            return None
        return max(0, self.processes - self.own) / self.total * cpus


def cpu_ticks(processes: Iterable[int], root: Path = Path("/")) -> CpuTicks:
    """Read the counters. The field ``own`` covers the processes whose ids are ``processes``.

    A process that has ended is left out. All counters are 0 if /proc/stat cannot be read.
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
    rest = read(path).rpartition(")")[2].split()  # the process name may have brackets and spaces
    if len(rest) <= _SYSTEM_TIME:
        return 0
    return (integer(rest[_USER_TIME]) or 0) + (integer(rest[_SYSTEM_TIME]) or 0)
