"""Digests of the files in the kernel cache, so that a damaged file is discarded and not run.

Numba writes a file before this module can record the file's digest. So a process locks the cache
while it compiles, and processes check for damage only while no process compiles.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_DIGESTS = "digests.json"
_COMPILING = "compiling.lock"  # a shared lock: all processes that compile hold it at once
_RECORDING = "recording.lock"  # an older record of digests must not replace a newer record
_SUFFIXES = {".nbi", ".nbc"}  # Numba's index and machine code


def _files(directory: Path) -> Iterator[Path]:
    return (path for path in directory.rglob("*") if path.suffix in _SUFFIXES and path.is_file())


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def _locked(path: Path, how: int) -> Iterator[bool]:
    """Hold an advisory lock on ``path``; ``how`` is the operation of flock(2).

    Yields False if another process holds the lock, otherwise True, even if locks are impossible.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:  # no process can write here, so no process compiles here
        yield True
        return
    try:
        try:
            fcntl.flock(descriptor, how)
        except BlockingIOError:
            yield False
        except OSError:
            yield True
        else:
            yield True
    finally:
        os.close(descriptor)


@contextmanager
def compiling(directory: Path) -> Iterator[None]:
    """A context in which no other process checks the files below ``directory``."""
    with _locked(directory / _COMPILING, fcntl.LOCK_SH):
        yield


def record_digests(directory: Path) -> None:
    """Record the digests of all compiled files below ``directory`` in one atomic write.

    If a file cannot be read or written, the earlier record stays.
    """
    with suppress(OSError), _locked(directory / _RECORDING, fcntl.LOCK_EX):
        found = {str(path.relative_to(directory)): _digest(path) for path in _files(directory)}
        partial = directory / f"{_DIGESTS}.{os.getpid()}"
        partial.write_text(json.dumps(found), encoding="utf-8")
        partial.replace(directory / _DIGESTS)


def discard_damaged(directory: Path) -> list[Path]:
    """Remove the compiled files below ``directory`` that differ from their recorded digests.

    Returns the removed files. While another process compiles, the function removes no file.
    """
    with _locked(directory / _COMPILING, fcntl.LOCK_EX | fcntl.LOCK_NB) as alone:
        return _discarded(directory) if alone else []


def _discarded(directory: Path) -> list[Path]:
    try:
        kept = json.loads((directory / _DIGESTS).read_bytes())
        recorded = kept if isinstance(kept, dict) else {}
    except (OSError, ValueError):
        recorded = {}
    removed: list[Path] = []
    for path in list(_files(directory)):
        with suppress(OSError):
            # A process that was killed after it compiled a file has recorded no digest.
            if recorded.get(str(path.relative_to(directory)), digest := _digest(path)) != digest:
                path.unlink()
                removed.append(path)
    return removed


def discard_all(directory: Path) -> None:
    for path in list(_files(directory)):
        with suppress(OSError):
            path.unlink()
