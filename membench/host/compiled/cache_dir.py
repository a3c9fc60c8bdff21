"""Where compiled code is kept between processes: every round is a new one."""

from __future__ import annotations

import os
from pathlib import Path


def cache_directory(name: str) -> Path | None:
    """The directory ``name`` of the user's cache, made if need be; None where it cannot be written.

    ``NUMBA_CACHE_DIR`` is honoured, then ``XDG_CACHE_HOME``, then ``~/.cache``.
    A shared temporary directory is never used: what lies there would be run.
    """
    home = os.environ.get("HOME", "")
    base = (
        os.environ.get("NUMBA_CACHE_DIR")
        or os.environ.get("XDG_CACHE_HOME")
        or (home and f"{home}/.cache")
    )
    if not base:
        return None
    path = Path(base) / "membench" / name
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return None
    return path if os.access(path, os.W_OK | os.X_OK) else None
