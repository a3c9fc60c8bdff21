"""Reads the lines of a trace file. Error messages give the line number."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from membench.core.errors import SchemaError
from membench.core.files import shown
from membench.core.record import record
from membench.core.text import shell_word
from membench.core.units import about_size
from membench.core.untrusted import read_bytes, unpack
from membench.thesis.replay.trace import TraceError

MAX_BYTES = 4 << 30
"""Maximum size of a decompressed trace in bytes."""
SMALL = 64 << 20
RATIO = 32
"""Maximum ratio of decompressed to compressed size, above `SMALL` bytes; usually below 16."""
MAX_LINE = 32 << 20
"""Maximum bytes of a line: enough for a session of thousands of requests.

The parser can need 20 times as much memory.
"""
_SHORTEST = 16  # minimum mean bytes per line, to reject a file of empty lines

_MOST = 1 << 53  # limit of lengths and times: a double is exact up to here
_POINTER = b"version https://git-lfs.github.com/spec/"
_PAGE = re.compile(rb"\s*<(?:!doctype html|html)", re.IGNORECASE)
_RESULTS = re.compile(rb"(?:\xef\xbb\xbf)?schema,run_id,|[^\n]*membench\.results/")
_FORMS = "docs/replay.md describes the formats of traces"
_ZSTD = b"\x28\xb5\x2f\xfd"


@record
class Lines:
    """The lines of a trace file, with the name of the file for error messages.

    Each method that finds an invalid line raises `TraceError`.
    """

    name: str
    lines: list[bytes]

    @cached_property
    def written(self) -> list[int]:
        """The numbers (from 1) of the lines that are not blank."""
        return [number for number, line in enumerate(self.lines, 1) if line.strip()]

    @property
    def first(self) -> int:
        """The number (from 1) of the first line that is not blank; 0 if all lines are blank."""
        return next((number for number, line in enumerate(self.lines, 1) if line.strip()), 0)

    def fail(self, number: int, what: str, hint: str = "") -> NoReturn:
        """Raise a `TraceError` about line ``number`` (from 1); ``what`` describes the problem."""
        raise TraceError(f"{self.name}, line {number}: {what}", hint or _FORMS)

    def objects(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """(line number, JSON object) of each line that is not blank. A blank file is an error."""
        if not self.written:
            raise TraceError(
                f"{self.name}: the file is empty", "check that the download was complete"
            )
        for number in self.written:
            yield number, self.parse(number, self.lines[number - 1])

    def parse(self, number: int, line: bytes) -> Mapping[str, Any]:
        """Parse the JSON object in ``line``. ``number`` is the line number for errors."""
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            last = number == len(self.lines) > 1
            self.fail(number, "this is not JSON" + (": is the file cut off?" if last else ""))
        if not isinstance(found, dict):
            self.fail(number, "this is not a JSON object")
        return found

    def time(self, number: int, entry: Mapping[str, Any], key: str) -> float:
        """The number ``entry[key]``, from 0 to below 2^53."""
        value = self._given(number, entry, key)
        numeric = type(value) is int or type(value) is float
        if not numeric or not 0 <= value < _MOST:  # false for NaN, too
            self.fail(number, f"'{key}' must be a time from 0 to 2^53, not {_shown(value)}")
        return float(value)

    def whole(self, number: int, entry: Mapping[str, Any], key: str) -> int:
        """The whole number ``entry[key]``, from 0 to below 2^53."""
        value = self._given(number, entry, key)
        if type(value) is not int or not 0 <= value < _MOST:
            self.fail(
                number, f"'{key}' must be a whole number from 0 to 2^53 - 1, not {_shown(value)}"
            )
        return value

    def _given(self, number: int, entry: Mapping[str, Any], key: str) -> Any:
        value = entry.get(key)
        if value is None:
            self.fail(number, f"'{key}' is missing")
        return value


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def read_trace_bytes(path: Path) -> bytes:
    """The content of ``path``, decompressed if it is compressed with xz or gzip.

    Raises:
        TraceError: the file cannot be read, is damaged or too large, or has content that cannot be
            a trace, such as a web page.
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
            "run 'git lfs pull' in the clone of the trace's repository",
        )
    if _PAGE.match(data):
        raise TraceError(f"{name}: this is a web page, not the trace", "download the raw file")
    if _RESULTS.match(data):
        raise TraceError(
            f"{name}: this is a results file of membench, not a trace",
            "read the file with 'membench compare' or 'membench report'",
        )
    if data.startswith(_ZSTD):
        raise TraceError(
            f"{name}: the file is compressed with zstd, which membench cannot read",
            f"decompress with zstd -dc {shell_word(path)} > OUTPUT, and give OUTPUT",
        )
    if data.count(b"\n") > SMALL // _SHORTEST and data.count(b"\n") > len(data) // _SHORTEST:
        raise TraceError(
            f"{name}: this is not a trace, because the lines have fewer than {_SHORTEST} bytes on "
            "average"
        )
    return data


def as_utf8(content: bytes) -> bytes:
    """Convert UTF-16 (as PowerShell writes) to UTF-8, and remove a byte order mark."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        content = content.decode("utf-16", "replace").encode("utf-8", "replace")
    return content.removeprefix(b"\xef\xbb\xbf")


def lines_of(data: bytes, name: str) -> list[bytes]:
    """Split ``data`` into lines.

    Raises:
        TraceError: a line has more than `MAX_LINE` bytes.
    """
    lines = data.splitlines()
    if len(max(lines, key=len, default=b"")) > MAX_LINE:
        raise TraceError(
            f"{name}: this is not a trace, because a line is longer than {about_size(MAX_LINE)}"
        )
    return lines
