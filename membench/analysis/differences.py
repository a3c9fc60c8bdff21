"""The differences between each label and the reference, on one line of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from membench.analysis.figures import Figures
from membench.analysis.finding import Difference

T = TypeVar("T")


class Differences:
    """The differences between the reference and each label, on one line.

    Every list that this class returns has one entry per label. The entry is None for the reference
    and for a label without a value.
    """

    def __init__(self, found: Sequence[Difference | None]) -> None:
        self._found = found

    def __iter__(self) -> Iterator[Difference | None]:
        return iter(self._found)

    @property
    def remarkable(self) -> Mapping[int, Difference]:
        """The differences that the report may have to explain, by index of the label.

        This class returns all differences. A subclass may leave out differences with an estimated
        ratio.
        """
        return {side: one for side, one in enumerate(self._found) if one is not None}

    @property
    def in_turns(self) -> bool:
        return all(one.in_turns for one in self._found if one is not None)

    @property
    def ratios(self) -> Sequence[float | None]:
        return [None if one is None else one.ratio for one in self._found]

    @property
    def bests(self) -> Sequence[float | None]:
        return [None if one is None else one.best for one in self._found]

    def by_estimate(
        self, of_many: Callable[[Sequence[float]], list[T]], of: Callable[[Difference], T]
    ) -> list[T | None]:
        """Apply ``of`` to each difference, and return one result for each label.

        For differences with intervals, a subclass may instead call ``of_many`` once.
        ``of_many`` gets a flat list (ratio, lower end, upper end, ratio, ...). It must return the
        results that ``of`` would return, in the same order.
        """
        return [None if one is None else of(one) for one in self._found]

    def by_outcome(self, of: Callable[[Difference], T]) -> list[T | None]:
        """Apply ``of`` to each difference, and return one result for each label.

        For a difference without an offset, ``of`` must not use the ratio, the interval or `best`.
        So a subclass can call ``of`` once for all such differences with the same outcome.
        """
        return [None if one is None else of(one) for one in self._found]

    def with_offset(self, figures: Figures, offset: float | None) -> Differences:
        """Return a copy with ``offset`` in the difference of each label that has a single run.

        The reference must have a single run. Differences of paired rounds stay unchanged, because
        the offset cancels in a pair.
        """
        pairs = zip(self._found, figures.rows, strict=True)
        return Differences(
            [
                one if one is None or len(rows) > 1 or one.in_turns else replace(one, offset=offset)
                for one, rows in pairs
            ]
        )
