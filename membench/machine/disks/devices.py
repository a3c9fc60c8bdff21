"""Find the disks under a block device, and read the settings of their request queues.

Source: the kernel's ABI/stable/sysfs-block.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from membench.core.record import record
from membench.machine.kernel_text import integer, present, read


@record
class Disk:
    """The facts about a whole disk from sysfs. In a virtual machine, these facts may be wrong.

    Attributes:
        rotational: whether sysfs reports a rotating disk; None if unknown.
        scheduler: the I/O scheduler in use.
        schedulers: the available I/O schedulers.
        write_cache: ``write back`` or ``write through``. With ``write back``, a power failure can
            lose a finished write.
        requests: maximum number of requests in the disk's queue; None if unknown.
    """

    name: str
    model: str = ""
    rotational: bool | None = None
    scheduler: str = ""
    schedulers: tuple[str, ...] = ()
    write_cache: str = ""
    requests: int | None = None


def read_disks(device: str, root: Path = Path("/")) -> tuple[Disk, ...]:
    """The disks under ``device`` (``/dev/<name>``), by name; empty if sysfs lacks ``device``.

    - For a partition: its disk.
    - For a logical volume or an array: the disks of all members.
    - For a device of a btrfs filesystem: the disks of all devices of the filesystem.
    """
    found: set[str] = set()
    seen: set[str] = set()
    ahead = _spanned(device.removeprefix("/dev/"), root)
    while ahead:
        name = ahead.pop()
        folder = root / "sys/class/block" / name
        if not name or name in seen or not present(folder):
            continue
        seen.add(name)
        if present(folder / "partition"):
            ahead.append(Path(os.path.realpath(folder)).parent.name)
        elif below := _names(folder / "slaves"):
            ahead += below
        else:
            found.add(name)
    return tuple(_disk(name, root) for name in sorted(found))


def _spanned(name: str, root: Path) -> list[str]:
    """The devices of the btrfs filesystem on the device ``name``; without btrfs, only ``name``."""
    for devices in sorted(root.glob("sys/fs/btrfs/*/devices")):
        if name in (names := _names(devices)):
            return names
    return [name]


def _disk(name: str, root: Path) -> Disk:
    folder = root / "sys/class/block" / name
    queue = folder / "queue"
    schedulers = read(queue / "scheduler")
    chosen = re.search(r"\[([\w-]+)\]", schedulers)
    rotational = read(queue / "rotational")
    return Disk(
        name=name,
        model=" ".join((read(folder / "device/model") or read(folder / "device/name")).split()),
        rotational=rotational == "1" if rotational in ("0", "1") else None,
        # If a disk has no choice of schedulers, the file has the word "none" without brackets.
        scheduler=chosen[1] if chosen else schedulers if schedulers == "none" else "",
        schedulers=tuple(re.sub(r"[\[\]]", "", schedulers).split()),
        write_cache=read(queue / "write_cache"),
        requests=integer(read(queue / "nr_requests")),
    )


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except OSError:
        return []
