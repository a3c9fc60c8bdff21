"""The lines of a trace file, and complaints that name them."""

from __future__ import annotations

import gzip
import json
import lzma
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from membench.thesis.replay.trace import TraceError

_MOST = 1 << 53  # what a double holds exactly: no length and no time is larger
_POINTER = b"version https://git-lfs.github.com/spec/"
_XZ, _GZIP, _ZSTD = b"\xfd7zXZ\x00", b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True)
class Lines:
    """A file's name and its lines."""

    name: str
    lines: list[bytes]

    def fail(self, number: int, what: str, hint: str = "") -> NoReturn:
        """Complain about line ``number`` (from 1)."""
        raise TraceError(f"{self.name}, line {number}: {what}", hint)

    def objects(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """The JSON object of each line, with the line's number."""
        if not self.lines:
            raise TraceError(f"{self.name}: the file is empty")
        for number, line in enumerate(self.lines, 1):
            yield number, self.parse(number, line)

    def parse(self, number: int, line: bytes) -> Mapping[str, Any]:
        """The JSON object of one line."""
        if not line.strip():
            self.fail(number, "the line is empty")
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            last = number == len(self.lines)
            self.fail(number, "this is not JSON" + (": is the file cut off?" if last else ""))
        if not isinstance(found, dict):
            self.fail(number, "this is no JSON object")
        return found

    def time(self, number: int, entry: Mapping[str, Any], key: str) -> float:
        """``entry[key]``, a time of 0 or more."""
        value = entry.get(key)
        numeric = type(value) is int or type(value) is float
        if not numeric or value is None or not 0 <= value < _MOST:  # NaN is not either
            self.fail(number, f"'{key}' must be a time of 0 or more, not {_shown(value)}")
        return float(value)

    def whole(self, number: int, entry: Mapping[str, Any], key: str) -> int:
        """``entry[key]``, a whole number of 0 or more."""
        value = entry.get(key)
        if type(value) is not int or not 0 <= value < _MOST:
            self.fail(number, f"'{key}' must be a whole number of 0 or more, not {_shown(value)}")
        return value


def _shown(value: object) -> str:
    """``value`` in a message: short, on one line, in ASCII."""
    text = json.dumps(value) if value is not None else "nothing"
    return text if len(text) <= 40 else f"{text[:37]}..."


def read_bytes(path: Path) -> bytes:
    """What is in ``path``, unpacked if it is packed with xz or gzip.

    Raises:
        TraceError: it is damaged, packed otherwise, or a pointer to a file that is not here.
    """
    content = unpack(path.read_bytes(), str(path))
    if content.startswith(_POINTER):
        raise TraceError(
            f"{path}: this is a Git LFS pointer, not the trace",
            "in the clone of its repository: git lfs pull",
        )
    return content


def unpack(packed: bytes, name: str) -> bytes:
    """What is in ``packed``, by its first bytes or the end of ``name``."""
    try:
        if packed.startswith(_XZ) or name.endswith(".xz"):
            return lzma.decompress(packed)
        if packed.startswith(_GZIP) or name.endswith(".gz"):
            return gzip.decompress(packed)
    except (lzma.LZMAError, OSError, EOFError, zlib.error):
        raise TraceError(f"{name}: damaged or cut off, cannot be unpacked") from None
    if packed.startswith(_ZSTD):
        raise TraceError(f"{name}: packed with zstd, which is not read", "unpack it: zstd -d FILE")
    return packed
