"""Digests of what the kernel cache holds: a damaged file is discarded instead of being run.

Numba's own files carry none, and machine code with a wrong bit ends in a crash or worse.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_DIGESTS = "digests.json"
_SUFFIXES = {".nbi", ".nbc"}


def _files(directory: Path) -> Iterator[Path]:
    """Numba's indices and machine code below ``directory``."""
    return (path for path in directory.rglob("*") if path.suffix in _SUFFIXES and path.is_file())


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def record_digests(directory: Path) -> None:
    """Keep the digests of all compiled files below ``directory``, whole or not at all."""
    with suppress(OSError):
        found = {str(path.relative_to(directory)): _digest(path) for path in _files(directory)}
        partial = directory / f"{_DIGESTS}.{os.getpid()}"
        partial.write_text(json.dumps(found), encoding="utf-8")
        partial.replace(directory / _DIGESTS)


def discard_damaged(directory: Path) -> list[Path]:
    """Remove the compiled files below ``directory`` that are not what was recorded of them.

    A file that is not recorded yet stays: another process may be about to record it.

    Returns:
        The files that were removed.
    """
    try:
        kept = json.loads((directory / _DIGESTS).read_bytes())
        recorded = kept if isinstance(kept, dict) else {}
    except (OSError, ValueError):
        recorded = {}
    removed: list[Path] = []
    for path in list(_files(directory)):
        with suppress(OSError):
            if recorded.get(str(path.relative_to(directory)), digest := _digest(path)) != digest:
                path.unlink()
                removed.append(path)
    return removed


def discard_all(directory: Path) -> None:
    """Remove all compiled files below ``directory``."""
    for path in list(_files(directory)):
        with suppress(OSError):
            path.unlink()
