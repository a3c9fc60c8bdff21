"""Files that are written completely or not at all, with errors that a user can act on."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from membench.core.errors import OutputError
from membench.core.text import one_line

_HINTS = {
    errno.ENOSPC: "free some space there, or choose another place with -o",
    errno.EDQUOT: "your quota is used up: free some space, or choose another place with -o",
    errno.EFBIG: "the size of files is limited here (ulimit -f), or the filesystem is too old",
    errno.EIO: "the disk reports an error: see dmesg, and choose another place with -o",
    errno.EROFS: "choose a writable place with -o",
    errno.EACCES: "choose a place that you may write to with -o",
    errno.EPERM: "choose a place that you may write to with -o",
    errno.ENOENT: "choose another place with -o",
    errno.ENOTDIR: "a part of the path is a file: choose another place with -o",
    errno.ENAMETOOLONG: "choose a shorter name with -o",
}

_NO_TMPFILE = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT)
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK)
_PROBE = b"\n" * 4096


def shown(path: Path) -> str:
    r"""``path`` for a message, on one line; a byte that is not UTF-8 appears as ``\xff``."""
    return one_line(os.fsencode(path).decode(errors="backslashreplace"))


def output_error(path: Path, error: OSError) -> OutputError:
    """The error to raise when writing ``path`` failed with ``error``: one line and a hint."""
    reason = error.strerror or str(error)
    return OutputError(f"cannot write {shown(path)}: {reason}", _HINTS.get(error.errno or 0, ""))


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of ``data``, even if the system writes only a part per call."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync_directory(directory: Path) -> None:
    """Flush the entries of ``directory`` to disk, if the filesystem supports this."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def atomic_write(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``. After a failure or kill, ``path`` has the old or the new content.

    Raises:
        OutputError: the write failed; no temporary file is left.
    """
    write_together([(path, data)], replace=True)


def create(path: Path, data: bytes) -> None:
    """Write ``data`` to the new file ``path``, completely or not at all.

    Raises:
        OutputError: the file already exists (it is kept), or it cannot be written.
    """
    try:
        write_together([(path, data)], replace=False)
    except FileExistsError:
        raise taken(path) from None


def taken(path: Path) -> OutputError:
    """The error for a ``path`` that already exists."""
    return OutputError(f"{shown(path)} exists, and nothing is overwritten", "choose another -o")


def write_together(files: Sequence[tuple[Path, bytes]], *, replace: bool) -> None:
    """Write several files of one directory, all of them or none.

    All contents are on disk before the first name appears. After a kill between two names only the
    first files exist, so put last the file that marks the others as complete.

    Args:
        replace: replace existing files. Otherwise keep them, even a file that another process
            creates at this moment.

    Raises:
        FileExistsError: one of the files exists and ``replace`` is False; none of the files is
            written.
        OutputError: a write failed; no temporary file is left.
    """
    path = files[0][0]
    made: list[Path] = []
    try:
        with contextlib.ExitStack() as stack:
            staged = []
            for path, data in files:
                descriptor = nameless(path.parent)
                if descriptor is None:
                    temporary = _durable_temporary(path.parent, data)
                    stack.callback(_forget, temporary)
                    staged.append((path, partial(_link, temporary), temporary))
                else:
                    stack.callback(os.close, descriptor)
                    write_all(descriptor, data)
                    os.fsync(descriptor)
                    temporary = _temporary(path.parent)
                    staged.append((path, partial(give_name, descriptor), temporary))
            if replace:
                for _, name, temporary in staged:
                    if not temporary.exists():
                        stack.callback(_forget, temporary)
                        name(temporary)
                for path, _, temporary in staged:
                    temporary.replace(path)
            else:
                stack.callback(_forget_all, made)
                for path, name, _ in staged:
                    name(path)
                    made.append(path)
                made.clear()  # they stay
        sync_directory(path.parent)
    except FileExistsError:
        raise
    except OSError as error:
        raise output_error(path, error) from None


def probe(directory: Path) -> None:
    """Check that a file can be created, written and removed in ``directory``; raises OSError."""
    descriptor = nameless(directory)
    if descriptor is None:
        _durable_temporary(directory, _PROBE).unlink()
        return
    try:
        write_all(descriptor, _PROBE)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def nameless(directory: Path, flags: int = os.O_WRONLY) -> int | None:
    """A descriptor for a new file without a name, which disappears if the process dies.

    None if the filesystem does not support such files.
    """
    try:
        return os.open(directory, flags | os.O_TMPFILE | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno in _NO_TMPFILE:
            return None
        raise


def give_name(descriptor: int, path: Path) -> None:
    """Give the file from `nameless` the name ``path``; raises FileExistsError."""
    # Python calls linkat(2), which can follow the link, only if it gets a directory's descriptor.
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        source = f"/proc/self/fd/{descriptor}"
        os.link(source, path.name, dst_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(folder)


def _durable_temporary(directory: Path, data: bytes) -> Path:
    """A new temporary file with the content ``data``, flushed to disk."""
    temporary = _temporary(directory)
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


def _temporary(directory: Path) -> Path:
    """An unused short name; with a suffix, a final name of maximum length would be too long."""
    return directory / f".membench-{secrets.token_hex(6)}.tmp"


def _link(temporary: Path, path: Path) -> None:
    """Give the file ``temporary`` the further name ``path``; raises FileExistsError."""
    try:
        path.hardlink_to(temporary)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # FAT has no hard links: reserve the name first, then replace the empty file.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
        try:
            temporary.replace(path)
        except BaseException:
            _forget(path)
            raise


def _forget_all(paths: list[Path]) -> None:
    for path in paths:
        _forget(path)


def _forget(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
