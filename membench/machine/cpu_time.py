"""Who had the CPUs between two moments: this program, others, or the hypervisor.

Source: proc_stat(5), proc_pid_stat(5).  The counters advance in ticks, commonly of 10 ms.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from membench.machine.kernel_text import integer, read

_USER, _NICE, _SYSTEM, _STEAL = 0, 1, 2, 7  # columns of the line "cpu"
_STATES = 8  # the columns behind them, of guests, are counted in "user" already
_USER_TIME, _SYSTEM_TIME = 11, 12  # fields of /proc/pid/stat behind the name

BUSY_SHARE = 0.1
"""Share of the machine's CPUs used by others above which bandwidth suffers."""

LEAST_BUSY = 0.5
"""CPUs used by others below which a small machine still counts as quiet."""

MOST_STEAL = 0.05
"""Share of the CPU time that the hypervisor kept above which bandwidth suffers."""

LEAST_TICKS = 40
"""Shorter windows decide nothing: of 40 ticks one stolen may be chance, two are not."""


def busy_bound(cpus: int) -> float:
    """CPUs at work for others from which on a machine of ``cpus`` counts as disturbed."""
    return max(LEAST_BUSY, BUSY_SHARE * cpus)


@dataclass(frozen=True)
class CpuTicks:
    """Counters of the whole machine, in ticks.

    Attributes:
        total: of all CPUs and states.
        steal: what the hypervisor kept for itself.
        processes: of all processes, time in interrupts not counted.
        own: of the processes that were asked for.
    """

    total: int = 0
    steal: int = 0
    processes: int = 0
    own: int = 0

    def since(self, before: CpuTicks) -> CpuTicks:
        """What came since ``before``; nothing where a counter stepped back."""
        return CpuTicks(
            max(0, self.total - before.total),
            max(0, self.steal - before.steal),
            max(0, self.processes - before.processes),
            max(0, self.own - before.own),
        )

    def plus(self, other: CpuTicks) -> CpuTicks:
        """Both together."""
        return CpuTicks(
            self.total + other.total,
            self.steal + other.steal,
            self.processes + other.processes,
            self.own + other.own,
        )

    @property
    def steal_share(self) -> float | None:
        """Of the CPU time; None where the kernel counted none."""
        return self.steal / self.total if self.total else None

    def others(self, cpus: int) -> float | None:
        """CPUs of a machine of ``cpus`` that other processes had; None where none were counted."""
        if not self.total:
            return None
        return max(0, self.processes - self.own) / self.total * cpus


def cpu_ticks(processes: Iterable[int], root: Path = Path("/")) -> CpuTicks:
    """The counters now; ``own`` is of ``processes``, by their ids, all threads of each.

    A process that has ended counts nothing.
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
    rest = read(path).rpartition(")")[2].split()  # the name may hold brackets and blanks
    if len(rest) <= _SYSTEM_TIME:
        return 0
    return (integer(rest[_USER_TIME]) or 0) + (integer(rest[_SYSTEM_TIME]) or 0)
