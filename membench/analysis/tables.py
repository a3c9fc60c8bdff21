"""Group the rows of each label by case, metric and statistic."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import cast

from membench.analysis.alike import Table
from membench.analysis.line import NOTHING_LOST, Key, Lost
from membench.core.terms import Status
from membench.results.compact.row import Common, Measurement

_common_of = attrgetter("common")


class TableMaker:
    """Groups rows by (case, metric, stat).

    Attributes:
        wanted: ids of the cases to keep; None keeps all cases.
        every_ok: whether all rows so far have the status ok.
        any_cited: whether a row so far is a published figure.
    """

    def __init__(self, wanted: Container[str] | None) -> None:
        self.wanted = wanted
        self.every_ok = True
        self.any_cited = False
        # The key of each `Common` object, by the id of the object; None if not wanted.
        self._keys: dict[int, Key | None] = {}

    def table(self, rows: Sequence[Measurement]) -> Table:
        """Group ``rows`` by (case, metric, stat), in the order of the first occurrence."""
        commons: list[Common] = list(map(_common_of, rows))
        ids = list(map(id, commons))
        if unknown := set(ids).difference(self._keys):
            for one in commons:
                if id(one) in unknown:
                    self._add(one)
        keys = list(map(self._keys.__getitem__, ids))
        if len(set(keys)) == len(keys):  # usually a run has one row per key
            singles: dict[Key | None, Sequence[Measurement]]
            singles = dict(zip(keys, zip(rows), strict=True))
            singles.pop(None, None)
            return cast("Table", singles)
        alike: defaultdict[int, list[Measurement]] = defaultdict(list)
        for place, row in zip(ids, rows, strict=True):
            alike[place].append(row)
        table: Table = {}
        for place, several in alike.items():
            key = self._keys[place]
            if key is not None:
                table[key] = (*table.get(key, ()), *several)
        return table

    def _add(self, one: Common) -> None:
        self.every_ok &= one.status is Status.OK
        self.any_cited |= one.cited
        chosen = self.wanted is None or one.case in self.wanted
        self._keys[id(one)] = (one.case, one.metric, one.stat) if chosen else None


def rows_by_key(
    keys: Iterable[Key], tables: Sequence[Table]
) -> Iterator[Sequence[Sequence[Measurement]]]:
    """For each of ``keys``, yield the rows of each table; no rows for a table without the key."""
    wanted = list(keys)
    if all(list(table) == wanted for table in tables):  # the usual case: runs of the same cases
        return map(list, zip(*(table.values() for table in tables), strict=True))
    return ([table.get(key, ()) for table in tables] for key in wanted)


def absent(rows: Iterable[Measurement]) -> dict[str, list[Measurement]]:
    table: dict[str, list[Measurement]] = {}
    for row in rows:
        if row.status is not Status.OK:
            table.setdefault(row.case, []).append(row)
    return table


def lost(rows: Sequence[Measurement], gone: Sequence[Measurement]) -> Lost:
    """Collect the reasons why ``rows`` of one (case, metric, stat) have no value.

    A failed or skipped case may lack the row of a statistic. For a run without a row, the reason is
    taken from ``gone``, the failed and skipped rows of the case.
    """
    if not gone and all(row.status is Status.OK for row in rows):
        return NOTHING_LOST
    runs = {row.run_id for row in rows}
    without = [row for row in rows if row.status is not Status.OK]
    without += [row for row in gone if row.run_id not in runs]
    return Lost(_reasons(without, Status.FAILED), _reasons(without, Status.SKIPPED))


def _reasons(rows: Iterable[Measurement], status: Status) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row.reason for row in rows if row.status is status))
