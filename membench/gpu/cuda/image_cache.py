"""A cache of compilations on disk. The key is a digest of all inputs of a compilation."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from membench.core.cache_dir import cache_directory, write_whole

IMAGES = "images"
"""Name of the subdirectory for compiled images in membench's cache directory."""


def image_key(parts: Iterable[bytes]) -> str:
    """Hex digest of ``parts`` and their lengths, so that different lists have different digests."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def load_image(key: str) -> dict[str, Any] | None:
    """The cache entry for ``key``; None if the entry is missing or damaged."""
    directory = cache_directory(IMAGES)
    if directory is None:
        return None
    try:
        data = json.loads((directory / f"{key}.json").read_bytes())
        cubin = base64.b64decode(data["cubin"], validate=True)
        whole = data.pop("sha256") == hashlib.sha256(cubin).hexdigest()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    # Never load damaged machine code into a GPU.
    return {**data, "cubin": cubin} if whole else None


def is_kept(key: str) -> bool:
    directory = cache_directory(IMAGES)
    return directory is not None and (directory / f"{key}.json").exists()


def store_image(key: str, image: dict[str, Any]) -> None:
    """Store ``image`` under ``key``, completely or not at all.

    If the cache cannot be written, the function does nothing.
    """
    directory = cache_directory(IMAGES)
    if directory is None:
        return
    digest = hashlib.sha256(image["cubin"]).hexdigest()
    data = {**image, "cubin": base64.b64encode(image["cubin"]).decode(), "sha256": digest}
    write_whole(directory / f"{key}.json", json.dumps(data).encode())
