"""Find text and JSON documents in a tool's output, or in a log that contains the output."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from membench.core.errors import SchemaError
from membench.results.formats.reading import Unplaced

MOST_CONTAINERS = 8_000_000
"""Maximum number of lists and objects in one file; each takes at least 64 bytes of memory."""

_START = re.compile(r"^[ \t]*\{", re.MULTILINE)
_FOLLOWS = re.compile(r"\s*\{")
"""Matches a JSON object that directly follows another object."""
_BARE = re.compile(r"(?<=[:\[,\s])-?(?:nan|inf(?:inity)?)(?=\s{0,9}[,}\]])", re.IGNORECASE)


def text_in(data: bytes, tool: str) -> str:
    """Decode ``data`` as text with Linux line ends.

    Raises:
        SchemaError: the data are binary.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # a name may have another encoding; numbers are ASCII
    if "\0" in text:
        raise SchemaError(f"the file is binary, so it is not an output of {tool}")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def documents(data: bytes, tool: str) -> Iterator[dict[str, Any] | SchemaError]:
    """Yield the JSON objects in ``data``, which may contain text around and between the objects.

    A truncated or malformed object is yielded as an error. ``NaN`` and ``Infinity`` become null,
    also if they are spelled as in C (``nan``, ``inf``).

    Raises:
        SchemaError: the data contain no complete object, are binary, or have more than
            `MOST_CONTAINERS` lists and objects.
    """
    if data.count(b"{") + data.count(b"[") > MOST_CONTAINERS:
        raise SchemaError(f"the file has too many lists and objects for an output of {tool}")
    text = text_in(data, tool)
    try:
        whole = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        yield from _one_by_one(text, tool, error)
        return
    del text  # free memory: the text is as large as the file, and no longer needed
    if not isinstance(whole, dict):
        raise SchemaError(f"the file is not the JSON of {tool}: the file contains no JSON object")
    yield whole


def documents_with(key: str, data: bytes, tool: str) -> Iterator[dict[str, Any] | SchemaError]:
    """Yield the JSON objects in ``data`` that have ``key``, and the errors of `documents`.

    Objects without ``key`` belong to the surrounding log.

    Raises:
        SchemaError: as in `documents`.
    """
    for document in documents(data, tool):
        if isinstance(document, SchemaError) or key in document:
            yield document


def broken(error: SchemaError) -> tuple[Unplaced]:
    return (Unplaced(f"a document that is cut off or broken ({error})"),)


def _one_by_one(text: str, tool: str, error: Exception) -> Iterator[dict[str, Any] | SchemaError]:
    refused = SchemaError(f"the text is not the JSON of {tool}: {_reason(error)}")
    start = _START.search(text)
    if start is None:
        raise refused
    if _BARE.search(text):
        text = _BARE.sub("null", text)
        start = _START.search(text)
    any_yet = False
    while start is not None:
        try:
            document, end = _DECODER.raw_decode(text, start.end() - 1)
        except (ValueError, RecursionError) as inner:
            failed = SchemaError(f"the text is not the JSON of {tool}: {_reason(inner)}")
            end = _next_column_0(text, start.end())
            if not any_yet and end == len(text):
                raise failed from None
            yield failed
        else:
            any_yet = True
            yield document
        start = _FOLLOWS.match(text, end) or _START.search(text, end)


def _next_column_0(text: str, start: int) -> int:
    """Index of the next object at the start of a line (not nested); else the length of ``text``."""
    found = text.find("\n{", start)
    return found + 1 if found >= 0 else len(text)


def _reason(error: Exception) -> str:
    return (
        "the text is nested too deeply" if isinstance(error, RecursionError) else f"{error!s:.80}"
    )


def _absent(_constant: str) -> None:
    return None


_DECODER = json.JSONDecoder(parse_constant=_absent, strict=False)
