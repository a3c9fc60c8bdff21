"""Reading what somebody else may have written: bounded in size and depth, and never a traceback."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from membench.core.errors import SchemaError
from membench.core.units import about_size

MAX_JSON = 32 << 20
"""Bytes of a JSON file: a hundred times what a full run writes; parsed it may be 20 times that."""


def read_bytes(path: Path, limit: int) -> bytes:
    """The content of ``path``, a file or a pipe, of at most ``limit`` bytes.

    Raises:
        SchemaError: one line without the path: it is not there, not readable, too
            large, or neither a file nor a pipe (a device has no end).
    """
    try:
        status = path.stat()
        mode = status.st_mode
        if stat.S_ISDIR(mode):
            raise SchemaError("a directory, not a file", "name a file in it")
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise SchemaError("neither a file nor a pipe")
        # Asked for as many bytes as there may be, Python would set memory aside for all of them.
        size = min(status.st_size, limit)
        with path.open("rb") as file:
            data = file.read(size + 1)
            if len(data) > size:  # a pipe, which tells no size, or a file that grows
                data += file.read(limit - size)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        gone = isinstance(error, FileNotFoundError)
        hint = "look at its name, and at the directory" if gone else ""
        raise SchemaError(f"cannot be read: {reason}", hint) from None
    if len(data) > limit:
        raise SchemaError(f"larger than {about_size(limit)}, which no file of this kind is")
    return data


def parse_json(data: bytes) -> Any:
    """What ``data`` says, with ``NaN`` and ``Infinity`` refused as JSON refuses them.

    Raises:
        ValueError: it is no JSON, or nested too deeply to be meant.
    """
    try:
        return json.loads(data, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON number")
