"""Capacities of caches: the sizes at which a curve over the working set changes its level.

A sweep measures only some sizes. So a capacity is an interval: from the last size that still fitted
in the cache to the first size that did not.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from membench.analysis import statistics

PENALTY = 0.02
"""An additional level must reduce the squared error of the logarithms by this: a step of about 15
%.
"""
CLIMB = 1.25
"""Neighbouring levels that differ by less than this factor count as one."""


@dataclass(frozen=True)
class Plateau:
    """A stretch of sizes with about the same value.

    Attributes:
        first, last: bytes of its smallest and largest size.
        value: the median of its values.
    """

    first: float
    last: float
    value: float
    points: int


@dataclass(frozen=True)
class Step:
    """The end of one level and the start of the next.

    Attributes:
        inside: largest size that still has the lower level's value.
        outside: smallest size that has the next level's value; sizes in between are on a ramp.
        before, after: the values of the two levels.
    """

    inside: float
    outside: float
    before: float
    after: float


def levels(sizes: Sequence[float], values: Sequence[float]) -> tuple[Plateau, ...]:
    """The levels of ``values`` (> 0) over ascending ``sizes``: a piecewise-constant fit.

    The fit minimizes the squared error of the logarithms, plus `PENALTY` for each additional level.
    It is optimal: dynamic programming tries every number of levels (Jackson et al., "An algorithm
    for optimal partitioning of data on an interval", IEEE Signal Processing Letters 12 (2005)).
    """
    logs = np.log(np.asarray(values, float))
    count = logs.size
    sums = np.concatenate([[0.0], np.cumsum(logs)])
    squares = np.concatenate([[0.0], np.cumsum(logs**2)])

    def error(begin: int, end: int) -> float:
        total = sums[end] - sums[begin]
        return float(squares[end] - squares[begin] - total**2 / (end - begin))

    best = [0.0]
    cut = [0]
    for end in range(1, count + 1):
        costs = [best[begin] + error(begin, end) + PENALTY for begin in range(end)]
        cut.append(int(np.argmin(costs)))
        best.append(costs[cut[-1]])
    bounds = [count]
    while bounds[-1]:
        bounds.append(cut[bounds[-1]])
    bounds.reverse()
    return tuple(
        Plateau(
            sizes[begin], sizes[end - 1], statistics.median(list(values[begin:end])), end - begin
        )
        for begin, end in itertools.pairwise(bounds)
    )


def climbs(sizes: Sequence[float], values: Sequence[float]) -> tuple[Step, ...]:
    """The upward steps of a latency over the working set, smallest size first.

    A single point between two plateaus is a ramp, because its lines are partly in each level, and
    belongs to neither. The last size counts as a level, because nothing shows that it is a ramp.
    """
    found = levels(sizes, values)
    if not found:
        return ()
    plateaus = [
        level
        for place, level in enumerate(found)
        if level.points > 1 or place in (0, len(found) - 1)
    ]
    return tuple(
        Step(lower.last, upper.first, lower.value, upper.value)
        for lower, upper in itertools.pairwise(plateaus)
        if upper.value >= CLIMB * lower.value
    )


def falls(sizes: Sequence[float], values: Sequence[float]) -> tuple[Step, ...]:
    """The downward steps of a bandwidth over the working set, smallest size first."""
    mirrored = climbs(sizes, [1 / value for value in values])
    return tuple(
        Step(step.inside, step.outside, 1 / step.before, 1 / step.after) for step in mirrored
    )
