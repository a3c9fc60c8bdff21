"""The scratch file: a file without a name, in a directory that the user chose.

Standard library only; the parent of a run makes it once.  Having no name, it is
removed by the kernel when the last process that holds it ends, whichever way
that goes.  Other processes reach it through ``/proc/<pid>/fd``.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import resource
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from membench.core.errors import BackendUnavailable, OutputError
from membench.core.units import MIB, about_size
from membench.host.storage.content import Content
from membench.host.storage.write_budget import Ledger
from membench.machine.disks.filesystem import read_filesystem

CHUNK = 4 * MIB  # one write of the layout; a file is a whole number of them
LEAST = 16 * MIB  # a smaller file would say nothing, not even in a test

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_TMPFILE = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT)
_NAMES = 16  # names that are tried where the filesystem has no files without one


@dataclass(frozen=True)
class Scratch:
    """A scratch file as a worker knows it.

    Attributes:
        path: ``/proc/<pid>/fd/<n>`` of the process that made it.
        size: bytes laid out.
        budget: bytes that the cases of the run may write, beyond the layout.
        seed: its content is a function of this and the offset; see `storage_content`.
        rounds: of the run; a case that writes claims its bytes for all of them at once.
        ledger: path where the bytes claimed and written are kept; see `Ledger`.
        kind: of the filesystem, such as ext4.
        device: its block device, such as /dev/nvme0n1p2; empty where unknown.
    """

    path: str
    size: int
    budget: int
    seed: int
    rounds: int
    ledger: str
    kind: str = ""
    device: str = ""


class ScratchFile:
    """The file itself, held by the process that made it; a context manager.

    Attributes:
        scratch: what other processes need to know.
    """

    def __init__(self, fd: int, ledger_fd: int, scratch: Scratch) -> None:
        self._fd = fd
        self._ledger_fd = ledger_fd
        self.scratch = scratch

    @classmethod
    def create(
        cls, directory: Path, size: int, *, budget: int, seed: int, rounds: int = 1
    ) -> ScratchFile:
        """Lay out ``size`` bytes in ``directory``, in full, and bring them to the device.

        Args:
            size: rounded up to a multiple of `CHUNK`, at least `LEAST`.
            budget: bytes that the run may write, the layout included.

        Raises:
            OutputError: it is no directory, it cannot be written to, or there is no room.
            BackendUnavailable: direct I/O reaches no device from there.
        """
        size = max(LEAST, -(-size // CHUNK) * CHUNK)
        with _opened(directory) as folder:
            # By the descriptor, so that what was checked is what is used.
            filesystem = read_filesystem(Path(os.path.realpath(f"/proc/self/fd/{folder}")))
            if filesystem.direct_io:
                raise BackendUnavailable(
                    f"no disk can be measured in {directory}: {filesystem.direct_io}",
                    "choose a directory on a local disk: --scratch DIR",
                )
            _check_room(folder, directory, size, budget)
            fd = _nameless(folder, directory)
        try:
            _lay_out(fd, directory, size, seed)
            ledger = os.memfd_create("membench-ledger", os.MFD_CLOEXEC)
        except BaseException:
            os.close(fd)
            raise
        here = f"/proc/{os.getpid()}/fd"
        scratch = Scratch(
            path=f"{here}/{fd}",
            size=size,
            budget=budget - size,
            seed=seed,
            rounds=rounds,
            ledger=f"{here}/{ledger}",
            kind=filesystem.kind,
            device=filesystem.device,
        )
        return cls(fd, ledger, scratch)

    @property
    def written(self) -> int:
        """Bytes that this run has written to the disk so far, the layout included."""
        return self.scratch.size + Ledger(self.scratch.ledger).written

    def close(self) -> None:
        """Let the file go: its space is free when the last worker has ended."""
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
    """A descriptor of ``directory``, which may be reached by links but must be one."""
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        what = "is not a directory" if error.errno == errno.ENOTDIR else f": {error.strerror}"
        raise OutputError(
            f"the scratch place {directory} {what}".replace(" :", ":"),
            "give a directory that you may write to: --scratch DIR; "
            "a device or a file of yours is never written to",
        ) from error
    try:
        yield fd
    finally:
        os.close(fd)


def _check_room(folder: int, directory: Path, size: int, budget: int) -> None:
    if size > budget:
        raise OutputError(
            f"a scratch file of {about_size(size)} is more than the budget of {about_size(budget)}",
            "allow more: --disk-budget SIZE",
        )
    status = os.fstatvfs(folder)
    free = status.f_bavail * status.f_frsize
    if size > free // 2:
        raise OutputError(
            f"a scratch file of {about_size(size)} is more than half of the "
            f"{about_size(free)} that are free in {directory}",
            "make room, or choose another directory: --scratch DIR",
        )


def _nameless(folder: int, directory: Path) -> int:
    """A new file that no directory lists, open for reading and writing."""
    flags = os.O_RDWR | os.O_CLOEXEC
    try:
        return os.open(".", flags | os.O_TMPFILE, 0o600, dir_fd=folder)
    except OSError as error:
        if error.errno not in _NO_TMPFILE:
            raise _refused(error, directory) from error
    # Never opens what is there already, be it a file or a link that was planted.
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
    raise OutputError(f"every name for a scratch file is taken in {directory}")


def _refused(error: OSError, directory: Path) -> OutputError:
    return OutputError(
        f"no scratch file can be made in {directory}: {error.strerror}",
        "choose a directory that you may write to: --scratch DIR",
    )


def _lay_out(fd: int, directory: Path, size: int, seed: int) -> None:
    """Write all of the file: what is only allocated would be read without the disk."""
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink or status.st_size:
        raise OutputError(f"what {directory} gave is not a new file without a name")
    try:
        with _no_longer_than(size):
            os.posix_fallocate(fd, 0, size)
            _write_all(fd, size, Content(seed))
            os.fsync(fd)
    except OSError as error:
        if error.errno not in _FULL:
            raise OutputError(
                f"the scratch file in {directory} cannot be written: {error.strerror}"
            ) from error
        raise OutputError(
            f"there is no room for a scratch file of {about_size(size)} "
            f"in {directory}: {error.strerror}",
            "make room, ask for less (--disk-budget SIZE), or go elsewhere (--scratch DIR)",
        ) from error
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)


def _write_all(fd: int, size: int, content: Content) -> None:
    direct = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_DIRECT | os.O_CLOEXEC)
    buffer = mmap.mmap(-1, CHUNK)
    view = memoryview(buffer)
    try:
        with contextlib.suppress(OSError):  # faster, where there are huge pages
            buffer.madvise(mmap.MADV_HUGEPAGE)
        for offset in range(0, size, CHUNK):
            content.fill(view, offset)
            done = 0
            while done < CHUNK:
                done += os.pwrite(direct, view[done:], offset + done)
    finally:
        os.close(direct)


@contextlib.contextmanager
def _no_longer_than(size: int) -> Iterator[None]:
    """A second lock: meanwhile no file of this process can grow beyond ``size`` bytes.

    The interpreter ignores SIGXFSZ, so that a write beyond it is an error (EFBIG).
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    lower = size if soft == resource.RLIM_INFINITY else min(soft, size)
    resource.setrlimit(resource.RLIMIT_FSIZE, (lower, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
