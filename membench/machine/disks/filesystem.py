"""The filesystem of a path, and what is known of O_DIRECT there before a file is opened.

Some kinds of filesystem accept O_DIRECT although no device is involved: tmpfs serves it from
memory. On all others the scratch file itself shows whether direct I/O works.
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
    (_LAYERED, "is a layer over another filesystem: use a volume or a bind mount"),
    (_NETWORK, "is a network filesystem: the disk is another machine's"),
    (_HOST, "is a share of the host: its page cache cannot be passed by"),
    (_READ_ONLY, "cannot be written"),
    (frozenset({"zfs"}), "may serve O_DIRECT reads from its own cache"),
)
"""Why O_DIRECT does not reach a device on these kinds of filesystem."""

_PRIVATE = frozenset(
    ["addr", "clientaddr", "domain", "mountaddr", "password", "unc", "user", "username"]
)
"""Mount options that identify users and places and do not affect speed."""


def read_filesystem(path: Path, root: Path = Path("/")) -> Filesystem:
    """The filesystem of ``path``, or of its nearest existing parent."""
    top = Path(os.path.realpath(root))
    real = top / str(path.absolute()).lstrip("/")
    while not present(real) and real != top:
        real = real.parent
    real = Path(os.path.realpath(real))
    inside = PurePosixPath("/") / (real.relative_to(top) if real.is_relative_to(top) else real)
    mount = mount_of(inside, read_mounts(root))
    if mount is None:
        reason = "the mount table does not say what the path lives on"
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
    """Bytes that an ordinary user may still write, 0 if unknown."""
    try:
        status = os.statvfs(path)
    except OSError:
        return 0
    return status.f_bavail * status.f_frsize


def _options(mount: Mount) -> str:
    """Options of the mount, then those of the filesystem, without paths, addresses or users."""
    kept: dict[str, None] = {}
    for option in [*mount.options.split(","), *mount.super_options.split(",")]:
        key, _, value = option.partition("=")
        if option and key not in _PRIVATE and "/" not in value:
            kept[option] = None
    return ",".join(kept)


def _device(mount: Mount, root: Path) -> str:
    """The kernel's name of the block device, empty if there is none.

    The name given at mount time is not used: a volume group is often named after the host, and a
    network share names a server. Only for btrfs, whose files have a device number of their own, is
    the name resolved; it may be a link or a device mapper's.
    """
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
    """The kernel's name of the device mapper's ``volume``, such as dm-0; empty if unknown.

    Read from sysfs, because a container may show neither the link nor the node in /dev/mapper.
    """
    try:
        names = sorted(root.glob("sys/class/block/dm-*/dm/name"))
    except OSError:
        return ""
    return next((path.parent.parent.name for path in names if read(path) == volume), "")


def _direct_io(mount: Mount, root: Path) -> str:
    """Why O_DIRECT would not reach a device here; empty if it would."""
    kind = mount.kind
    for kinds, reason in _REASONS:
        if kind in kinds:
            return f"{kind} {reason}"
    if kind.startswith("fuse"):
        return f"{kind} hands reads to a user-space process that may cache them"
    device = _device(mount, root)
    if not (device or mount.source.startswith("/dev/")):
        return f"{kind or 'this filesystem'} lies on no block device that can be named"
    return _cached_by_option(mount) or _cached_by_device(device, root)


def _cached_by_option(mount: Mount) -> str:
    options = {*mount.options.split(","), *mount.super_options.split(",")}
    if mount.kind in ("ext3", "ext4") and "data=journal" in options:
        return f"{mount.kind} with data=journal turns O_DIRECT into cached access"
    return ""


def _cached_by_device(device: str, root: Path) -> str:
    """Why what is under ``device`` is not a disk; empty if it may be one."""
    below = [disk.name for disk in read_disks(device, root)] or [device.removeprefix("/dev/")]
    return next(filter(None, (_no_disk(name, root) for name in below)), "")


def _no_disk(name: str, root: Path) -> str:
    if name.startswith(("ram", "zram")):
        return f"/dev/{name} is a disk in memory"
    if not name.startswith("loop"):
        return ""
    loop = root / f"sys/block/{name}/loop"
    if read(loop / "dio") != "1":
        return f"/dev/{name} reads its file through the page cache"
    # A file on tmpfs can be read directly, too.
    file = read(loop / "backing_file", errors="surrogateescape")
    found = root / file.lstrip("/")
    reason = read_filesystem(Path(file), root).direct_io if file and present(found) else ""
    return f"the file of /dev/{name} lies where {reason}" if reason else ""
