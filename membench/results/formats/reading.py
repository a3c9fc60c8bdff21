"""The shape of every importer, and the rules that hold for all of them by it.

A reader turns the bytes of a file into records, one for each measurement of the
tool (a job, a test, a line); a record is rows, and what of it has no row.  The
rows of all records become one list here, so that no reader can break the rules:
a good row is never dropped for the sake of another, what cannot be placed is
counted, and records of one name are numbered.
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
    """Something that the file holds and that becomes no row; counted by its text."""

    what: str


@dataclass(frozen=True)
class ReaderNote:
    """Something that a person should know about the file."""

    text: str


Item = Row | Unplaced | ReaderNote
Record = Iterable[Item]
Reader = Callable[[bytes, "Origin"], Iterable[Record]]
"""The content of a file and its origin -> its records.  Raises `SchemaError` or `UsageError`."""


class Imported(list[Row]):
    """The rows of a file, at least one and no two with one key, and what became none.

    Attributes:
        unplaced: what became no row -> how often.
        notes: what a person should know, each once.
    """

    def __init__(
        self, rows: Iterable[Row], unplaced: Mapping[str, int], notes: tuple[str, ...]
    ) -> None:
        super().__init__(rows)
        self.unplaced = unplaced
        self.notes = notes


def collected(records: Iterable[Record], tool: str) -> Imported:
    """All ``records`` of one file of ``tool``.

    Raises:
        SchemaError: there is no row, and the first reason for that.
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
    """``records`` up to the first error; one that comes before any record is an error of all."""
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
    """``record``, whose error is something that has no row."""
    try:
        yield from record
    except SchemaError as error:
        yield Unplaced(str(error))


def _numbered(records: list[list[Row]]) -> Iterator[Row]:
    """The rows of ``records``.

    A case that has the same figure several times ends in ``/instance=N`` in each
    record that it stands in, from 0 in their order.
    """
    times = Counter(row.key for rows in records for row in rows)
    shared = {case for (_, case, _, _), number in times.items() if number > 1}
    seen: Counter[str] = Counter()
    keys: set[object] = set()
    for rows in records:
        for row in rows:
            place = seen[row.case]
            made = _instance(row, place) if row.case in shared else row
            while made.key in keys:  # one record says it twice
                place += 1
                made = _instance(row, place)
            keys.add(made.key)
            yield made
        seen.update({row.case for row in rows})


def _instance(row: Row, place: int) -> Row:
    return replace(row, case=f"{row.case}/instance={place}")
