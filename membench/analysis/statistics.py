"""Ratio of the values of two labels: pure functions on arrays.

All functions work on logarithms, so that a ratio and its inverse are treated equally. No function
uses random numbers: the same values always give the same answer. The values are positive and
finite, in any unit, of shape (n,) and (m,). The first argument is the reference, and a ratio is
second / first.

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
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
EXACT_MAX = 20
"""Largest number of values per label for the exact null distribution.

Comparisons with more values use an approximation.
"""
VALUES_NEEDED = 4
"""Minimum number of values per label for an interval.

Four against four values is the smallest balanced comparison in which the exact null distribution
allows 95 %: 2 / C(8, 4) = 0.029, but 2 / C(6, 3) = 0.1. The null distribution would also allow two
against eight values. But two values do not show the noise of their label.
"""
_DIFFERENCES_AT_ONCE = 1 << 20  # 8 MiB: limit for one step, not for the whole input
_FEW_DIFFERENCES, _MANY_DIFFERENCES = 1 << 8, 1 << 14
_SAMPLE, _MARGIN = 48, 0.02  # sampled values per label; margin as a fraction of the differences
_ROUNDING = 1e-12  # well above rounding errors, well below any relevant difference
_LOG_LIMIT = 700.0  # exp() of larger values overflows


@dataclass(frozen=True, slots=True)
class RatioEstimate:
    """A ratio in natural logarithms; exchanging the labels exactly inverts the sign.

    Attributes:
        log_ratio: the Hodges-Lehmann estimate.
        log_interval: confidence interval of ``log_ratio``; None if there are too few values.
    """

    log_ratio: float
    log_interval: tuple[float, float] | None

    @property
    def ratio(self) -> float:
        return _exp(self.log_ratio)

    @property
    def interval(self) -> tuple[float, float] | None:
        """The two ends of the confidence interval of `ratio`; None if there are too few values."""
        if self.log_interval is None:
            return None
        low, high = self.log_interval
        return _exp(low), _exp(high)


def estimate(
    first: Sequence[float], second: Sequence[float], confidence: float = CONFIDENCE
) -> RatioEstimate:
    """Estimate second / first by the median of all pairwise ratios, with the Mann-Whitney interval.

    The interval is closed. It contains every shift that a two-sided Mann-Whitney test at level 1 -
    ``confidence`` does not reject. If the two distributions differ only by a factor, the coverage
    is at least ``confidence`` for up to `EXACT_MAX` values per label. Ties make the interval wider.
    """
    (one,) = estimates([first], [second], confidence)
    return one


def estimates(
    firsts: Sequence[Sequence[float]],
    seconds: Sequence[Sequence[float]],
    confidence: float = CONFIDENCE,
) -> list[RatioEstimate]:
    """Call `estimate` for K pairs of rows, in one step; the shapes are (K, n) and (K, m)."""
    found = log_ratios(_logs(firsts), _logs(seconds), confidence)
    medians = found[0].tolist()
    if len(found) == 1:
        return [RatioEstimate(one, None) for one in medians]
    return list(map(RatioEstimate, medians, zip(*found[1:].tolist(), strict=True)))


def log_ratios(firsts: Floats, seconds: Floats, confidence: float = CONFIDENCE) -> Floats:
    """Estimate ratios like `estimates`, from logarithms of values of shape (K, n) and (K, m).

    The result has the shape (3, K): log ratios, lower ends and upper ends of the intervals. If
    there are too few values for an interval, the result has only the log ratios, of shape (1, K).
    """
    n, m = firsts.shape[1], seconds.shape[1]
    rank = interval_rank(n, m, confidence)
    middle = [(n * m - 1) // 2, n * m // 2]
    ends = [] if rank is None else [rank - 1, n * m - rank]
    found = _order_statistics(firsts, seconds, [*middle, *ends])
    return np.vstack([found[:, :2].mean(axis=1), found[:, 2:].T])


def _order_statistics(firsts: Floats, seconds: Floats, places: Sequence[int]) -> Floats:
    """For each row, sort all n * m differences second - first, and return those at ``places``.

    ``places`` are positions in the sorted differences. The result has the shape (K, places).
    """
    size = firsts.shape[1] * seconds.shape[1]
    if size > _MANY_DIFFERENCES:
        pairs = zip(firsts, seconds, strict=True)
        return np.array([_among_many(first, second, places) for first, second in pairs])
    at_once = max(1, _DIFFERENCES_AT_ONCE // size)
    found = []
    for start in range(0, len(firsts), at_once):
        some = slice(start, start + at_once)
        differences = (seconds[some, :, None] - firsts[some, None, :]).reshape(-1, size)
        # Sorting a few differences is faster than partitioning them at several positions.
        inner = np.sort if size <= _FEW_DIFFERENCES else partial(np.partition, kth=places)
        found.append(inner(differences, axis=1)[:, places])
    return np.concatenate(found)


def _among_many(first: Floats, second: Floats, places: Sequence[int]) -> Floats:
    """Compute `_order_statistics` of one long row without sorting all differences.

    The positions in ``places`` must be close together. A sample of the differences gives bounds,
    and the function sorts only the differences between these bounds. If a bound was wrong, the
    function computes all differences, so that the result is always exact.
    """
    a, b = np.sort(first), np.sort(second)
    low, high = _bounds(a, b, places)
    slack = _ROUNDING * (np.abs(a).max() + np.abs(b).max())  # both a + low and b - a are rounded
    starts = np.searchsorted(b, a + (low - slack), "left")
    counts = np.searchsorted(b, a + (high + slack), "right") - starts
    ends = np.cumsum(counts)
    inside = [place - int(starts.sum()) for place in places]
    if min(inside) >= 0 and max(inside) < ends[-1] <= len(a) * len(b) // 2:
        of_b = np.arange(ends[-1]) + np.repeat(starts - (ends - counts), counts)
        between = b[of_b] - np.repeat(a, counts)
        found: Floats = np.partition(between, inside)[inside]
        if low <= found.min() and found.max() <= high:
            return found
    return np.partition(np.subtract.outer(b, a).ravel(), places)[places]


def _bounds(a: Floats, b: Floats, places: Sequence[int]) -> tuple[float, float]:
    """Estimate a lower and an upper bound of the results of `_among_many`.

    ``a`` and ``b`` are the sorted first and second values.
    """
    few = [side[:: max(1, len(side) // _SAMPLE)] for side in (a, b)]
    sample = np.sort(np.subtract.outer(few[1], few[0]).ravel())
    share = len(sample) / (len(a) * len(b))
    margin = math.ceil(_MARGIN * len(sample))
    low = max(0, math.floor(min(places) * share) - margin)
    high = min(len(sample) - 1, math.ceil(max(places) * share) + margin)
    return float(sample[low]), float(sample[high])


def interval_rank(n: int, m: int, confidence: float = CONFIDENCE) -> int | None:
    """The rank k of the two differences that bound the confidence interval.

    The bounds are the k-th smallest and the k-th largest of the n * m differences. The rank is None
    if a label has fewer than `VALUES_NEEDED` values, or too few values for ``confidence``.
    """
    if min(n, m) < VALUES_NEEDED:
        return None
    tail = (1 - confidence) / 2
    if max(n, m) <= EXACT_MAX:
        counts = null_counts(n, m)
        rank = int(np.searchsorted(np.cumsum(counts), tail * counts.sum(), side="right"))
    else:
        z = statistics.NormalDist().inv_cdf(1 - tail)
        rank = math.floor(n * m / 2 - z * math.sqrt(n * m * (n + m + 1) / 12))
    return rank if rank >= 1 else None


@cache
def null_counts(n: int, m: int) -> NDArray[np.int64]:
    """Null distribution of the Mann-Whitney statistic U for n and m values, as counts.

    Entry u is the number of the C(n+m, n) orders of n and m distinct values with U = u, for u = 0
    to n * m. Recurrence: the largest of all values is one of the n or one of the m; without this
    value, a smaller case is left.
    """
    if n == 0 or m == 0:
        return np.ones(1, np.int64)
    counts = np.zeros(n * m + 1, np.int64)
    counts[m:] += null_counts(n - 1, m)
    counts[: n * (m - 1) + 1] += null_counts(n, m - 1)
    counts.flags.writeable = False  # the cache returns this array to every caller
    return counts


def geometric_mean(ratios: Iterable[float]) -> float:
    """The geometric mean of ``ratios`` (> 0, at least one)."""
    return _exp(statistics.fmean(list(map(math.log, ratios))))


def median(values: Sequence[float]) -> float:
    """The median of ``values``, at least one; the sum of two large values cannot overflow."""
    ordered = sorted(values)
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return low if low == high else low / 2 + high / 2


def half_range(values: Sequence[float]) -> float | None:
    """Half of (maximum - minimum), as a fraction of the median; None for fewer than two values."""
    if len(values) < 2:
        return None
    fraction = (max(values) - min(values)) / 2 / median(values)
    return fraction if math.isfinite(fraction) else None


def _logs(sides: Sequence[Sequence[float]]) -> Floats:
    logs: Floats = np.log(np.asarray(sides, float))
    return logs


def exponentials(logarithms: Floats) -> list[float]:
    """Convert ``logarithms`` to ratios, with the same limits as `RatioEstimate.ratio`."""
    return list(map(math.exp, np.clip(logarithms, -_LOG_LIMIT, _LOG_LIMIT).tolist()))


def _exp(logarithm: float) -> float:
    return math.exp(max(-_LOG_LIMIT, min(_LOG_LIMIT, logarithm)))
