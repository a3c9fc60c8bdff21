"""Read the mount table /proc/self/mountinfo, and find the mount of a path.

Format: proc_pid_mountinfo(5).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from membench.core.record import record
from membench.machine.kernel_text import integer, read


@record
class Mount:
    """One mount from /proc/self/mountinfo.

    Attributes:
        number: ``major:minor``, the filesystem's device number.
        root: the path, inside the filesystem, of the directory that is mounted at ``point``.
        options: options of this mount.
        super_options: options of the filesystem.
    """

    id: int
    parent: int
    number: str
    root: str
    point: str
    options: str
    kind: str
    source: str
    super_options: str


def unescape(text: str) -> str:
    r"""Decode a mountinfo field: ``a\040b`` -> ``a b``."""
    # The kernel escapes single bytes, which may be parts of a UTF-8 character.
    raw = text.encode("utf-8", "surrogateescape")
    plain = re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8) & 0xFF]), raw)
    return plain.decode("utf-8", "surrogateescape")


def parse(text: str) -> tuple[Mount, ...]:
    """The mounts in the text of a mountinfo file; malformed lines are left out."""
    mounts = []
    # not splitlines(), because a name may contain other line separators
    for line in text.split("\n"):
        left, _, right = line.partition(" - ")
        own, file_system = left.split(" "), right.split(" ")
        if len(own) < 6 or len(file_system) < 3:
            continue
        number, parent = integer(own[0]), integer(own[1])
        if number is None or parent is None:
            continue
        mounts.append(
            Mount(
                id=number,
                parent=parent,
                number=own[2],
                root=unescape(own[3]),
                point=unescape(own[4]),
                options=own[5],
                kind=unescape(file_system[0]),
                source=unescape(file_system[1]),
                super_options=file_system[2],
            )
        )
    return tuple(mounts)


def read_mounts(root: Path) -> tuple[Mount, ...]:
    return parse(read(root / "proc/self/mountinfo", errors="surrogateescape"))


def mount_of(path: PurePosixPath, mounts: Sequence[Mount]) -> Mount | None:
    """The mount of an absolute ``path`` without symbolic links; None if no mount contains it."""
    # Descending from the root, as the kernel does, never ends in a mount that a later mount hides.
    here: Mount | None = None
    passed: set[int] = set()
    for prefix in [*reversed(path.parents), path]:
        while above := [
            mount
            for mount in mounts
            if mount.point == str(prefix)
            and mount.id not in passed
            and (here is None or mount.parent == here.id)
        ]:
            here = above[-1] if here is not None else _lowest(above)
            passed.add(here.id)
    return here


def _lowest(candidates: Sequence[Mount]) -> Mount:
    """Among several mounts at one mount point, find the mount under all others."""
    ids = {mount.id for mount in candidates}
    return next((mount for mount in candidates if mount.parent not in ids), candidates[-1])
