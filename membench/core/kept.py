"""A cache on disk for results that take long to compute; the key is a digest of all inputs.

membench computes a result again if the cached file is missing, damaged or not trusted.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from membench.core.cache_dir import cache_directory, read_sealed, write_sealed

MOST_FILES = 400
"""Maximum number of files in a cache directory.

Above this number, membench deletes the least recently used quarter of the files.
"""
_SOURCES = {".py", ".toml", ".json", ".jsonl"}


def key_of(*parts: Any) -> str:
    """Hex digest of ``parts``, which JSON must be able to represent."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@cache
def sources_key(*places: Path) -> str:
    """Hex digest of the names and contents of source and data files.

    ``places`` are files, or directories that are searched recursively. Only files with a suffix in
    `_SOURCES` count.
    """
    digest = hashlib.sha256()
    for place in places:
        files = sorted(place.rglob("*")) if place.is_dir() else [place]
        for file in files:
            if file.suffix in _SOURCES:
                content = file.read_bytes()
                digest.update(f"{file.relative_to(place.parent)} {len(content)}\n".encode())
                digest.update(content)
    return digest.hexdigest()


@cache
def version_of(package: str) -> str:
    """The installed version of ``package``; empty if ``package`` is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def kept(directory: str, key: str, make: Callable[[], bytes]) -> bytes:
    """Return the cached result for ``key``; if there is none, call ``make()`` and cache the result.

    Args:
        directory: name of the cache directory.
        key: digest from `key_of` of everything that the result depends on.
    """
    found = load(directory, key)
    if found is None:
        found = make()
        store(directory, key, found)
    return found


def load(directory: str, key: str) -> bytes | None:
    """The cached content for ``key``; None if it is missing, damaged or not trusted."""
    place = cache_directory(directory)
    if place is None:
        return None
    path = place / key
    content = read_sealed(path)
    if content is not None:
        with suppress(OSError):
            os.utime(path)  # marks the file as the most recently used
    return content


def store(directory: str, key: str, content: bytes) -> None:
    """Store ``content`` in the cache under ``key``, completely or not at all; ignore errors."""
    place = cache_directory(directory)
    if place is None:
        return
    write_sealed(place / key, content)
    with suppress(OSError):
        _discard_oldest(place)


def _discard_oldest(directory: Path) -> None:
    files = list(directory.iterdir())
    if len(files) > MOST_FILES:
        for path in sorted(files, key=lambda one: one.stat().st_mtime)[: len(files) // 4]:
            path.unlink(missing_ok=True)
