"""Find the filesystem of a path, and whether O_DIRECT reaches a device on this filesystem.

The kind of the filesystem, the mount options or the device may show that O_DIRECT reaches no
device; tmpfs, for example, accepts O_DIRECT. Otherwise, a test with the scratch file shows whether
direct I/O works.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from membench.core.snapshot import Filesystem
from membench.machine.disks.devices import read_disks
from membench.machine.disks.mounts import Mount, mount_of, read_mounts
from membench.machine.kernel_text import present, read

_MEMORY = frozenset(["devtmpfs", "hugetlbfs", "ramfs", "tmpfs"])
_LAYERED = frozenset(["aufs", "ecryptfs", "overlay", "unionfs"])
_NETWORK = frozenset(
    [
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "glusterfs",
        "gpfs",
        "lustre",
        "nfs",
        "nfs4",
        "orangefs",
        "smb3",
        "smbfs",
        "wekafs",
    ]
)
_HOST = frozenset(["9p", "drvfs", "prl_fs", "vboxsf", "virtiofs", "vmhgfs"])
_READ_ONLY = frozenset(["cramfs", "erofs", "iso9660", "romfs", "squashfs", "udf"])

_REASONS = (
    (_MEMORY, "keeps its files in memory"),
    (_LAYERED, "is a layer on another filesystem"),
    (_NETWORK, "is a network filesystem, whose disk belongs to another machine"),
    (_HOST, "is shared by the host, whose page cache cannot be bypassed"),
    (_READ_ONLY, "cannot be written"),
    (frozenset({"zfs"}), "may serve O_DIRECT reads from its own cache"),
)
"""Pairs of filesystem kinds and the reason why O_DIRECT reaches no device on these kinds."""

_PRIVATE = frozenset(
    [
        *("addr", "clientaddr", "domain", "mountaddr", "password", "unc", "user", "username"),
        *("uid", "gid", "user_id", "group_id"),
    ]
)
"""Mount options that identify users or servers, and do not affect speed."""


def read_filesystem(path: Path, root: Path = Path("/")) -> Filesystem:
    """The filesystem of ``path``, or of the nearest existing parent if ``path`` is missing."""
    top = Path(os.path.realpath(root))
    try:
        real = top / str(path.absolute()).lstrip("/")
    except OSError:
        reason = "the working directory has been deleted"
        return Filesystem(str(path), "", "", "", "", 0, reason)
    while not present(real) and real != top:
        real = real.parent
    real = Path(os.path.realpath(real))
    inside = PurePosixPath("/") / (real.relative_to(top) if real.is_relative_to(top) else real)
    mount = mount_of(inside, read_mounts(root))
    if mount is None:
        reason = "the mount table does not name the filesystem of the path"
        return Filesystem(str(path), "", "", "", "", _free(real), reason)
    return Filesystem(
        path=str(path),
        mount=mount.point,
        kind=mount.kind,
        options=_options(mount),
        device=_device(mount, root),
        free=_free(real),
        direct_io=_direct_io(mount, root),
    )


def _free(path: Path) -> int:
    """Free bytes for an ordinary user; 0 if unknown."""
    try:
        status = os.statvfs(path)
    except OSError:
        return 0
    return status.f_bavail * status.f_frsize


def _options(mount: Mount) -> str:
    """Options of the mount, then options of the filesystem, joined by commas.

    Paths, addresses and users are left out.
    """
    kept: dict[str, None] = {}
    for option in [*mount.options.split(","), *mount.super_options.split(",")]:
        key, _, value = option.partition("=")
        if option and key not in _PRIVATE and "/" not in value:
            kept[option] = None
    return ",".join(kept)


def _device(mount: Mount, root: Path) -> str:
    """The kernel's name of the block device; empty if there is no block device."""
    # The name in the mount table may identify the host or a server: a volume group often has the
    # name of the host. So the device number comes first. sysfs lists no number of a btrfs device.
    try:
        return f"/dev/{(root / 'sys/dev/block' / mount.number).readlink().name}"
    except OSError:
        pass
    if not mount.source.startswith("/dev/"):
        return ""
    linked = Path(os.path.realpath(root / mount.source.lstrip("/"))).name
    for name in (linked, _mapped(PurePosixPath(mount.source).name, root)):
        if name and present(root / "sys/class/block" / name):
            return f"/dev/{name}"
    plain = PurePosixPath(mount.source).parent == PurePosixPath("/dev")
    return mount.source if plain else ""


def _mapped(volume: str, root: Path) -> str:
    """The kernel's name, such as dm-0, of the device mapper's ``volume``; empty if unknown.

    The source is sysfs, because a container may show neither the link nor the node in /dev/mapper.
    """
    try:
        names = sorted(root.glob("sys/class/block/dm-*/dm/name"))
    except OSError:
        return ""
    return next((path.parent.parent.name for path in names if read(path) == volume), "")


def _direct_io(mount: Mount, root: Path) -> str:
    """The reason why O_DIRECT on ``mount`` reaches no device; empty if it may reach a device."""
    kind = mount.kind
    for kinds, reason in _REASONS:
        if kind in kinds:
            return f"{kind} {reason}"
    if kind.startswith("fuse"):
        return f"{kind} passes reads to a user-space process that may cache the data"
    device = _device(mount, root)
    if not (device or mount.source.startswith("/dev/")):
        return f"{kind or 'this filesystem'} is on no known block device"
    return _cached_by_option(mount) or _cached_by_device(device, root)


def _cached_by_option(mount: Mount) -> str:
    options = {*mount.options.split(","), *mount.super_options.split(",")}
    if mount.kind in ("ext3", "ext4") and "data=journal" in options:
        return f"{mount.kind} with data=journal turns O_DIRECT into cached access"
    return ""


def _cached_by_device(device: str, root: Path) -> str:
    """The reason why O_DIRECT on ``device`` reaches no disk; empty if it may reach a disk."""
    below = [disk.name for disk in read_disks(device, root)] or [device.removeprefix("/dev/")]
    return next(filter(None, (_no_disk(name, root) for name in below)), "")


def _no_disk(name: str, root: Path) -> str:
    if name.startswith(("ram", "zram")):
        return f"/dev/{name} is a RAM disk"
    if not name.startswith("loop"):
        return ""
    loop = root / f"sys/block/{name}/loop"
    if read(loop / "dio") != "1":
        return f"the loop device /dev/{name} reads its file through the page cache"
    # A loop device accepts direct reads of the backing file, even if the file is on tmpfs.
    file = read(loop / "backing_file", errors="surrogateescape")
    found = root / file.lstrip("/")
    reason = read_filesystem(Path(file), root).direct_io if file and present(found) else ""
    return f"the file behind /dev/{name} cannot be read directly: {reason}" if reason else ""
