"""Estimate the ratio of the values of two labels.

The estimates use logarithms, so that a ratio and its inverse are treated equally. No function uses
random numbers. The values are positive and finite, in any unit, of shape (n,) and (m,). In
`estimate` and `estimates`, the first argument is the reference, and a ratio is second / first.

Sources:

- Hodges and Lehmann, "Estimates of location based on rank tests", Annals of Mathematical Statistics
  34 (1963), for the estimate.
- Mann and Whitney, "On a test of whether one of two random variables is stochastically larger than
  the other", Annals of Mathematical Statistics 18 (1947), for the recurrence of the null
  distribution.
- Hollander and Wolfe, "Nonparametric Statistical Methods", section 4.3, for the interval and its
  normal approximation.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import accumulate, repeat
from operator import add

from membench.core.record import record

CONFIDENCE = 0.95
EXACT_MAX = 20
"""Largest number of values per label for the exact null distribution."""
VALUES_NEEDED = 4
"""Minimum number of values per label for an interval.

Four against four values is the smallest balanced comparison in which the exact null distribution
allows 95 %: 2 / C(8, 4) = 0.029, but 2 / C(6, 3) = 0.1. Two against eight values would also allow
95 %, but two values do not show the noise of their label.
"""
LOG_LIMIT = 700.0
"""Limit for logarithms: `math.exp` of a larger value overflows."""
_FEW_DIFFERENCES = 1 << 18
"""Number of differences that are sorted in less time than an import of NumPy takes."""


@record
class RatioEstimate:
    """The natural logarithm of an estimated ratio (Hodges-Lehmann estimate).

    ``log_interval`` is the confidence interval; None if there are too few values.
    """

    log_ratio: float
    log_interval: tuple[float, float] | None

    @property
    def ratio(self) -> float:
        return _exp(self.log_ratio)

    @property
    def interval(self) -> tuple[float, float] | None:
        if self.log_interval is None:
            return None
        low, high = self.log_interval
        return _exp(low), _exp(high)


def estimate(
    first: Sequence[float], second: Sequence[float], confidence: float = CONFIDENCE
) -> RatioEstimate:
    """Estimate second / first by the median of all pairwise ratios, with the Mann-Whitney interval.

    The interval contains every shift that a two-sided Mann-Whitney test at level 1 - ``confidence``
    does not reject. If the two distributions differ only by a factor, the coverage is at least
    ``confidence`` for up to `EXACT_MAX` values per label. Ties make the interval wider.
    """
    (one,) = estimates([first], [second], confidence)
    return one


def estimates(
    firsts: Sequence[Sequence[float]],
    seconds: Sequence[Sequence[float]],
    confidence: float = CONFIDENCE,
) -> list[RatioEstimate]:
    """Estimate K ratios like `estimate`, in one step; the shapes are (K, n) and (K, m)."""
    n, m = len(firsts[0]), len(seconds[0])
    places = positions(n, m, confidence)
    if len(firsts) * n * m <= _FEW_DIFFERENCES:
        found = [_differences_at(*pair, places) for pair in zip(firsts, seconds, strict=True)]
    else:
        from membench.analysis.many_ratios import differences_at, logarithms

        found = differences_at(logarithms(firsts), logarithms(seconds), places).tolist()
    return [
        RatioEstimate((low + high) / 2, (ends[0], ends[1]) if ends else None)
        for low, high, *ends in found
    ]


def _differences_at(
    first: Sequence[float], second: Sequence[float], places: Sequence[int]
) -> list[float]:
    """Sort the differences log(second) - log(first), and return the elements at ``places``."""
    here, there = list(map(math.log, first)), list(map(math.log, second))
    differences = sorted([two - one for two in there for one in here])
    return [differences[place] for place in places]


def positions(n: int, m: int, confidence: float = CONFIDENCE) -> list[int]:
    """The positions, in the n * m sorted differences, on which an estimate depends.

    The estimate is the mean of the differences at the first two positions. The differences at the
    last two positions are the ends of the confidence interval. If there are too few values for an
    interval, the result has only the first two positions.
    """
    rank = interval_rank(n, m, confidence)
    ends = [] if rank is None else [rank - 1, n * m - rank]
    return [(n * m - 1) // 2, n * m // 2, *ends]


@cache
def interval_rank(n: int, m: int, confidence: float = CONFIDENCE) -> int | None:
    """The rank k of the interval from the k-th smallest to the k-th largest difference.

    None if a label has fewer than `VALUES_NEEDED` values, or too few values for ``confidence``.
    """
    if min(n, m) < VALUES_NEEDED:
        return None
    tail = (1 - confidence) / 2
    if max(n, m) <= EXACT_MAX:
        rank = bisect_right(list(accumulate(null_counts(n, m))), tail * math.comb(n + m, n))
    else:
        from statistics import NormalDist  # takes long, and few values do not need it

        z = NormalDist().inv_cdf(1 - tail)
        rank = math.floor(n * m / 2 - z * math.sqrt(n * m * (n + m + 1) / 12))
    return rank if rank >= 1 else None


@cache
def null_counts(n: int, m: int) -> tuple[int, ...]:
    """Null distribution of the Mann-Whitney statistic U for n and m values, as counts.

    Entry u is the number of the C(n+m, n) orders of n and m distinct values with U = u, for u = 0
    to n * m. Recurrence: the largest of all values is one of the n or one of the m.
    """
    if n == 0 or m == 0:
        return (1,)
    one_of_n = [*repeat(0, m), *null_counts(n - 1, m)]
    one_of_m = [*null_counts(n, m - 1), *repeat(0, n)]
    return tuple(map(add, one_of_n, one_of_m))


def geometric_mean(ratios: Iterable[float]) -> float:
    logs = list(map(math.log, ratios))
    return _exp(math.fsum(logs) / len(logs))


def median(values: Sequence[float]) -> float:
    """The median of at least one value; large values do not overflow."""
    ordered = sorted(values)
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return low if low == high else low / 2 + high / 2


def half_range(values: Sequence[float]) -> float | None:
    """Half of (maximum - minimum), as a fraction of the median.

    The result is None for fewer than two values, or if the fraction is not finite.
    """
    if len(values) < 2:
        return None
    fraction = (max(values) - min(values)) / 2 / median(values)
    return fraction if math.isfinite(fraction) else None


def _exp(logarithm: float) -> float:
    return math.exp(max(-LOG_LIMIT, min(LOG_LIMIT, logarithm)))
