"""The filesystem of a path, and whether O_DIRECT has an effect there."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.machine.disks.filesystem import read_filesystem
from membench.machine.disks.mounts import mount_of, parse, unescape

Plant = Callable[[Mapping[str, str]], Path]

ROOT = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard\n"


def _root(
    plant: Plant, kind: str, source: str = "none", options: str = "rw", number: str = "0:50"
) -> Path:
    line = f"40 27 {number} / /scratch rw,noatime - {kind} {source} {options}\n"
    return plant({"proc/self/mountinfo": ROOT + line, "scratch/here": ""})


def test_in_a_deleted_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    found = read_filesystem(Path("results"))
    assert (found.path, found.mount, found.free) == ("results", "", 0)
    assert found.direct_io == "the working directory has been deleted"


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "f2fs"])
def test_on_a_disk(plant: Plant, kind: str) -> None:
    found = read_filesystem(Path("/scratch/not/yet"), _root(plant, kind, "/dev/nvme0n1p2"))
    assert (found.path, found.mount, found.kind) == ("/scratch/not/yet", "/scratch", kind)
    assert (found.device, found.options, found.direct_io) == ("/dev/nvme0n1p2", "rw,noatime", "")
    assert found.free > 0


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("tmpfs", "memory"),
        ("ramfs", "memory"),
        ("overlay", "layer on another filesystem"),
        ("fuse", "user-space"),
        ("fuse.sshfs", "user-space"),
        ("fuseblk", "user-space"),
        ("nfs", "network"),
        ("nfs4", "network"),
        ("cifs", "network"),
        ("smb3", "network"),
        ("9p", "host"),
        ("virtiofs", "host"),
        ("zfs", "cache"),
        ("squashfs", "written"),
        ("lustre", "network"),
        ("newfs42", "no known block device"),
    ],
)
def test_not_on_a_disk(plant: Plant, kind: str, word: str) -> None:
    reason = read_filesystem(Path("/scratch"), _root(plant, kind)).direct_io
    assert word in reason
    assert "\n" not in reason


@pytest.mark.parametrize(
    ("kind", "source", "options"),
    [
        ("ext4", "/dev/sda1", "rw,data=journal"),
        ("ext4", "/dev/zram0", "rw"),
        ("xfs", "/dev/ram1", "rw"),
        ("ext4", "/dev/loop7", "rw"),
    ],
)
def test_a_disk_filesystem_that_caches_all_the_same(
    plant: Plant, kind: str, source: str, options: str
) -> None:
    assert read_filesystem(Path("/scratch"), _root(plant, kind, source, options)).direct_io


def test_a_loop_device_that_passes_the_cache_by(plant: Plant) -> None:
    plant({"sys/block/loop7/loop/dio": "1\n"})
    assert read_filesystem(Path("/scratch"), _root(plant, "ext4", "/dev/loop7")).direct_io == ""


def test_a_loop_device_whose_file_lies_in_memory(plant: Plant) -> None:
    plant({"sys/block/loop7/loop/dio": "1", "sys/block/loop7/loop/backing_file": "/mem/image"})
    root = _root(plant, "ext4", "/dev/loop7")
    memory = "41 27 0:51 / /mem rw - tmpfs none rw\n"
    plant({"proc/self/mountinfo": (root / "proc/self/mountinfo").read_text() + memory})
    # The device is not visible from the container.
    assert read_filesystem(Path("/scratch"), root).direct_io == ""
    plant({"mem/image": ""})
    reason = read_filesystem(Path("/scratch"), root).direct_io
    said = "the file behind /dev/loop7 cannot be read directly: tmpfs keeps its files in memory"
    assert reason == said


def test_a_volume_on_a_disk_in_memory(plant: Plant) -> None:
    plant(
        {
            "sys/dev/block/253:1": "-> ../../devices/virtual/block/dm-1",
            "sys/class/block/dm-1/slaves/zram0/size": "1",
            "sys/class/block/zram0/size": "1",
        }
    )
    root = _root(plant, "ext4", "/dev/mapper/x", number="253:1")
    assert read_filesystem(Path("/scratch"), root).direct_io == "/dev/zram0 is a RAM disk"


@pytest.mark.parametrize(
    ("kind", "options"), [("newfs42", "rw"), ("btrfs", "rw,compress=zstd:3"), ("btrfs", "rw")]
)
def test_what_the_scratch_file_itself_will_show(plant: Plant, kind: str, options: str) -> None:
    root = _root(plant, kind, "/dev/sda1", options)
    assert read_filesystem(Path("/scratch"), root).direct_io == ""


def test_names_of_hosts_and_people_stay_out(plant: Plant) -> None:
    root = _root(
        plant,
        "nfs4",
        "filer.example.org:/export/alice",
        "rw,vers=4.2,addr=10.0.0.7,clientaddr=10.0.0.8",
    )
    share = read_filesystem(Path("/scratch"), root)
    assert (share.device, share.options) == ("", "rw,noatime,vers=4.2")
    own = read_filesystem(Path("/scratch"), _root(plant, "tmpfs", "tmpfs", "rw,uid=1000,gid=1000"))
    assert own.options == "rw,noatime"


def test_a_volume_is_known_by_its_kernel_name(plant: Plant) -> None:
    plant({"sys/dev/block/253:1": "-> ../../devices/virtual/block/dm-1"})
    root = _root(plant, "ext4", "/dev/mapper/myhost--vg-root", number="253:1")
    assert read_filesystem(Path("/scratch"), root).device == "/dev/dm-1"
    plain = _root_without_links(plant, root)
    assert read_filesystem(Path("/scratch"), plain).device == ""


@pytest.mark.parametrize("how", ["link", "node"])
def test_a_volume_under_btrfs_is_known_although_its_files_have_another_number(
    plant: Plant, how: str
) -> None:
    """In a container, /dev/mapper may contain nodes instead of links, or no entry."""
    plant(
        {
            "sys/class/block/dm-3/dm/name": "luks-f00\n",
            "sys/class/block/dm-4/dm/name": "myhost--vg-home\n",
        }
    )
    if how == "link":
        plant({"dev/dm-4": "", "dev/mapper/myhost--vg-home": "-> ../dm-4"})
    root = _root(plant, "btrfs", "/dev/mapper/myhost--vg-home")
    assert read_filesystem(Path("/scratch"), root).device == "/dev/dm-4"
    other = _root(plant, "btrfs", "/dev/mapper/another")
    assert read_filesystem(Path("/scratch"), other).device == ""


def _root_without_links(plant: Plant, root: Path) -> Path:
    (root / "sys/dev/block/253:1").unlink()
    return root


def test_layers_of_mounts() -> None:
    mounts = parse(
        "22 27 0:21 / /proc rw - proc proc rw\n"
        + ROOT
        + "25 27 0:23 / /dev/shm rw - tmpfs old rw\n"
        "30 25 0:27 / /dev/shm rw - tmpfs new rw\n"  # mounted over the previous filesystem
        "50 27 8:1 / /data rw - xfs /dev/sda1 rw\n"
        "51 50 8:2 / /data/inner rw - ext4 /dev/sdb1 rw\n"
        "52 27 8:3 / /data rw - btrfs /dev/sdc1 rw\n"  # hides /data and /data/inner
        "53 27 254:0 /home/x /bind rw - ext4 /dev/vda rw\n"
        "garbage\n60 x 0:1 / / rw - ext4\n"
    )

    def source(path: str) -> str:
        mount = mount_of(PurePosixPath(path), mounts)
        return mount.source if mount else ""

    assert source("/dev/shm/a") == "new"
    assert source("/data/inner/file") == "/dev/sdc1"
    assert source("/database") == "/dev/vda"
    assert source("/bind/file") == "/dev/vda"
    assert source("/") == "/dev/vda"
    assert mount_of(PurePosixPath("/a"), ()) is None


def test_mounts_that_stand_upon_each_other_in_a_circle() -> None:
    mounts = parse("1 2 0:1 / / rw - ext4 a rw\n2 1 0:2 / / rw - ext4 b rw\n")
    assert mount_of(PurePosixPath("/x"), mounts) in mounts


def test_the_mount_table_may_be_missing(tmp_path: Path) -> None:
    found = read_filesystem(Path("/somewhere"), tmp_path)
    assert (found.mount, found.kind) == ("", "")
    assert found.direct_io


def test_a_link_leads_to_the_filesystem_of_its_target(plant: Plant) -> None:
    root = _root(plant, "xfs", "/dev/sda1")
    plant({"link": "-> scratch"})
    assert read_filesystem(Path("/link/file"), root).kind == "xfs"


def _escape(name: str) -> str:
    """``name`` with the escapes of the kernel's mangle(): blank, tab, newline, backslash, hash."""
    raw = os.fsencode(name)
    plain = b"".join(b"\\%03o" % byte if byte in b" \t\n\\#" else bytes([byte]) for byte in raw)
    return os.fsdecode(plain)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_escapes_are_undone(name: str) -> None:
    assert unescape(_escape(name)) == name
    line = f"1 0 0:1 / {_escape('/' + name)} rw - tmpfs {_escape('s' + name)} rw"
    (mount,) = parse(line)
    assert (mount.point, mount.source) == ("/" + name, "s" + name)


def test_this_machine_agrees_with_the_kernel(tmp_path: Path) -> None:
    found = read_filesystem(tmp_path / "not" / "yet")
    status = Path(found.mount).stat()
    assert tmp_path.is_relative_to(found.mount)
    assert status.st_dev == tmp_path.stat().st_dev
    assert abs(found.free - os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize) < 1 << 30
    if Path("/dev/shm").is_mount():
        assert "memory" in read_filesystem(Path("/dev/shm")).direct_io
