"""Where a curve over the working set changes its level: the capacities of the caches.

A sweep only visits some sizes.  So a capacity is an interval: the last size
that still lay in the cache, and the first that did not.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from membench.analysis import statistics

PENALTY = 0.02
"""What one more level must save in squared error of the logarithm: steps of about 15 % and more."""
CLIMB = 1.25
"""Neighbouring levels that differ by less than this factor are one level."""


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
    """The end of one level and the begin of the next.

    Attributes:
        inside: largest size that still has the lower level's value.
        outside: smallest size that has the next level's value: ramps lie between.
        before, after: the values of the two levels.
    """

    inside: float
    outside: float
    before: float
    after: float


def levels(sizes: Sequence[float], values: Sequence[float]) -> tuple[Plateau, ...]:
    """``values`` (> 0) over ascending ``sizes`` as levels: optimal piecewise constant logarithms.

    Every number of levels is tried by dynamic programming (Jackson et al., "An algorithm
    for optimal partitioning of data on an interval", IEEE Signal Processing Letters 12
    (2005)); one more level costs `PENALTY`.
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
    """The steps upwards of a latency over the working set, smallest size first.

    A single point between two plateaus is a ramp, half of its lines here and half there,
    and belongs to neither.  The last size may stand alone: nothing shows that it is a ramp.
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
    """The steps downwards of a bandwidth over the working set, smallest size first."""
    mirrored = climbs(sizes, [1 / value for value in values])
    return tuple(
        Step(step.inside, step.outside, 1 / step.before, 1 / step.after) for step in mirrored
    )
