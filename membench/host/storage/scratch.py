"""The scratch file: a file without a name, in a directory that the user chose.

The parent process of a run creates the file. Other processes open it through ``/proc/<pid>/fd``.
The kernel removes the file when no process has it open any more, even if the processes were killed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import resource
import secrets
import stat
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from membench.core.errors import BackendUnavailable, OutputError
from membench.core.record import record
from membench.core.snapshot import Filesystem
from membench.core.units import MIB, about_size
from membench.host.storage.content import Content
from membench.host.storage.file_size import CHUNK, FREE_SHARE, ON_A_LOCAL_DISK
from membench.host.storage.files import dirtied_pages, evict, resident_share
from membench.host.storage.write_budget import WriteLedger
from membench.machine.disks.filesystem import read_filesystem

LEAST = 16 * MIB  # bytes of the smallest file that can be tested

PROBED = 9
"""Number of chunks of the first fill that are checked for use of the page cache.

Several chunks are checked because other processes may write in bursts.
"""

CACHED = 0.5
"""Direct I/O counts as buffered if at least this share of its data is in the page cache.

Without buffering, only the filesystem's own blocks are in the page cache: a few percent.
"""

# linux/fs.h; both calls take an int, although their numbers encode a long
_GET_FLAGS = 0x80086601  # FS_IOC_GETFLAGS
_SET_FLAGS = 0x40086602  # FS_IOC_SETFLAGS
_NOCOW = 0x00800000  # FS_NOCOW_FL

_FULL = (errno.ENOSPC, errno.EDQUOT)
_NO_TMPFILE = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT)
_NAMES = 16  # number of names to try if the filesystem has no files without a name
_ANOTHER_DIRECTORY = "choose another directory: --scratch DIR"


@record
class ScratchHandle:
    """The facts about the scratch file that a worker needs.

    Attributes:
        path: ``/proc/<pid>/fd/<n>`` of the process that created the file.
        size: bytes of the file.
        budget: bytes that the cases of the run may write after the file was first filled.
        ledger: path of the file of a `WriteLedger`.
        kind: kind of filesystem, such as ext4.
        device: block device of the filesystem, such as /dev/nvme0n1p2; empty if unknown.
        nocow: whether a copy-on-write filesystem overwrites the file in place.
        dirtied: share (0 to 1) of the first fill that the page cache buffered in spite of direct
            writes; 0 if the kernel does not count dirtied pages.
    """

    path: str
    size: int
    budget: int
    seed: int
    rounds: int
    ledger: str
    kind: str = ""
    device: str = ""
    nocow: bool = False
    dirtied: float = 0.0

    @property
    def buffered_writes(self) -> bool:
        """Whether direct writes go through the page cache."""
        return self.dirtied >= CACHED


class ScratchFile:
    """The open scratch file in the process that created it; a context manager."""

    def __init__(self, fd: int, ledger_fd: int, scratch: ScratchHandle) -> None:
        self._fd = fd
        self._ledger_fd = ledger_fd
        self.scratch = scratch

    @classmethod
    def create(
        cls, directory: Path, size: int, *, budget: int, seed: int, rounds: int = 1
    ) -> ScratchFile:
        """Write ``size`` bytes into a new file in ``directory``, and flush them to the device.

        Args:
            size: bytes; raised to at least `LEAST`, and rounded up to a multiple of `CHUNK`.
            budget: bytes that the run may write, including the bytes written here.

        Raises:
            OutputError: ``directory`` is not a directory, is not writable, or has too little space;
                or ``size`` exceeds ``budget``.
            BackendUnavailable: direct I/O does not reach a device, according to the kind of
                filesystem or to a test read of the new file.
        """
        size = max(LEAST, -(-size // CHUNK) * CHUNK)
        with _opened(directory) as folder:
            # The descriptor ensures that the checked directory is also the used directory.
            filesystem = read_filesystem(Path(os.path.realpath(f"/proc/self/fd/{folder}")))
            if filesystem.direct_io:
                raise BackendUnavailable(
                    f"no disk can be measured in {directory}: {filesystem.direct_io}",
                    ON_A_LOCAL_DISK,
                )
            _check_room(folder, directory, size, budget)
            fd = _nameless(folder, directory)
        try:
            nocow = _without_copies(fd, filesystem)
            dirtied = _lay_out(fd, directory, size, seed)
            _check_reads(fd, directory, filesystem)
            ledger = os.memfd_create("membench-ledger", os.MFD_CLOEXEC)
        except BaseException:
            os.close(fd)
            raise
        here = f"/proc/{os.getpid()}/fd"
        scratch = ScratchHandle(
            path=f"{here}/{fd}",
            size=size,
            budget=budget - size,
            seed=seed,
            rounds=rounds,
            ledger=f"{here}/{ledger}",
            kind=filesystem.kind,
            device=filesystem.device,
            nocow=nocow,
            dirtied=dirtied,
        )
        return cls(fd, ledger, scratch)

    @property
    def written(self) -> int:
        """Bytes that this run has written to the disk so far, including the first fill."""
        return self.scratch.size + WriteLedger(self.scratch.ledger).written

    def close(self) -> None:
        """Close the file. The kernel frees its space when the last worker has ended."""
        for fd in (self._fd, self._ledger_fd):
            if fd >= 0:
                os.close(fd)
        self._fd = self._ledger_fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@contextlib.contextmanager
def _opened(directory: Path) -> Iterator[int]:
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        missing = error.errno == errno.ENOTDIR
        what = "is not a directory" if missing else f"cannot be opened: {error.strerror}"
        raise OutputError(
            f"the scratch path {directory} {what}",
            "give a directory that you may write to: --scratch DIR; "
            "membench never writes to devices or existing files",
        ) from error
    try:
        yield fd
    finally:
        os.close(fd)


def _check_room(folder: int, directory: Path, size: int, budget: int) -> None:
    if size > budget:
        raise OutputError(
            f"a scratch file of {about_size(size)} exceeds the budget of {about_size(budget)}",
            "raise the budget: --disk-budget SIZE",
        )
    status = os.fstatvfs(folder)
    free = status.f_bavail * status.f_frsize
    if size > FREE_SHARE * free:
        raise OutputError(
            f"a scratch file of {about_size(size)} is more than half of the free space "
            f"({about_size(free)}) in {directory}",
            "free some space, or choose another directory: --scratch DIR",
        )


def _nameless(folder: int, directory: Path) -> int:
    flags = os.O_RDWR | os.O_CLOEXEC
    try:
        return os.open(".", flags | os.O_TMPFILE, 0o600, dir_fd=folder)
    except OSError as error:
        if error.errno not in _NO_TMPFILE:
            raise _refused(error, directory) from error
    # O_EXCL never opens an existing file or a planted link.
    flags |= os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    for _ in range(_NAMES):
        name = f".membench-{secrets.token_hex(8)}"
        try:
            fd = os.open(name, flags, 0o600, dir_fd=folder)
        except FileExistsError:
            continue
        except OSError as error:
            raise _refused(error, directory) from error
        os.unlink(name, dir_fd=folder)
        return fd
    raise OutputError(
        f"membench found no unused name for a scratch file in {directory}", _ANOTHER_DIRECTORY
    )


def _refused(error: OSError, directory: Path) -> OutputError:
    return OutputError(
        f"no scratch file can be created in {directory}: {error.strerror}",
        "choose a directory that you may write to: --scratch DIR",
    )


def _without_copies(fd: int, filesystem: Filesystem) -> bool:
    """Set the flag that makes btrfs overwrite the file in place; True if the flag is now set.

    Since Linux 6.15, btrfs buffers direct writes to a file without the flag. The flag takes effect
    only while the file is empty.
    """
    if filesystem.kind != "btrfs":
        return False  # the bit has another meaning (f2fs pins the file) or none
    try:
        (flags,) = struct.unpack_from("I", fcntl.ioctl(fd, _GET_FLAGS, bytes(8)))
        fcntl.ioctl(fd, _SET_FLAGS, struct.pack("I4x", flags | _NOCOW))
    except OSError:  # the first fill measures whether the page cache buffers the writes
        return False
    return True


def _check_reads(fd: int, directory: Path, filesystem: Filesystem) -> None:
    """Raise `BackendUnavailable` if direct reads fail or use the page cache."""
    if evict(fd, LEAST) >= CACHED:
        return  # the data cannot be evicted; the rows get a flag instead
    direct = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
    buffer = _pages(CHUNK)
    try:
        for offset in range(0, LEAST, CHUNK):
            os.preadv(direct, [buffer], offset)
    except OSError as error:
        raise BackendUnavailable(
            f"no disk can be measured in {directory}: direct reads fail: {error.strerror}",
            ON_A_LOCAL_DISK,
        ) from error
    finally:
        os.close(direct)
    share = resident_share(fd, LEAST)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    if share >= CACHED:
        raise BackendUnavailable(
            f"no disk can be measured in {directory}: {filesystem.kind} reads through the page "
            f"cache although O_DIRECT was set ({share:.0%} of the data stayed in the cache)",
            ON_A_LOCAL_DISK,
        )


def _lay_out(fd: int, directory: Path, size: int, seed: int) -> float:
    """Write the whole file, because a read of a block without data does not use the disk.

    Returns the value of `ScratchHandle.dirtied`.
    """
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink or status.st_size:
        raise OutputError(
            f"another program may have changed the new scratch file in {directory}: the file has a "
            "name, is not empty, or is not a regular file",
            _ANOTHER_DIRECTORY,
        )
    try:
        with _no_longer_than(size):
            os.posix_fallocate(fd, 0, size)
            dirtied = _write_all(fd, size, Content(seed))
            os.fsync(fd)
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise OutputError(
                f"a scratch file of {about_size(size)} in {directory} exceeds the limit of the "
                f"file size: {error.strerror}",
                "raise the limit (ulimit -f), reduce --disk-budget, or choose another directory: "
                "--scratch DIR",
            ) from error
        if error.errno not in _FULL:
            raise OutputError(
                f"the scratch file in {directory} cannot be written: {error.strerror}",
                _ANOTHER_DIRECTORY,
            ) from error
        raise OutputError(
            f"no space is left for a scratch file of {about_size(size)} "
            f"in {directory}: {error.strerror}",
            "free some space, reduce --disk-budget, or choose another directory: --scratch DIR",
        ) from error
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    return dirtied


def _write_all(fd: int, size: int, content: Content) -> float:
    """Write ``size`` bytes with O_DIRECT; return the share (0 to 1) that the page cache buffered.

    The share is the median over the first chunks; 0 if the kernel does not count dirtied pages.
    """
    direct = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_DIRECT | os.O_CLOEXEC)
    view = memoryview(_pages(CHUNK))
    shares: list[float] = []
    try:
        for offset in range(0, size, CHUNK):
            content.fill(view, offset)
            begin, before = time.monotonic(), dirtied_pages()
            done = 0
            while done < CHUNK:
                done += os.pwrite(direct, view[done:], offset + done)
            after = dirtied_pages() if len(shares) < PROBED else None
            if before is None or after is None:
                continue
            share = (after - before) * mmap.PAGESIZE / CHUNK
            if share >= CACHED:
                # Subtract the pages that other processes dirty in the same time.
                time.sleep(time.monotonic() - begin)
                share -= ((dirtied_pages() or after) - after) * mmap.PAGESIZE / CHUNK
            shares.append(max(0.0, share))
    finally:
        os.close(direct)
    return min(1.0, sorted(shares)[len(shares) // 2]) if shares else 0.0


def _pages(size: int) -> mmap.mmap:
    """A private mapping of ``size`` bytes. Unlike a shared mapping, it can get huge pages.

    Every page is touched, because direct reads of btrfs into untouched memory use the page cache.
    """
    buffer = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError):
        buffer.madvise(mmap.MADV_HUGEPAGE)
    for at in range(0, size, mmap.PAGESIZE):
        buffer[at] = 0
    return buffer


@contextlib.contextmanager
def _no_longer_than(size: int) -> Iterator[None]:
    """A context in which no file that this process writes may exceed ``size`` bytes.

    The interpreter ignores SIGXFSZ, so a write beyond the limit is an error (EFBIG).
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    lower = size if soft == resource.RLIM_INFINITY else min(soft, size)
    resource.setrlimit(resource.RLIMIT_FSIZE, (lower, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
