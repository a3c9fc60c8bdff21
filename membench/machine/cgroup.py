"""Read how much CPU time and memory the control groups (versions 1 and 2) allow this process.

Sources: admin-guide/cgroup-v2, admin-guide/cgroup-v1 and scheduler/sched-bwc in the kernel's
documentation. The limit of a group applies to all groups below it. So the module reads every group
from the process's group up to the mount point.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from membench.core.record import record
from membench.machine.disks.mounts import Mount, read_mounts
from membench.machine.kernel_text import integer, read

# Without a limit, version 1 reports the largest multiple of the page size below 2**63.
_UNLIMITED = 1 << 62


@record
class Limits:
    """The limits of the control groups. A field is None if no group has this limit.

    Attributes:
        quota: maximum number of CPUs that the processes may use on average, such as 1.5.
        memory: memory limit in bytes. If several groups have a limit, it is the limit that leaves
            the least free memory.
        memory_used: bytes in use under the limit ``memory``, without the page cache that the kernel
            would reclaim first (``inactive_file``); also None if unknown.
    """

    quota: float | None = None
    memory: int | None = None
    memory_used: int | None = None


@record
class _Hierarchy:
    """The control groups of one controller.

    Attributes:
        version: version of the control groups, 1 or 2.
        groups: the directories from the process's group up to the mount point.
    """

    version: int
    groups: tuple[Path, ...]


def read_limits(root: Path = Path("/")) -> Limits:
    cpu, memory = _hierarchy(root, "cpu"), _hierarchy(root, "memory")
    quotas = [quota for group in cpu.groups if (quota := _quota(group, cpu.version)) is not None]
    memories = [
        (limit, _memory_used(group, memory.version))
        for group in memory.groups
        if (limit := _memory_limit(group, memory.version)) is not None
    ]
    limit, used = min(memories, key=lambda pair: pair[0] - (pair[1] or 0), default=(None, None))
    return Limits(min(quotas, default=None), limit, used)


def cpu_groups(root: Path = Path("/")) -> tuple[Path, ...]:
    """The directories of this process's control groups that may limit its CPU time."""
    return _hierarchy(root, "cpu").groups


def throttled_count(groups: Iterable[Path]) -> int:
    """Number of times that a CPU quota made the kernel throttle one of ``groups``.

    ``groups`` is the result of `cpu_groups`. The number is the sum of the groups' counters.
    """
    total = 0
    for group in groups:
        for line in read(group / "cpu.stat").splitlines():
            key, _, value = line.partition(" ")
            if key == "nr_throttled":
                total += integer(value) or 0
    return total


def _hierarchy(root: Path, controller: str) -> _Hierarchy:
    """The groups of ``controller``.

    Version 1 or version 2 manages the controller. If that version is not mounted, the result has no
    groups.
    """
    own: dict[str, str] = {}
    for line in read(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        own.update(dict.fromkeys(controllers.split(","), path))
    version, path = (1, own[controller]) if controller in own else (2, own.get("", ""))
    for mount in read_mounts(root):
        if version == 1:
            fits = mount.kind == "cgroup" and controller in mount.super_options.split(",")
        else:
            fits = mount.kind == "cgroup2"
        if fits and path:
            return _Hierarchy(version, tuple(_groups(root, mount, path)))
    return _Hierarchy(version, ())


def _groups(root: Path, mount: Mount, path: str) -> Iterator[Path]:
    """The directories from the process's group up to the mount point; a directory may be missing.

    In a container, the mount may show only a subtree, and a namespace may rename the subtree. If
    ``path`` is not below the mount, the result is only the mount point.
    """
    top = root / mount.point.lstrip("/")
    try:
        inside = PurePosixPath(path).relative_to(mount.root)
    except ValueError:
        inside = PurePosixPath()
    if ".." in inside.parts:
        inside = PurePosixPath()
    for level in [inside, *inside.parents]:
        yield top / level


def _quota(group: Path, version: int) -> float | None:
    if version == 1:
        text = f"{read(group / 'cpu.cfs_quota_us')} {read(group / 'cpu.cfs_period_us')}"
    else:
        text = read(group / "cpu.max")
    first, _, second = text.partition(" ")
    time, period = integer(first), integer(second)
    if time is None or not period or time <= 0 or period < 0:
        return None
    return time / period


def _memory_limit(group: Path, version: int) -> int | None:
    limit = integer(read(group / ("memory.limit_in_bytes" if version == 1 else "memory.max")))
    return None if limit is None or not 0 <= limit < _UNLIMITED else limit


def _memory_used(group: Path, version: int) -> int | None:
    used = integer(read(group / ("memory.usage_in_bytes" if version == 1 else "memory.current")))
    if used is None:
        return None
    reclaimable = "total_inactive_file" if version == 1 else "inactive_file"
    for line in read(group / "memory.stat").splitlines():
        key, _, value = line.partition(" ")
        if key == reclaimable:
            return max(0, used - (integer(value) or 0))
    return used
