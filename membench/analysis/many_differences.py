"""Compute the differences between the reference and many labels at once, with NumPy arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import compress
from typing import TypeVar

import numpy as np

from membench.analysis.differences import Differences
from membench.analysis.figures import Figures
from membench.analysis.finding import SEVERAL_RUNS, Difference, obstacle
from membench.analysis.many_ratios import Floats, exponentials, log_ratios, logarithms
from membench.analysis.verdict import Reason, Verdict, log_limit
from membench.core.terms import INVALID_FLAGS, Better

T = TypeVar("T")

_WIDE, _SAME, _WORSE, _BETTER, _FEW = range(5)
_OUTCOMES = (
    (Verdict.UNCLEAR, Reason.WIDE, SEVERAL_RUNS),
    (Verdict.SAME, Reason.WITHIN, ""),
    (Verdict.WORSE, Reason.BEYOND, ""),
    (Verdict.BETTER, Reason.BEYOND, ""),
    (Verdict.UNCLEAR, Reason.FEW, SEVERAL_RUNS),
)
"""Verdict, reason and remedy of `_WIDE` to `_FEW`."""


class EstimatedDifferences(Differences):
    """The differences between the reference and many labels, computed as arrays.

    For an estimated ratio, the `Difference` object is created only on access.

    Attributes:
        sides: indices of the labels whose ratio was estimated.
        hindered: differences of the labels that are not comparable, by index of the label.
        logs: logarithms of the ratios and of the ends of their intervals, of shape (3, sides); of
            shape (1, sides) if there are too few values for intervals.
        outcomes: index into `_OUTCOMES` for each of ``sides``.
    """

    def __init__(
        self,
        figures: Figures,
        sides: Sequence[int],
        logs: Floats,
        outcomes: Sequence[int],
        hindered: Mapping[int, Difference],
        offset: float | None = None,
    ) -> None:
        self.figures, self.sides, self.logs, self.outcomes = figures, sides, logs, outcomes
        self.hindered, self.offset = hindered, offset

    def __iter__(self) -> Iterator[Difference | None]:
        ratios, bests = exponentials(self.logs[0]), self._bests()
        columns = zip(self.outcomes, ratios, self._intervals(), bests, strict=True)
        made = [self._made(*one) for one in columns]
        return iter(self._by_side(made, lambda one: one))

    def _made(
        self,
        outcome: int,
        ratio: float | None = None,
        interval: tuple[float, float] | None = None,
        best: float | None = None,
    ) -> Difference:
        assert self.figures.rounds is not None
        verdict, reason, settle = _OUTCOMES[outcome]
        count = self.figures.rounds.shape[1]
        return Difference(
            verdict,
            reason,
            ratio,
            interval,
            best,
            counts=(count, count),
            settle=settle,
            offset=self.offset,
        )

    @property
    def remarkable(self) -> Mapping[int, Difference]:
        return self.hindered

    @property
    def in_turns(self) -> bool:
        return False

    @property
    def ratios(self) -> Sequence[float | None]:
        return self._by_side(exponentials(self.logs[0]), lambda one: one.ratio)

    @property
    def bests(self) -> Sequence[float | None]:
        return self._by_side(self._bests(), lambda one: one.best)

    def by_estimate(
        self, of_many: Callable[[Sequence[float]], list[T]], of: Callable[[Difference], T]
    ) -> list[T | None]:
        if len(self.logs) == 1:
            return [None if one is None else of(one) for one in self]
        return self._by_side(of_many(exponentials(self.logs.T.ravel())), of)

    def by_outcome(self, of: Callable[[Difference], T]) -> list[T | None]:
        if self.offset is not None:
            return [None if one is None else of(one) for one in self]
        values = {outcome: of(self._made(outcome)) for outcome in set(self.outcomes)}
        return self._by_side(list(map(values.__getitem__, self.outcomes)), of)

    def with_offset(self, figures: Figures, offset: float | None) -> Differences:
        hindered = {side: replace(one, offset=offset) for side, one in self.hindered.items()}
        return EstimatedDifferences(
            figures, self.sides, self.logs, self.outcomes, hindered, offset=offset
        )

    def _intervals(self) -> Sequence[tuple[float, float] | None]:
        if len(self.logs) == 1:
            return [None] * len(self.sides)
        return list(zip(*map(exponentials, self.logs[1:]), strict=True))

    def _bests(self) -> Sequence[float | None]:
        bests = self.figures.bests
        first = bests[0]
        return [_ratio(first, bests[side]) for side in self.sides]

    def _by_side(
        self, of_sides: Sequence[T | None], of: Callable[[Difference], T | None]
    ) -> list[T | None]:
        """Make one entry for each label; None for the reference and for labels without a value.

        ``of_sides`` has the entries of the labels in `sides`. The labels in `hindered` get the
        result of ``of`` for their difference.
        """
        if len(self.sides) == len(self.figures.rows) - 1:
            return [None, *of_sides]
        found: list[T | None] = [None] * len(self.figures.rows)
        for side, one in zip(self.sides, of_sides, strict=True):
            found[side] = one
        for side, difference in self.hindered.items():
            found[side] = of(difference)
        return found


def _ratio(first: float | None, second: float | None) -> float | None:
    ratio = second / first if first and second else 0.0
    return ratio if 0 < ratio < math.inf else None


def estimated(figures: Figures, threshold: float) -> EstimatedDifferences | None:
    """The differences from the reference for all labels of a line, computed as one array.

    The values must be stored as an array (`Figures.rounds`). The result is None if the reference
    has no value, if a row is published or imported, or if no label is comparable.
    """
    rounds, commons = figures.rounds, figures.commons
    assert rounds is not None
    if figures.places[0] != 0:
        return None
    if any(one.cited or one.imported for one in commons):
        return None
    logs = logarithms(rounds)
    sides, seconds = figures.places[1:], logs[1:]
    hindered: dict[int, Difference] = {}
    if unlike := _unlike(figures):
        free = [id(row.common) not in unlike for row in figures.single_rows[1:]]
        for side, one in zip(sides, free, strict=True):
            if not one and (found := _obstacle(figures, side)):
                hindered[side] = found
        sides, seconds = list(compress(sides, free)), seconds[free]
        if not sides:
            return None
    ratios = log_ratios(np.broadcast_to(logs[0], seconds.shape), seconds)
    outcomes = _outcomes(ratios, log_limit(threshold), figures.rows[0][0].better)
    return EstimatedDifferences(figures, sides, ratios, outcomes, hindered)


def _unlike(figures: Figures) -> set[int]:
    """The `id` of each `Common` object whose rows are not comparable with the reference."""
    first = figures.rows[0][0].common
    plain = INVALID_FLAGS.isdisjoint(first.flags)
    if plain and len(figures.commons) == 1:
        return set()
    sides = {id(figures.rows[side][0].common): side for side in reversed(figures.places[1:])}
    return {
        common
        for common, side in sides.items()
        if not (plain and common == id(first)) and _obstacle(figures, side) is not None
    }


def _obstacle(figures: Figures, side: int) -> Difference | None:
    reference, contender = figures.at(0), figures.at(side)
    assert reference is not None
    assert contender is not None
    return obstacle(reference, contender)


def _outcomes(logs: Floats, limit: float, better: Better) -> list[int]:
    """Judge each interval in ``logs`` like `membench.analysis.verdict.judge`."""
    if len(logs) == 1:
        return [_FEW] * logs.shape[1]
    low, high = (logs[1], logs[2]) if better is Better.HIGHER else (-logs[2], -logs[1])
    cases = [low > limit, high < -limit, (-limit <= low) & (high <= limit)]
    outcomes: list[int] = np.select(cases, [_BETTER, _WORSE, _SAME], _WIDE).tolist()
    return outcomes
