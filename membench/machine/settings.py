"""Kernel settings and limits that affect a measurement; membench never changes a setting."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass
from pathlib import Path

from membench.machine.kernel_text import integer, read


@dataclass(frozen=True)
class Settings:
    """Kernel settings. A field is None or empty if the kernel does not report the setting.

    Attributes:
        boost: whether processors may exceed their base clock.
        numa_balancing: whether the kernel migrates pages between nodes automatically.
        clock: the clock source in use.
        clocks: the available clock sources.
        locked: bytes of memory that this process may lock; None if there is no limit.
        pinning: whether this process may pin its threads to CPUs.
        aio_used, aio_limit: number and maximum number of native asynchronous I/O requests of all
            processes together.
    """

    boost: bool | None = None
    numa_balancing: bool | None = None
    clock: str = ""
    clocks: tuple[str, ...] = ()
    locked: int | None = None
    aio_used: int | None = None
    aio_limit: int | None = None
    pinning: bool | None = None


def read_settings(root: Path = Path("/")) -> Settings:
    """Read the settings under ``root``, and the limits of this process.

    Sources: the kernel's admin-guide/pm/intel_pstate, admin-guide/pm/cpufreq, admin-guide/sysctl;
    getrlimit(2).
    """
    clock = root / "sys/devices/system/clocksource/clocksource0"
    balancing = integer(read(root / "proc/sys/kernel/numa_balancing"))
    locked, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    return Settings(
        boost=_boost(root / "sys/devices/system/cpu"),
        numa_balancing=None if balancing is None else balancing != 0,
        clock=read(clock / "current_clocksource"),
        clocks=tuple(read(clock / "available_clocksource").split()),
        locked=None if locked == resource.RLIM_INFINITY else locked,
        aio_used=integer(read(root / "proc/sys/fs/aio-nr")),
        aio_limit=integer(read(root / "proc/sys/fs/aio-max-nr")),
        pinning=_may_pin(),
    )


def _may_pin() -> bool:
    """Whether this thread may set its CPU affinity; seccomp or a security module may refuse."""
    try:
        os.sched_setaffinity(0, os.sched_getaffinity(0))
    except OSError:
        return False
    return True


def _boost(cpu: Path) -> bool | None:
    """Whether boost is on; None if unknown. Intel's driver reports the inverse, ``no_turbo``."""
    if (off := read(cpu / "intel_pstate/no_turbo")) in ("0", "1"):
        return off == "0"
    on = read(cpu / "cpufreq/boost")
    return on == "1" if on in ("0", "1") else None
