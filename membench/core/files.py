"""Write files completely or not at all; turn failures into errors that a user can act on."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from membench.core.errors import OutputError
from membench.core.text import one_line

_HINTS = {
    errno.ENOSPC: "free some space on this disk, or choose another path with -o",
    errno.EDQUOT: "your disk quota is used up: free some space, or choose another path with -o",
    errno.EFBIG: "raise the limit of the file size (ulimit -f), or choose a path on another "
    "filesystem with -o",
    errno.EIO: "the disk reports an error: see dmesg, and choose another path with -o",
    errno.EROFS: "the filesystem is read-only: choose another path with -o",
    errno.EACCES: "choose a directory with -o in which you may create files",
    errno.EPERM: "choose a directory with -o in which you may create files",
    errno.ENOENT: "choose another path with -o",
    errno.ENOTDIR: "a directory of the path is a file: choose another path with -o",
    errno.ENAMETOOLONG: "choose a shorter name with -o",
}

_NO_TMPFILE = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT)
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK)
_PROBE = b"\n" * 4096


def shown(path: Path) -> str:
    r"""``path`` for a message, on one line; a byte that is not UTF-8 appears as ``\xff``."""
    return one_line(os.fsencode(path).decode(errors="backslashreplace"))


def output_error(path: Path, error: OSError) -> OutputError:
    """The `OutputError`, with message and hint, for an ``error`` during a write to ``path``."""
    reason = error.strerror or str(error)
    return OutputError(f"cannot write {shown(path)}: {reason}", _HINTS.get(error.errno or 0, ""))


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of ``data``, with several system calls if needed."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync_directory(directory: Path) -> None:
    """Flush the entries of ``directory`` to disk, if the filesystem can flush directories."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def atomic_write(path: Path, data: bytes) -> None:
    """Replace the content of ``path`` by ``data``.

    If the write fails or the process is killed, ``path`` has either the old or the new content.

    Raises:
        OutputError: the write failed; no temporary file is left.
    """
    write_together([(path, data)], replace=True)


def create(path: Path, data: bytes) -> None:
    """Write ``data`` to the new file ``path``, completely or not at all.

    Raises:
        OutputError: the file already exists and is kept, or the write failed.
    """
    try:
        write_together([(path, data)], replace=False)
    except FileExistsError:
        raise taken(path) from None


def taken(path: Path) -> OutputError:
    """The error for a ``path`` that already exists."""
    return OutputError(
        f"{shown(path)} exists, and nothing is overwritten", "choose another file name with -o"
    )


def write_together(files: Sequence[tuple[Path, bytes]], *, replace: bool) -> None:
    """Write several files of one directory.

    All contents are on disk before the first file gets its name. If the process is killed between
    two names, or if a replacement fails, only the first files have their new content. So the last
    file should be the one whose existence proves that all files exist.

    Args:
        files: pairs (path, content).
        replace: whether to replace existing files.

    Raises:
        FileExistsError: one of the files exists and ``replace`` is False; no file is written.
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
                made.clear()  # so that the cleanup deletes no file
        sync_directory(path.parent)
    except FileExistsError:
        raise
    except OSError as error:
        raise output_error(path, error) from None


def probe(directory: Path) -> None:
    """Create, write and remove a file in ``directory``; raises OSError if this fails."""
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
    """Descriptor of a new file without a name. The file disappears if the process dies.

    The result is None if the filesystem does not support files without a name.
    """
    try:
        return os.open(directory, flags | os.O_TMPFILE | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if error.errno in _NO_TMPFILE:
            return None
        raise


def give_name(descriptor: int, path: Path) -> None:
    """Give the file from `nameless` the name ``path``.

    Raises:
        FileExistsError: ``path`` exists.
    """
    # The source is a symbolic link, and only linkat(2) can follow it. os.link calls linkat(2) only
    # if it gets the descriptor of a directory.
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        source = f"/proc/self/fd/{descriptor}"
        os.link(source, path.name, dst_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(folder)


def _durable_temporary(directory: Path, data: bytes) -> Path:
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
    """An unused path in ``directory``.

    The name is short, because the final name with a suffix could be too long for the filesystem.
    """
    import secrets  # takes long, and a reader of files does not need it

    return directory / f".membench-{secrets.token_hex(6)}.tmp"


def _link(temporary: Path, path: Path) -> None:
    """Give the file ``temporary`` the name ``path``; raises FileExistsError if ``path`` exists."""
    try:
        path.hardlink_to(temporary)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # FAT has no hard links: create an empty file with the name, then replace this file. A kill
        # between the two steps leaves the empty file.
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


def no_file_in(directory: Path) -> str:
    """Why this process cannot create a file in ``directory``; empty if it can.

    If ``directory`` does not exist, its nearest existing parent is examined.
    """
    try:
        while not directory.exists() and directory != directory.parent:
            if directory.is_symlink():
                return f"{directory} is a dangling symbolic link"
            directory = directory.parent
        if not directory.is_dir():
            return f"{directory} is not a directory"
    except OSError as error:
        return f"{directory}: {error.strerror}"
    allowed = os.access(directory, os.W_OK | os.X_OK)
    return "" if allowed else f"{directory} is not writable"
