"""Digests of the files in the kernel cache, so that a damaged file is discarded and not run.

Numba keeps no digests of its own, and damaged machine code may crash or compute wrong results.
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
    """Numba's index and machine-code files below ``directory``."""
    return (path for path in directory.rglob("*") if path.suffix in _SUFFIXES and path.is_file())


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def record_digests(directory: Path) -> None:
    """Record the digests of all compiled files below ``directory``, all or none."""
    with suppress(OSError):
        found = {str(path.relative_to(directory)): _digest(path) for path in _files(directory)}
        partial = directory / f"{_DIGESTS}.{os.getpid()}"
        partial.write_text(json.dumps(found), encoding="utf-8")
        partial.replace(directory / _DIGESTS)


def discard_damaged(directory: Path) -> list[Path]:
    """Remove the compiled files below ``directory`` that differ from their recorded digests.

    A file without a digest is kept: another process may be about to record it.

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
