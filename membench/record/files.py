"""Files that are there whole or not at all, and errors that a person can act on."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path

from membench.errors import OutputError
from membench.record.text import one_line

_HINTS = {
    errno.ENOSPC: "free some space there, or choose another place with -o",
    errno.EDQUOT: "your quota is used up: free some space, or choose another place with -o",
    errno.EFBIG: "the size of files is limited here (ulimit -f), or the filesystem is too old",
    errno.EIO: "the disk reports an error: see dmesg, and choose another place with -o",
    errno.EROFS: "choose a place that can be written with -o",
    errno.EACCES: "choose a place that you may write to with -o",
    errno.EPERM: "choose a place that you may write to with -o",
    errno.ENOENT: "choose another place with -o",
    errno.ENOTDIR: "a part of the path is a file: choose another place with -o",
    errno.ENAMETOOLONG: "choose a shorter name with -o",
}


def shown(path: Path) -> str:
    """``path`` for a message, on one line."""
    return one_line(str(path))


def output_error(path: Path, error: OSError) -> OutputError:
    """``error``, met while writing ``path``, in one line with a hint."""
    reason = error.strerror or str(error)
    return OutputError(f"cannot write {shown(path)}: {reason}", _HINTS.get(error.errno or 0, ""))


def write_all(descriptor: int, data: bytes) -> None:
    """Write ``data`` to the end, however the system cuts it."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync_directory(directory: Path) -> None:
    """Make the names in ``directory`` durable, where the filesystem can."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def atomic_write(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path``: after any failure or death there is the old file or the new one.

    Raises:
        OutputError: in one line; nothing is left behind.
    """
    try:
        temporary = _durable_temporary(path.parent, data)
        try:
            temporary.replace(path)
        except BaseException:
            _forget(temporary)
            raise
        sync_directory(path.parent)
    except OSError as error:
        raise output_error(path, error) from None


def probe(directory: Path) -> None:
    """Prove that a file can be made, written and removed in ``directory``; raises OSError."""
    _durable_temporary(directory, b"\n" * 4096).unlink()


def _durable_temporary(directory: Path, data: bytes) -> Path:
    """A new file with ``data`` that the disk has; its name is short because ours may be long."""
    temporary = directory / f".membench-{secrets.token_hex(6)}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o666)
    try:
        try:
            write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException:
        _forget(temporary)
        raise
    return temporary


def _forget(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
