"""Results that took long to compute, kept on disk under a digest of all their inputs.

The cache only saves time: what is damaged, cannot be written, or lies where another user could
have put it is computed again.  See `membench.core.cache_dir` for where it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from membench.core.cache_dir import cache_directory

MOST_FILES = 400
"""In one directory of the cache; beyond that the quarter that was not used longest goes."""
_DIGEST = 64  # characters
_SOURCES = {".py", ".toml", ".json", ".jsonl"}


def key_of(*parts: Any) -> str:
    """Hex digest of ``parts``, plain data as JSON has it."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@cache
def sources_key(*places: Path) -> str:
    """Hex digest of the sources and data at or below ``places``, files and directories."""
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
    """The installed version of ``package``, empty where it has none."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def kept(directory: str, key: str, make: Callable[[], bytes]) -> bytes:
    """What ``make`` gives, from the cache where it has been made before.

    Args:
        directory: of the cache.
        key: from `key_of`, of everything that decides what ``make`` gives.
    """
    found = load(directory, key)
    if found is None:
        found = make()
        store(directory, key, found)
    return found


def load(directory: str, key: str) -> bytes | None:
    """What is kept under ``key``, None where it is not there whole."""
    place = cache_directory(directory)
    if place is None:
        return None
    path = place / key
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest, content = data[:_DIGEST], data[_DIGEST:]
    if digest != hashlib.sha256(content).hexdigest().encode():
        return None
    with suppress(OSError):
        os.utime(path)  # used last now
    return content


def store(directory: str, key: str, content: bytes) -> None:
    """Keep ``content`` under ``key``, whole or not at all."""
    place = cache_directory(directory)
    if place is None:
        return
    path = place / key
    partial = path.with_name(f"{key}.{os.getpid()}.{threading.get_ident()}")
    with suppress(OSError):
        partial.write_bytes(hashlib.sha256(content).hexdigest().encode() + content)
        partial.replace(path)
    with suppress(OSError):
        partial.unlink(missing_ok=True)
        _discard_oldest(place)


def _discard_oldest(directory: Path) -> None:
    files = list(directory.iterdir())
    if len(files) > MOST_FILES:
        for path in sorted(files, key=lambda one: one.stat().st_mtime)[: len(files) // 4]:
            path.unlink(missing_ok=True)
