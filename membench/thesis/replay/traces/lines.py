"""The lines of a trace file, and errors that give the line number."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from membench.core.errors import SchemaError
from membench.core.files import shown
from membench.core.record import record
from membench.core.units import about_size
from membench.core.untrusted import read_bytes, unpack
from membench.thesis.replay.trace import TraceError

MAX_BYTES = 4 << 30
"""Maximum size of a decompressed trace in bytes."""
SMALL = 64 << 20
RATIO = 32
"""A compressed trace may expand to `SMALL` bytes, or to this multiple of its size if that is more.

The shipped traces expand by half of this.
"""
MAX_LINE = 32 << 20
"""Maximum bytes of a line, enough for a session of thousands of requests; parsing it may take 20
times as much memory.
"""
_SHORTEST = 16  # minimum mean bytes per line: a file of empty lines is not a trace

_MOST = 1 << 53  # largest exact integer in a double; lengths and times must be below
_POINTER = b"version https://git-lfs.github.com/spec/"
_PAGE = re.compile(rb"\s*<(?:!doctype html|html)", re.IGNORECASE)
_RESULTS = re.compile(rb"(?:\xef\xbb\xbf)?schema,run_id,|[^\n]*membench\.results/")
_FORMS = "docs/replay.md says which forms of traces are read"
_ZSTD = b"\x28\xb5\x2f\xfd"


@record
class Lines:
    """The name of a file and its lines."""

    name: str
    lines: list[bytes]

    @property
    def first(self) -> int:
        """The number of the first line that is not blank; 0 if all lines are blank."""
        return next((number for number, line in enumerate(self.lines, 1) if line.strip()), 0)

    def fail(self, number: int, what: str, hint: str = "") -> NoReturn:
        """Raise a `TraceError` about line ``number`` (the first line is 1)."""
        raise TraceError(f"{self.name}, line {number}: {what}", hint or _FORMS)

    def objects(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """The JSON object in each line, with the line number."""
        written = [number for number, line in enumerate(self.lines, 1) if line.strip()]
        if not written:
            raise TraceError(f"{self.name}: the file is empty", "was the download complete?")
        for number in written:
            yield number, self.parse(number, self.lines[number - 1])

    def parse(self, number: int, line: bytes) -> Mapping[str, Any]:
        """The JSON object in one line."""
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            last = number == len(self.lines) > 1
            self.fail(number, "this is not JSON" + (": is the file cut off?" if last else ""))
        if not isinstance(found, dict):
            self.fail(number, "this is not a JSON object")
        return found

    def time(self, number: int, entry: Mapping[str, Any], key: str) -> float:
        """``entry[key]``, which must be a time (0 or more)."""
        value = entry.get(key)
        numeric = type(value) is int or type(value) is float
        if not numeric or value is None or not 0 <= value < _MOST:  # also rejects NaN
            self.fail(number, f"'{key}' must be a time of 0 or more, not {_shown(value)}")
        return float(value)

    def whole(self, number: int, entry: Mapping[str, Any], key: str) -> int:
        """``entry[key]``, which must be a whole number (0 or more)."""
        value = entry.get(key)
        if type(value) is not int or not 0 <= value < _MOST:
            self.fail(number, f"'{key}' must be a whole number of 0 or more, not {_shown(value)}")
        return value


def _shown(value: object) -> str:
    """``value`` for a message: shortened, on one line, in ASCII."""
    text = json.dumps(value) if value is not None else "nothing"
    return text if len(text) <= 40 else f"{text[:37]}..."


def read_trace_bytes(path: Path) -> bytes:
    """The content of ``path``, decompressed if it is compressed with xz or gzip.

    Raises:
        TraceError: the file cannot be read, is damaged, has another compression, is a Git LFS
            pointer, or is too large.
    """
    name = shown(path)
    try:
        packed = read_bytes(path, MAX_BYTES, pipe=True)
        data = unpack(packed, path.name, min(MAX_BYTES, max(SMALL, RATIO * len(packed))))
    except SchemaError as error:
        raise TraceError(f"{name}: {error}", error.hint) from None
    del packed
    if data.startswith(_POINTER):
        raise TraceError(
            f"{name}: this is a Git LFS pointer, not the trace",
            "in the clone of its repository: git lfs pull",
        )
    if _PAGE.match(data):
        raise TraceError(f"{name}: this is a web page, not the trace", "download the raw file")
    if _RESULTS.match(data):
        raise TraceError(
            f"{name}: this is a results file of membench, not a trace",
            "membench compare and report read it",
        )
    if data.startswith(_ZSTD):
        raise TraceError(
            f"{name}: compressed with zstd, which is not supported", "decompress it: zstd -d FILE"
        )
    if data.count(b"\n") > SMALL // _SHORTEST and data.count(b"\n") > len(data) // _SHORTEST:
        raise TraceError(f"{name}: not a trace: its lines have {_SHORTEST} bytes or fewer")
    return data


def as_utf8(content: bytes) -> bytes:
    """``content`` as UTF-8 without a byte order mark; PowerShell writes UTF-16."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        content = content.decode("utf-16", "replace").encode("utf-8", "replace")
    return content.removeprefix(b"\xef\xbb\xbf")


def lines_of(data: bytes, name: str) -> list[bytes]:
    """The lines of ``data``.

    Raises:
        TraceError: a line is too long for a trace.
    """
    lines = data.splitlines()
    if len(max(lines, key=len, default=b"")) > MAX_LINE:
        raise TraceError(f"{name}: not a trace: a line is longer than {about_size(MAX_LINE)}")
    return lines
