"""Read files that others may have written, with limits of size and depth.

Opening a path never blocks, except for a pipe that the user named.
"""

from __future__ import annotations

import io
import json
import math
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from membench.core.errors import SchemaError
from membench.core.text import one_line, one_lines
from membench.core.units import about_size

MAX_JSON = 32 << 20
"""Maximum size of a JSON file in bytes; far above the size after a full run."""
MAX_TOML = 1 << 20
"""Maximum size of a TOML file in bytes; the parser needs seconds for a larger file."""
MAX_DIGITS = 40
"""Maximum number of characters of an integer in a JSON file or a CSV cell, including the sign."""

_STEP = 1 << 20
_XZ, _GZIP = b"\xfd7zXZ\x00", b"\x1f\x8b"
_XZ_MEMORY = 128 << 20  # the highest preset of xz needs 65 MiB


class NotText(SchemaError):
    """A file that should be text contains a zero byte."""


def read_bytes(path: Path, limit: int, *, pipe: bool = False, text: bool = False) -> bytes:
    """Read the file ``path``, which may have at most ``limit`` bytes.

    Args:
        pipe: whether the path may be a pipe; only for a path that the user named.
        text: whether the file must be text. A zero byte then stops the read, so that a large sparse
            file is rejected quickly.

    Raises:
        SchemaError: the file is missing, unreadable, too large, or not a regular file. The message
            does not contain the path.
        NotText: ``text`` is True, and the file contains a zero byte.
    """
    try:
        with open_file(path, pipe=pipe) as file:
            size = os.fstat(file.fileno()).st_size
            if size > limit:
                raise _too_large(limit)
            # A single read of up to the limit would make Python allocate that much memory.
            parts: list[bytes] = []
            left = limit + 1
            while left and (data := file.read(min(_STEP, left))):
                if text and b"\0" in data:
                    raise NotText("the file is not text")
                parts.append(data)
                left -= len(data)
    except (OSError, ValueError) as error:
        raise _unreadable(error) from None
    if not left:
        raise _too_large(limit)
    return b"".join(parts)


def open_file(path: Path, *, pipe: bool = False) -> io.FileIO:
    """Open ``path`` for unbuffered reading.

    Args:
        pipe: whether the path may be a pipe; only for a path that the user named.

    Raises:
        SchemaError: the path is not a regular file, and not a pipe that ``pipe`` allows.
        OSError, ValueError: the path cannot be opened.
    """
    if pipe and stat.S_ISFIFO(path.stat().st_mode):
        return io.FileIO(path)  # opening a pipe waits for the writer, as the user expects
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return io.FileIO(descriptor)
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise SchemaError("this is a directory, not a file", "name a file in this directory")
    if pipe:
        raise SchemaError("this is neither a file nor a pipe", "name a regular file or a pipe")
    raise SchemaError("this is not a regular file", "name a regular file")


def unpack(packed: bytes, name: str, limit: int) -> bytes:
    """Unpack xz or gzip data to at most ``limit`` bytes; other data stay unchanged.

    The first bytes of the data, or the suffix of ``name``, identify the format.

    Raises:
        SchemaError: the data are damaged or truncated, or the unpacked data would exceed ``limit``
            bytes.
    """
    import lzma
    import zlib

    if packed.startswith(_XZ) or name.endswith(".xz"):
        pieces = _from_xz(packed)
    elif packed.startswith(_GZIP) or name.endswith(".gz"):
        pieces = _from_gzip(packed)
    else:
        return packed
    parts: list[bytes] = []
    left = limit
    try:
        for data in pieces:
            left -= len(data)
            if left < 0:
                raise _too_large(limit)
            parts.append(data)
    except (lzma.LZMAError, zlib.error, OSError, EOFError):
        raise SchemaError(
            "the file is damaged or truncated, and cannot be unpacked", "fetch the file again"
        ) from None
    return b"".join(parts)


def _from_xz(packed: bytes) -> Iterator[bytes]:
    """Unpack one or more xz streams in pieces; zero bytes may follow each stream."""
    import lzma

    while packed:
        stream = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
        while not stream.eof:
            data = stream.decompress(packed, _STEP)
            packed = b""
            if not data and stream.needs_input and not stream.eof:
                raise EOFError
            yield data
        packed = stream.unused_data.lstrip(b"\0")


def _from_gzip(packed: bytes) -> Iterator[bytes]:
    import gzip

    with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
        while data := file.read(_STEP):
            yield data


def parse_json(data: bytes, *, constant: Callable[[str], Any] | None = None) -> Any:
    """Parse JSON; every text becomes one printable line.

    Args:
        constant: returns the value of ``Infinity``, ``-Infinity`` or ``NaN``; None to refuse them.

    Raises:
        ValueError: the data are not JSON, are nested too deeply, or contain a float that is too
            large to represent or an integer of more than `MAX_DIGITS` characters.
    """
    try:
        found = json.loads(
            data, parse_constant=constant or _refuse, parse_float=_finite, parse_int=_whole_number
        )
        return found if _plain(data) else one_lines(found)
    except RecursionError:
        raise ValueError("the data are nested too deeply") from None


def parse_toml(data: bytes) -> dict[str, Any]:
    """Parse TOML; every text becomes one printable line.

    Numbers may be infinite or NaN, so the caller must check numbers.

    Raises:
        ValueError: the data are not TOML in UTF-8, are nested too deeply, or contain an integer of
            more than `MAX_DIGITS` digits.
    """
    import tomllib

    try:
        content = tomllib.loads(data.decode("utf-8"))
        _check_integers(content)
        found: dict[str, Any] = one_lines(content)
    except UnicodeDecodeError:
        raise ValueError("the file is not text in UTF-8") from None
    except RecursionError:
        raise ValueError("the data are nested too deeply") from None
    return found


def _check_integers(value: Any) -> None:
    if isinstance(value, int) and abs(value) >= 10**MAX_DIGITS:
        raise ValueError(f"a number has more than {MAX_DIGITS} digits")
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            _check_integers(one)


def _plain(data: bytes) -> bool:
    """Whether it is certain that `one_line` changes no text in ``data``."""
    return data.isascii() and not any(one in data for one in (b"\\", b"::", b"##", b"\x7f"))


def _whole_number(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a number has {len(digits)} digits, more than {MAX_DIGITS}")
    return int(digits)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not a JSON number")


def _too_large(limit: int) -> SchemaError:
    what = f"the file is larger than {about_size(limit)}, the limit for such files"
    return SchemaError(what, "check that this is the right file")


def _unreadable(error: OSError | ValueError) -> SchemaError:
    reason = getattr(error, "strerror", None) or one_line(str(error))
    hint = "check the path and the disk"
    if isinstance(error, FileNotFoundError):
        hint = "check the file name and the directory"
    elif isinstance(error, PermissionError):
        hint = "check the permissions of the file"
    return SchemaError(f"cannot be read: {reason}", hint)
