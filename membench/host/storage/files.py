"""What the kernel tells about a file and its disk: residency, requests, names.

Standard library only.
"""

from __future__ import annotations

import ctypes
import errno
import os
import random
import time
from pathlib import Path

_CACHESTAT = 451  # Linux 6.5, the same number on every architecture
_PAGE = os.sysconf("SC_PAGE_SIZE")
_SAMPLED_PAGES = 64
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
    """Share of the first ``size`` bytes of a file that is in the page cache.

    Counted by cachestat(2); where that is missing or refused, estimated by
    reading `_SAMPLED_PAGES` random pages with RWF_NOWAIT, which a page that is
    not there refuses.  ``fd`` must not be open for direct I/O then.
    """
    counted = _counted(fd, size)
    return _sampled(fd, size) if counted is None else counted


def evict(fd: int, size: int) -> float:
    """Drop the file from the page cache; the share of its first ``size`` bytes that stayed.

    Pages that are just being read ahead cannot be dropped: it tries for a while.
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


def _sampled(fd: int, size: int) -> float:
    pages = size // _PAGE
    chosen = random.sample(range(pages), min(_SAMPLED_PAGES, pages))
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)  # asking must not read ahead
    buffer = bytearray(1)
    found = 0
    for page in chosen:
        try:
            found += os.preadv(fd, [buffer], page * _PAGE, os.RWF_NOWAIT)
        except BlockingIOError:
            continue
        except OSError as error:
            if error.errno in (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
                return 1.0  # nothing is known: the worst is assumed
            raise
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_NORMAL)
    return found / len(chosen)


def disk_name(device: str, root: Path = Path("/")) -> str:
    """``device`` with what it is: ``/dev/nvme0n1p2 (Samsung SSD 990 PRO 2TB)``.

    The model where the disk tells one, else its driver.
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
    """Reads and writes that ``device`` has completed since the start, whoever asked for them.

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
