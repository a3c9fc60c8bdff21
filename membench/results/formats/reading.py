"""The rules that all importers follow.

A reader converts the bytes of a file to records, one for each measurement of the tool (a job, a
test, a line). A record contains rows, and descriptions of content that gave no row. This module
joins the rows of all records:

- An invalid row does not cause the loss of a valid row, except in a file of published figures.
- Content that gave no row is counted.
- If rows have equal keys, their case ids are numbered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from membench.core.errors import SchemaError
from membench.core.text import ascii_line
from membench.results.schema import Row

if TYPE_CHECKING:
    from membench.results.formats.figures import Origin

_LONGEST = 160


@dataclass(frozen=True)
class Unplaced:
    """Content of the file that gave no row; ``what`` describes the content."""

    what: str


@dataclass(frozen=True)
class ReaderNote:
    """A note for the user about the imported file, such as a warning that the tool printed."""

    text: str


Item = Row | Unplaced | ReaderNote
Record = Iterable[Item]
Reader = Callable[[bytes, "Origin"], Iterable[Record]]
"""Converts the content of a file and its origin to records.

Raises `SchemaError` or `UsageError`.
"""


class Imported(list[Row]):
    """The rows of a file (at least one, with distinct keys), and a summary of all other content.

    Attributes:
        unplaced: description of content that gave no row -> number of occurrences.
    """

    def __init__(
        self, rows: Iterable[Row], unplaced: Mapping[str, int], notes: tuple[str, ...]
    ) -> None:
        super().__init__(rows)
        self.unplaced = unplaced
        self.notes = notes


def collected(records: Iterable[Record], tool: str) -> Imported:
    """Collect the rows and notes of all ``records`` of one file of ``tool``.

    Raises:
        SchemaError: reading the first record fails, or no record has a row. If no record has a row,
            the message ends with the first note or, without notes, with the first description of
            content that gave no row.
    """
    found: list[list[Row]] = []
    unplaced: Counter[str] = Counter()
    notes: dict[str, None] = {}
    for record in _all_but_the_broken(records):
        rows = []
        for item in _items(record):
            if isinstance(item, Row):
                rows.append(item)
            elif isinstance(item, ReaderNote):
                notes[ascii_line(item.text)] = None
            else:
                unplaced[ascii_line(item.what)[:_LONGEST]] += 1
        if rows:
            found.append(rows)
    if not found:
        why = next(iter([*notes, *unplaced]), "")
        raise SchemaError(f"the file has no result of {tool}" + (f": {why}" if why else ""))
    return Imported(_numbered(found), unplaced, tuple(notes))


def _all_but_the_broken(records: Iterable[Record]) -> Iterator[Record]:
    """Yield ``records``. An error after the first record becomes the last record.

    Raises:
        SchemaError: reading the first record fails.
    """
    any_yet = False
    try:
        for record in records:
            any_yet = True
            yield record
    except SchemaError as error:
        if not any_yet:
            raise
        yield (Unplaced(str(error)),)


def _items(record: Record) -> Iterator[Item]:
    """Yield the items of ``record``; an error while reading becomes an `Unplaced` item."""
    try:
        yield from record
    except SchemaError as error:
        yield Unplaced(str(error))


def _numbered(records: list[list[Row]]) -> Iterator[Row]:
    """Yield the rows of ``records`` with distinct keys.

    If several rows have the same key, ``/instance=N`` is appended to the case id of every row of
    this case, with N from 0.
    """
    times = Counter(row.key for rows in records for row in rows)
    shared = {case for (_, case, _, _), number in times.items() if number > 1}
    seen: Counter[str] = Counter()
    keys: set[object] = set()
    for rows in records:
        for row in rows:
            place = seen[row.case]
            made = _instance(row, place) if row.case in shared else row
            while made.key in keys:  # one record has the same row twice
                place += 1
                made = _instance(row, place)
            keys.add(made.key)
            yield made
        seen.update({row.case for row in rows})


def _instance(row: Row, place: int) -> Row:
    return replace(row, case=f"{row.case}/instance={place}")
