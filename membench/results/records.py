"""Split the text of a CSV file into cells.

`records` splits every valid file: with `at_once` if possible, otherwise with the slower csv module.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from membench.core.errors import SchemaError

MAX_CELLS = 10_000
"""Maximum number of cells in a line."""

_AT_ONCE = 16 << 20  # characters; the cells of a larger file would take much memory
# Placeholders for a quoted cell, and for a quote inside a quoted cell. A text with one of these
# characters is not split at once.
_QUOTED, _QUOTE = "\x1f", "\x1e"
# Minimum mean length of a cell and its comma. A file of commas alone would take too much memory.
_CHARACTERS = 3


class Cells(NamedTuple):
    """The cells of a file whose records are one line each and have equally many cells.

    Attributes:
        cells: the cells of all records in order; after each record, one extra element ends the
            line.
        width: number of cells per record, without the extra element.
    """

    cells: list[str]
    width: int

    @property
    def header(self) -> tuple[str, ...]:
        return tuple(self.cells[: self.width])

    def column(self, place: int) -> list[str]:
        """The cells of column number ``place`` (from 0), without the header."""
        stride = self.width + 1
        return self.cells[stride + place :: stride]

    def __iter__(self) -> Iterator[list[str]]:
        """Yield the cells of each record, including the header."""
        for start in range(0, len(self.cells), self.width + 1):
            yield self.cells[start : start + self.width]


def records(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line number and the cells of each record of ``text``. Blank lines are skipped.

    Raises:
        SchemaError: the text is not CSV, or a line has too many cells.
    """
    cells = at_once(text) if len(text) <= _AT_ONCE else None
    yield from _one_by_one(text) if cells is None else enumerate(cells, start=1)


def _one_by_one(text: str) -> Iterator[tuple[int, list[str]]]:
    if csv.field_size_limit() < len(text):
        csv.field_size_limit(len(text))  # a samples cell may exceed the default of 128 KiB
    reader = csv.reader(_lines(text), strict=True)
    try:
        for record in reader:
            if record:
                yield reader.line_num, record
    except csv.Error as error:
        raise SchemaError(f"line {reader.line_num} is not CSV: {error}") from None


def _lines(text: str) -> Iterator[str]:
    for number, line in enumerate(io.StringIO(text, newline=""), start=1):
        if len(line) > MAX_CELLS and line.count(",") > MAX_CELLS:
            raise SchemaError(
                f"line {number} has more than {MAX_CELLS} commas, too many for a results file"
            )
        yield line


def at_once(text: str) -> Cells | None:
    """Split ``text`` into cells; None if `records` must use the csv module."""
    if "\r" in text:  # RFC 4180 ends lines with CR LF
        text = text.replace("\r\n", "\n")
    if not text or "\r" in text or _QUOTED in text or _QUOTE in text:
        return None
    unquoted = _unquoted(text if text[-1] == "\n" else f"{text}\n")
    if unquoted is None:
        return None
    outside, inside = unquoted
    # Add one cell for the end of each line, so that no line can take cells of the next one.
    ended = outside.replace("\n", ",\n,")
    lines = (len(ended) - len(outside)) // 2
    width = outside.count(",", 0, outside.index("\n")) + 1
    size = lines * (width + 1)
    if not 1 < width <= MAX_CELLS or size - 2 * lines > len(text) // _CHARACTERS:
        return None
    cells = ended.split(",", size)
    whole = len(cells) > size and not cells.pop() and set(cells[width :: width + 1]) == {"\n"}
    if not whole or not _requoted(cells, inside, width + 1):
        return None
    return Cells(cells, width)


def _unquoted(text: str) -> tuple[str, list[str]] | None:
    """Replace each quoted part of ``text`` by `_QUOTED`; return the text and the quoted parts.

    None if only the csv module can split ``text``.
    """
    parts = text.split('"')
    doubled = "" in parts[2:-1:2]  # two quotes in a quoted part stand for one
    if doubled:
        parts = text.replace('""', _QUOTE).split('"')
    outside, inside = _QUOTED.join(parts[::2]), parts[1::2]
    if len(parts) % 2 == 0 or "\n" in "".join(inside):
        return None
    if doubled:
        if _QUOTE in outside:
            return None
        inside = [part.replace(_QUOTE, '"') for part in inside]
    return outside, inside


def _requoted(cells: list[str], inside: Sequence[str], stride: int) -> bool:
    """Replace each `_QUOTED` in ``cells`` by the next text of ``inside``.

    Return whether every quoted text was a whole cell.
    """
    if not inside or _QUOTED not in cells:
        return not inside
    first = cells.index(_QUOTED)
    places = [place for place in range(first, len(cells), stride) if cells[place] == _QUOTED]
    if len(places) < len(inside):  # the placeholders are in several columns
        places = [place for place, cell in enumerate(cells) if cell == _QUOTED]
    if len(places) < len(inside):
        return False
    for place, part in zip(places, inside, strict=True):
        cells[place] = part
    return True
