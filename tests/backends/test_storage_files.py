"""membench parses correctly what the kernel reports about files and disks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from membench.host.storage import files as storage_files
from membench.host.storage.files import disk_name, requests, resident_share
from membench.machine.disks.filesystem import read_filesystem

SIZE = 8 << 20


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    if read_filesystem(tmp_path).direct_io:
        pytest.skip("needs a file on a disk")
    path = tmp_path / "file"
    path.write_bytes(os.urandom(SIZE))
    fd = os.open(path, os.O_RDWR)
    os.fsync(fd)
    yield fd
    os.close(fd)


@pytest.mark.parametrize("counted", [True, False])
def test_residency_follows_the_page_cache(
    file: int, monkeypatch: pytest.MonkeyPatch, counted: bool
) -> None:
    if not counted:
        monkeypatch.setattr(storage_files, "_counted", lambda *_: None)
    elif storage_files._counted(file, SIZE) is None:
        pytest.skip("this kernel has no cachestat")
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    assert resident_share(file, SIZE) == 0
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    assert len(os.pread(file, SIZE, 0)) == SIZE
    assert resident_share(file, SIZE) == 1


def test_to_ask_for_residency_reads_nothing(file: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert storage_files._counted(file, SIZE) is not None, "needs cachestat as a witness"
    counted = storage_files._counted
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    monkeypatch.setattr(storage_files, "_counted", lambda *_: None)
    for _ in range(20):
        assert resident_share(file, SIZE) == 0
    assert counted(file, SIZE) == 0


def test_where_nobody_counts_all_may_be_resident(
    file: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage_files, "_counted", lambda *_: None)
    read_only = os.open(f"/proc/self/fd/{file}", os.O_WRONLY)  # a descriptor that cannot be mapped
    assert resident_share(read_only, SIZE) == 1
    os.close(read_only)


def test_dirtied_pages_are_counted(file: int, tmp_path: Path) -> None:
    before = storage_files.dirtied_pages()
    os.pwrite(file, bytes(SIZE), 0)
    after = storage_files.dirtied_pages()
    assert before is not None
    assert after is not None
    assert after - before >= SIZE // os.sysconf("SC_PAGE_SIZE")
    assert storage_files.dirtied_pages(tmp_path) is None
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/vmstat").write_text("nr_dirty 7\nnr_dirtied 41\nnr_written 3\n")
    assert storage_files.dirtied_pages(tmp_path) == 41


def test_half_a_file_is_half_resident(file: int) -> None:
    if storage_files._counted(file, SIZE) is None:
        pytest.skip("this kernel has no cachestat")
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_RANDOM)  # disables read-ahead
    os.pread(file, SIZE // 2, 0)
    assert resident_share(file, SIZE) == 0.5
    assert resident_share(file, SIZE // 2) == 1


def test_a_disk_is_named_by_its_model(tmp_path: Path) -> None:
    disk = tmp_path / "sys/devices/pci/nvme0n1"
    (disk / "device").mkdir(parents=True)
    (disk / "device/model").write_text("Fast  SSD 1TB   \n")
    part = disk / "nvme0n1p2"
    part.mkdir()
    (part / "partition").write_text("2\n")
    names = tmp_path / "sys/class/block"
    names.mkdir(parents=True)
    (names / "nvme0n1").symlink_to(disk)
    (names / "nvme0n1p2").symlink_to(part)
    assert disk_name("/dev/nvme0n1", tmp_path) == "/dev/nvme0n1 (Fast SSD 1TB)"
    assert disk_name("/dev/nvme0n1p2", tmp_path) == "/dev/nvme0n1p2 (Fast SSD 1TB)"


def test_a_disk_without_a_model_is_named_by_its_driver(tmp_path: Path) -> None:
    disk = tmp_path / "sys/class/block/vda"
    (disk / "device").mkdir(parents=True)
    driver = tmp_path / "sys/bus/virtio/drivers/virtio_blk"
    driver.mkdir(parents=True)
    (disk / "device/driver").symlink_to(driver)
    assert disk_name("/dev/vda", tmp_path) == "/dev/vda (virtio_blk)"
    assert disk_name("/dev/dm-0", tmp_path) == "/dev/dm-0"
    assert disk_name("", tmp_path) == ""


def test_requests_are_those_of_the_device(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/diskstats").write_text(
        " 254 0 vda 120 3 4000 17 55 6 900 40 0 50 60 0 0 0 0\n"
        " 254 1 vda1 20 3 4000 17 5 6 900 40 0 50 60 0 0 0 0\n"
    )
    assert requests("/dev/vda", tmp_path) == (120, 55)
    assert requests("/dev/vda1", tmp_path) == (20, 5)
    assert requests("/dev/sda", tmp_path) is None
    assert requests("/dev/vda", tmp_path / "nowhere") is None
