"""The rules that all importers follow.

A reader turns the bytes of a file into records, one for each measurement of the tool (a job, a
test, a line). A record has rows, and content that gave no row. This module joins the rows of all
records to one list. So every reader follows the same rules: a good row is never dropped because of
another one, content without a row is counted, and records with equal names are numbered.
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
    """Content of the file for which there is no row; counted by its text."""

    what: str


@dataclass(frozen=True)
class ReaderNote:
    """Something that the user should know about the file."""

    text: str


Item = Row | Unplaced | ReaderNote
Record = Iterable[Item]
Reader = Callable[[bytes, "Origin"], Iterable[Record]]
"""Maps the content of a file and its origin to records; raises `SchemaError` or `UsageError`."""


class Imported(list[Row]):
    """The rows of a file (at least one, with distinct keys), and content that gave no row.

    Attributes:
        unplaced: description of content that gave no row -> number of occurrences.
        notes: for the user, each once.
    """

    def __init__(
        self, rows: Iterable[Row], unplaced: Mapping[str, int], notes: tuple[str, ...]
    ) -> None:
        super().__init__(rows)
        self.unplaced = unplaced
        self.notes = notes


def collected(records: Iterable[Record], tool: str) -> Imported:
    """The rows and remarks of all ``records`` of one file of ``tool``.

    Raises:
        SchemaError: no record has a row; the message is the first reason.
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
        raise SchemaError(f"no result of {tool} in it" + (f": {why}" if why else ""))
    return Imported(_numbered(found), unplaced, tuple(notes))


def _all_but_the_broken(records: Iterable[Record]) -> Iterator[Record]:
    """``records`` up to the first error; an error before the first record is raised."""
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
    """The items of ``record``; if it has an error, the last item reports it and has no row."""
    try:
        yield from record
    except SchemaError as error:
        yield Unplaced(str(error))


def _numbered(records: list[list[Row]]) -> Iterator[Row]:
    """The rows of ``records`` with distinct keys.

    A case that occurs with the same figure in several records gets ``/instance=N`` in each of them,
    from 0.
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
