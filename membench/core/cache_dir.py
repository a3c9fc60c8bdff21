"""The directories that cache compiled code between processes, as every round is a new process.

Cached code is loaded and executed, so it must be in a place that no other user can write to: every
directory on the path belongs to this user or to root, and no other user has write permission.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

NUMBA_CACHE_DIR = "NUMBA_CACHE_DIR"
_WRITABLE_BY_OTHERS = 0o022


def cache_base(environ: Mapping[str, str]) -> Path | None:
    """The directory that contains all caches of membench, or None if no variable names one.

    It is derived from ``NUMBA_CACHE_DIR``, else ``XDG_CACHE_HOME``, else ``~/.cache``.
    """
    home = environ.get("HOME", "")
    base = (
        environ.get(NUMBA_CACHE_DIR) or environ.get("XDG_CACHE_HOME") or (home and f"{home}/.cache")
    )
    return Path(base).absolute() / "membench" if base else None


def cache_directory(name: str) -> Path | None:
    """The directory ``name`` of the user's cache, created if needed.

    None if this process cannot write there, or if another user could have put files there.
    """
    base = cache_base(os.environ)
    if base is None or untrusted(base):
        return None
    path = base / name
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(path, os.W_OK | os.X_OK) or untrusted(path) or _foreign_file(path):
            return None
    except OSError:
        return None
    return path


def untrusted(path: Path) -> str:
    """Why another user could put files into ``path``; empty if only this user and root can.

    Every existing directory on the path is checked, as written and with symbolic links resolved. A
    directory with the sticky bit, such as /tmp, is safe as a parent: no other user can replace our
    files in it.
    """
    written = path.absolute()
    for whole in dict.fromkeys((written, written.resolve())):
        for place in (*reversed(whole.parents), whole):
            try:
                status = place.stat()
            except OSError:
                break
            if status.st_uid not in (0, os.getuid()):
                return f"{place} belongs to another user"
            if status.st_mode & _WRITABLE_BY_OTHERS and (
                place == whole or not status.st_mode & stat.S_ISVTX
            ):
                return f"{place} can be written by other users"
    return ""


def _foreign_file(directory: Path) -> str:
    """The name of a file in ``directory`` that another user owns or may write to; empty if none."""
    for entry in directory.iterdir():
        status = entry.lstat()
        if status.st_uid not in (0, os.getuid()) or status.st_mode & _WRITABLE_BY_OTHERS:
            return str(entry)
    return ""


def cache_problem(environ: Mapping[str, str]) -> str:
    """Why the caches of compiled code are not safe to load; empty if they are safe."""
    base = cache_base(environ)
    if base is None:
        return ""
    if problem := untrusted(base):
        return problem
    try:
        for directory in base.iterdir() if base.is_dir() else ():
            if directory.is_dir() and (problem := untrusted(directory)):
                return problem
            if directory.is_dir() and (file := _foreign_file(directory)):
                return f"{file} belongs to another user, or can be written by other users"
    except OSError:
        return ""  # nobody can load a cache from a directory that cannot be read
    return ""


@contextmanager
def private_cache(directory: Path) -> Iterator[dict[str, str]]:
    """Environment variables that give workers a private cache of compiled code in ``directory``.

    The cache is removed when the context ends. The dict is empty if no private cache is possible
    there.
    """
    if untrusted(directory):
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix=".membench-kernels-", dir=directory) as kept:
        yield {NUMBA_CACHE_DIR: kept}
