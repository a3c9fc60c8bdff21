"""The values of all labels on one line of a comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from membench.analysis.figure import CaseRuns, figure
from membench.core.terms import Stat
from membench.results.compact.row import Common, Measurement, distinct

if TYPE_CHECKING:
    from membench.analysis.many_ratios import Floats

T = TypeVar("T")

MANY = 16
"""Minimum number of labels with a value for which a line stores its values as an array."""
_COLUMNS = len(Measurement._fields)


class Figures:
    """The values of all labels on one line of a comparison; None for a label without a value.

    For many labels, `CaseRuns` objects are created only on access, because a comparison of a
    thousand labels has hundreds of thousands of values.

    Attributes:
        rows: the ok rows of each label, one row per run; empty for a label without a value.
        places: indices of the labels with a value.
        commons: the distinct `Common` objects of the rows.
        detail_cells: the distinct texts in the column `detail`.
        largest_spread: the largest spread between the rounds of a row, a fraction; 0 if unknown.
        rounds: the values of the rounds, ascending, of shape (places, rounds); None if the values
            are not stored as an array.
    """

    def __init__(self, rows: Sequence[Sequence[Measurement]]) -> None:
        """Raise `SchemaError` if the values of a row contradict each other."""
        self.rows = rows
        self.places: Sequence[int] = range(len(rows))  # a list per line would cost memory
        if not all(rows):
            self.places = [place for place, several in enumerate(rows) if several]
        # One pass over the rows. Thousands of rows do not fit in the cache of the processor, so a
        # pass for each column would take several times as long.
        columns = list(zip(*chain.from_iterable(rows), strict=True)) or [()] * _COLUMNS
        commons, _, _, values, spreads, bests, details, cells, _ = columns
        self.commons: tuple[Common, ...] = distinct(commons)
        self.detail_cells: set[str] = set(details)
        self.largest_spread: float = max(filter(None, spreads), default=0.0)
        self.rounds = self._sorted_rounds(values, cells)
        self._made = None if self.rounds is not None else list(map(_figure, rows))
        self._values, self._bests = (values, bests) if self._made is None else ((), ())

    def _sorted_rounds(self, values: Sequence[float | None], cells: Sequence[str]) -> Floats | None:
        if len(self.places) < MANY or max(map(len, self.rows)) != 1:
            return None
        counts = {one.rounds for one in self.commons}
        if len(counts) != 1 or not all(cells):
            return None
        from membench.analysis.many_rounds import sorted_rounds  # few labels do not need it

        return sorted_rounds(cells, counts.pop(), values)

    def at(self, place: int) -> CaseRuns | None:
        return _figure(self.rows[place]) if self._made is None else self._made[place]

    def __iter__(self) -> Iterator[CaseRuns | None]:
        return iter(map(_figure, self.rows) if self._made is None else self._made)

    @property
    def single_rows(self) -> list[Measurement]:
        return [self.rows[place][0] for place in self.places]

    @property
    def flags(self) -> Sequence[tuple[str, ...]]:
        if self._made is None:
            return self.spread([row[0].flags for row in self.single_rows], ())
        return [() if one is None else one.flags for one in self._made]

    @property
    def flag_sets(self) -> set[tuple[str, ...]]:
        if self._made is None:
            return {one.flags for one in self.commons}
        return {one.flags for one in self._made if one is not None}

    @property
    def values(self) -> Sequence[float | None]:
        if self._made is None:
            return self.spread(self._values, None)
        return [None if one is None else one.value for one in self._made]

    @property
    def half_ranges(self) -> Sequence[float | None]:
        if self.rounds is None:
            return [None if one is None else one.half_range for one in self]
        from membench.analysis.many_rounds import half_ranges

        return self.spread(half_ranges(self.rounds), None)

    @property
    def peak_shares(self) -> list[float | None]:
        if all(one.peak is None for one in self.commons):
            return [None] * len(self.rows)
        return [None if one is None else one.peak_share for one in self]

    @property
    def bests(self) -> Sequence[float | None]:
        if self._made is None:
            if self.commons[0].stat not in (Stat.MEDIAN, Stat.P50):
                return [None] * len(self.rows)
            return self.spread([best or None for best in self._bests], None)
        return [None if one is None else one.best for one in self._made]

    def spread(self, of_places: Sequence[T], absent: T) -> Sequence[T]:
        """Make a list with one entry for each label.

        A label with a value gets its entry of ``of_places``, which is in the order of `places`. A
        label without a value gets ``absent``.
        """
        if len(of_places) == len(self.rows):
            return of_places
        found = [absent] * len(self.rows)
        for place, one in zip(self.places, of_places, strict=True):
            found[place] = one
        return found


def _figure(rows: Sequence[Measurement]) -> CaseRuns | None:
    return figure(rows) if rows else None
