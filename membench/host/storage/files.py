"""Ask Linux for the cached pages of a file, and for the name and request counts of its disk."""

from __future__ import annotations

import ctypes
import mmap
import os
import time
from pathlib import Path

_CACHESTAT = 451  # Linux 6.5; every architecture has the same number
_PAGE = mmap.PAGESIZE
_LOWEST_BIT = bytes([0, 1] * 128)  # the only defined bit in mincore's result for a page
_TRIES = 20
_PAUSE_S = 0.005


class _Range(ctypes.Structure):
    _fields_ = (("offset", ctypes.c_uint64), ("length", ctypes.c_uint64))


class _CacheStat(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_uint64)
        for name in ("cached", "dirty", "writeback", "evicted", "recently_evicted")
    )


def resident_share(fd: int, size: int) -> float:
    """Share (0 to 1) of the first ``size`` bytes of a file that is in the page cache.

    Source: cachestat(2), or mincore(2) if cachestat fails. If both fail, the result is 1, the worst
    case.
    """
    for count in (_counted, _mapped):
        share = count(fd, size)
        if share is not None:
            return share
    return 1.0


def evict(fd: int, size: int) -> float:
    """Drop the file from the page cache.

    The function retries for about 0.1 s, because the kernel keeps pages that it is reading.

    Returns the share (0 to 1) of the first ``size`` bytes that stayed in the cache.
    """
    for _ in range(_TRIES):
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        share = resident_share(fd, size)
        if not share:
            break
        time.sleep(_PAUSE_S)
    return share


def _counted(fd: int, size: int) -> float | None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    where, found = _Range(0, size), _CacheStat()
    failed = libc.syscall(
        ctypes.c_long(_CACHESTAT),
        ctypes.c_long(fd),
        ctypes.byref(where),
        ctypes.byref(found),
        ctypes.c_long(0),
    )
    return None if failed else int(found.cached) * _PAGE / size


def _mapped(fd: int, size: int) -> float | None:
    libc = ctypes.CDLL(None, use_errno=True)
    # ctypes cannot take the address of a read-only Python mapping.
    libc.mmap.restype = ctypes.c_void_p
    length, nowhere = ctypes.c_size_t(size), ctypes.c_long(0)
    address = libc.mmap(None, length, 0, mmap.MAP_SHARED, ctypes.c_int(fd), nowhere)
    if address in (None, ctypes.c_void_p(-1).value):
        return None
    pages = -(-size // _PAGE)
    found = (ctypes.c_ubyte * pages)()
    # Since Linux 5.2, mincore reports all pages as cached to a process that neither owns the file
    # nor may write it.
    failed = libc.mincore(ctypes.c_void_p(address), length, found)
    libc.munmap(ctypes.c_void_p(address), length)
    return None if failed else bytes(found).translate(_LOWEST_BIT).count(1) / pages


def dirtied_pages(root: Path = Path("/")) -> int | None:
    """Number of pages in the page cache that processes have dirtied since boot; None if unknown.

    Source: nr_dirtied in /proc/vmstat.
    """
    try:
        text = (root / "proc/vmstat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    for line in text.splitlines():
        name, _, count = line.partition(" ")
        if name == "nr_dirtied" and count.isdigit():
            return int(count)
    return None


def disk_name(device: str, root: Path = Path("/")) -> str:
    """``device`` with its model, such as ``/dev/nvme0n1p2 (Samsung SSD 990 PRO 2TB)``.

    The driver's name replaces an unknown model. If both are unknown, the result is ``device``
    alone.
    """
    name = device.removeprefix("/dev/")
    disk = root / "sys/class/block" / name
    if not name or not disk.exists():
        return device
    real = disk.resolve()
    whole = real.parent if (real / "partition").exists() else real
    try:
        what = (whole / "device/model").read_text(encoding="ascii", errors="replace")
    except OSError:
        driver = whole / "device/driver"
        what = driver.resolve().name if driver.exists() else ""
    what = " ".join(what.split())
    return f"{device} ({what})" if what else device


def requests(device: str, root: Path = Path("/")) -> tuple[int, int] | None:
    """Numbers of reads and writes that ``device`` has completed since boot; None if unknown.

    Source: fields 1 and 5 of /proc/diskstats.
    """
    name = device.removeprefix("/dev/")
    try:
        text = (root / "proc/diskstats").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    for line in text.splitlines():
        fields = line.split()
        if len(fields) >= 8 and fields[2] == name:
            return int(fields[3]), int(fields[7])
    return None
