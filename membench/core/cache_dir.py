"""The directories in which processes share compiled code, because every round is a new process.

membench executes this code. So it uses a directory only if no other user except root could have put
files into it.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from membench.core.files import no_file_in
from membench.core.text import shell_word

NUMBA_CACHE_DIR = "NUMBA_CACHE_DIR"
_WRITABLE_BY_OTHERS = 0o022
_DIGEST = 64  # characters in a digest
_ELSEWHERE = "use a directory that only you can write to: export NUMBA_CACHE_DIR=DIR"


def cache_base(environ: Mapping[str, str]) -> Path | None:
    """The directory ``membench`` that contains all caches of membench.

    The parent is ``NUMBA_CACHE_DIR``, else ``XDG_CACHE_HOME``, else ``~/.cache``. A relative
    ``XDG_CACHE_HOME`` is ignored, as the XDG Base Directory Specification requires. The result is
    None if all three directories are unknown.
    """
    home, xdg = environ.get("HOME", ""), environ.get("XDG_CACHE_HOME", "")
    base = environ.get(NUMBA_CACHE_DIR) or (xdg if Path(xdg).is_absolute() else "")
    base = base or (home and f"{home}/.cache")
    return Path(base).absolute() / "membench" if base else None


def cache_directory(name: str) -> Path | None:
    """The directory ``name`` of the user's cache, created if needed.

    The result is None if there is no `cache_base`, if this process cannot write to the directory,
    or if another user could have put files into it.
    """
    base = cache_base(os.environ)
    if base is None or untrusted(base):
        return None
    path = base / name
    try:
        _make(path)
        if not os.access(path, os.W_OK | os.X_OK) or untrusted(path) or _foreign_file(path):
            return None
    except OSError:
        return None
    return path


def _make(path: Path) -> None:
    """Create the directory ``path`` and missing parents, so that only this user has access."""
    for place in (*reversed(path.parents), path):
        if not place.is_dir():
            place.mkdir(mode=0o700, exist_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` in a cache directory, completely or not at all.

    Only this user can write to the file, whatever the umask. A failure is not an error.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
    with suppress(OSError):
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(partial, flags, 0o600), "wb") as file:
            file.write(content)
        partial.replace(path)
    with suppress(OSError):
        partial.unlink(missing_ok=True)


def write_sealed(path: Path, content: bytes) -> None:
    """Like `write_whole`, with the digest of ``content`` in front of it."""
    write_whole(path, hashlib.sha256(content).hexdigest().encode() + content)


def read_sealed(path: Path) -> bytes | None:
    """The content that `write_sealed` wrote; None if the file is missing or damaged."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest, content = data[:_DIGEST], data[_DIGEST:]
    return content if digest == hashlib.sha256(content).hexdigest().encode() else None


def untrusted(path: Path) -> str:
    """The reason why another user could put files into ``path``; empty if no other user can.

    Root does not count. All existing directories of the path are checked, as written and with
    symbolic links resolved. A parent with the sticky bit, such as /tmp, is safe, because other
    users cannot replace this user's files there.
    """
    return _untrusted(path)[0]


def _untrusted(path: Path) -> tuple[str, str]:
    """The result of `untrusted`, and a remedy; both are empty if ``path`` can be trusted."""
    written = path.absolute()
    for whole in dict.fromkeys((written, written.resolve())):
        for place in (*reversed(whole.parents), whole):
            try:
                status = place.stat()
            except OSError:
                break
            if status.st_uid not in (0, os.getuid()):
                return f"{place} belongs to another user", _ELSEWHERE
            if status.st_mode & _WRITABLE_BY_OTHERS and (
                place == whole or not status.st_mode & stat.S_ISVTX
            ):
                own = os.getuid() in (0, status.st_uid)
                remedy = f"chmod go-w {shell_word(place)}" if own else _ELSEWHERE
                return f"{place} can be written by other users", remedy
    return "", ""


def _foreign_file(directory: Path) -> str:
    """Path of a file that another user (not root) owns or may write to; empty if there is none."""
    for entry in directory.iterdir():
        try:
            status = entry.lstat()
        except FileNotFoundError:  # another process has just renamed or removed the file
            continue
        if status.st_uid not in (0, os.getuid()) or status.st_mode & _WRITABLE_BY_OTHERS:
            return str(entry)
    return ""


def cache_problem(environ: Mapping[str, str]) -> str:
    """The reason why membench cannot use its caches of compiled code; empty if it can."""
    return _trouble(environ)[0]


def cache_remedy(environ: Mapping[str, str]) -> str:
    """How to solve the `cache_problem`; empty without a problem."""
    return _trouble(environ)[1]


def _trouble(environ: Mapping[str, str]) -> tuple[str, str]:
    base = cache_base(environ)
    if base is None:
        return "this user has no home directory", _ELSEWHERE
    if problem := no_file_in(base):
        return problem, _ELSEWHERE
    if (found := _untrusted(base))[0]:
        return found
    try:
        for directory in base.iterdir() if base.is_dir() else ():
            if not directory.is_dir():
                continue
            if (found := _untrusted(directory))[0]:
                return found
            if file := _foreign_file(directory):
                why = f"{file} belongs to another user, or can be written by other users"
                return why, f"rm -r {shell_word(file)}"
    except OSError:
        return "", ""  # nobody can load a cache from a directory that cannot be read
    return "", ""


@contextmanager
def private_cache(directory: Path) -> Iterator[dict[str, str]]:
    """Environment variables that give workers a private cache of compiled code in ``directory``.

    The cache is removed when the context ends. The dict is empty if ``directory`` is `untrusted`.
    """
    if untrusted(directory):
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix=".membench-kernels-", dir=directory) as kept:
        yield {NUMBA_CACHE_DIR: kept}
