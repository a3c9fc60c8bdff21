"""Read the topology and caches of the processors, and the CPUs that this process may use."""

from __future__ import annotations

import math
import os
from collections.abc import Collection
from pathlib import Path

from membench.core.snapshot import Cache, Cpu
from membench.machine.cgroup import Limits
from membench.machine.cpus.cores import read_cores
from membench.machine.cpus.names import cpu_name
from membench.machine.hypervisor import read_hypervisor
from membench.machine.kernel_text import cpu_list, cpu_set, integer, numbered, read

_SUFFIX = {"K": 1024, "M": 1024**2, "G": 1024**3}


def read_cpu(
    root: Path = Path("/"),
    limits: Limits | None = None,
    affinity: Collection[int] | None = None,
    architecture: str = "",
) -> Cpu:
    """The processors of the machine under ``root``.

    Args:
        root: directory that contains proc and sys.
        limits: limits of the control groups; None for no limits.
        affinity: CPUs that this process may run on; None to ask the kernel.
        architecture: machine name from `os.uname`; empty to ask the kernel.
    """
    limits = limits or Limits()
    architecture = architecture or os.uname().machine
    mine = tuple(sorted(os.sched_getaffinity(0) if affinity is None else affinity))
    online = online_cpus(root)
    if not set(mine) <= set(online):
        # lxcfs renumbers the CPUs of a container in this file. The kernel's affinity has the right
        # numbers.
        online = mine
    quota = limits.quota
    cap = len(mine) if quota is None else max(1, math.ceil(quota))
    info = read(root / "proc/cpuinfo")
    return Cpu(
        model=cpu_name(info, architecture, root),
        architecture=architecture,
        cores=read_cores(root, online),
        affinity=mine,
        quota=quota,
        usable=max(1, min(len(mine), cap)),
        caches=_caches(root, online),
        governor=_governor(root),
        hypervisor=read_hypervisor(info, root),
    )


def online_cpus(root: Path) -> tuple[int, ...]:
    """Numbers of the CPUs that are online; empty if sysfs is missing."""
    folder = root / "sys/devices/system/cpu"
    return cpu_list(read(folder / "online")) or tuple(
        number for number, one in numbered(folder, "cpu") if read(one / "online") != "0"
    )


def _caches(root: Path, online: tuple[int, ...]) -> tuple[Cache, ...]:
    """All physical caches, each only once; sysfs lists a shared cache once per CPU."""
    found: dict[tuple[int, str, tuple[int, ...]], Cache] = {}
    # This set saves thousands of reads on a large machine. The index alone does not identify a
    # cache: a small core without an L2 has its L3 at the index of a large core's L2.
    seen: set[tuple[str, str, int]] = set()
    for cpu in online:
        for _, folder in numbered(root / f"sys/devices/system/cpu/cpu{cpu}/cache", "index"):
            number, kind = read(folder / "level"), read(folder / "type").lower() or "unified"
            if (number, kind, cpu) in seen:
                continue
            level, size = integer(number), _size(read(folder / "size"))
            if level is None or not size:
                continue
            cpus = cpu_set(folder, "shared_cpu_list", "shared_cpu_map") or (cpu,)
            line = integer(read(folder / "coherency_line_size")) or 0
            found.setdefault((level, kind, cpus), Cache(level, kind, size, line, cpus))
            seen.update((number, kind, other) for other in cpus)
    return tuple(found[key] for key in sorted(found))


def _size(text: str) -> int:
    """Bytes of a size such as ``1024K``; 0 if ``text`` is not a size."""
    scale = _SUFFIX.get(text[-1:], 1)
    number = integer(text.rstrip("KMG"))
    return max(0, number or 0) * scale


def _governor(root: Path) -> str:
    """The clock governors in use, joined by commas; empty if the kernel reports none."""
    policies = numbered(root / "sys/devices/system/cpu/cpufreq", "policy")
    names = {read(folder / "scaling_governor") for _, folder in policies} - {""}
    return ",".join(sorted(names))
