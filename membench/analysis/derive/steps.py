"""Find the capacities of caches: sizes at which a latency or bandwidth curve changes its level.

A capacity is an interval, from the last measured size that fitted in the cache to the first that
did not fit.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from membench.analysis import statistics
from membench.core.record import record

PENALTY = 0.02
"""Penalty for each additional level of the fit, as a squared error of the logarithms.

Between two levels of two sizes each, this corresponds to a step of about 15 %.
"""
CLIMB = 1.25
"""Minimum ratio of neighbouring levels that counts as a step."""


@record
class Plateau:
    """A range of neighbouring sizes with about the same value.

    Attributes:
        first, last: smallest and largest size of the range in bytes.
        value: the median of its values.
        points: number of sizes.
    """

    first: float
    last: float
    value: float
    points: int


@record
class Step:
    """The end of one level of a curve, and the start of the next level.

    Attributes:
        inside: largest size in bytes that has the value of the first level.
        outside: smallest size in bytes that has the value of the next level.
        before, after: the values of the two levels.
    """

    inside: float
    outside: float
    before: float
    after: float


def levels(sizes: Sequence[float], values: Sequence[float]) -> tuple[Plateau, ...]:
    """Fit a piecewise-constant function to ``values`` (> 0) over ascending ``sizes``.

    The fit minimizes the squared error of the logarithms, plus `PENALTY` for each additional level
    (Jackson et al., "An algorithm for optimal partitioning of data on an interval", IEEE Signal
    Processing Letters 12 (2005)).
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
    """Find the upward steps of latencies over the working set, smallest size first.

    A fitted level of a single size between two other levels is left out, because two caches, or a
    cache and memory, serve its loads.
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
    """Find the downward steps of bandwidths over the working set, smallest size first."""
    mirrored = climbs(sizes, [1 / value for value in values])
    return tuple(
        Step(step.inside, step.outside, 1 / step.before, 1 / step.after) for step in mirrored
    )
