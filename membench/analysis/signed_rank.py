"""Estimate the ratio of the values of two labels that were measured in pairs.

As in `membench.analysis.statistics`, all functions work on logarithms and use no random numbers.
Values are positive and finite, of shape (K, n): K rows of n pairs each.

Sources: Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1 (1945).
Hollander and Wolfe, "Nonparametric Statistical Methods", sections 3.1 to 3.3, for the null
distribution, the estimate from Walsh averages, the interval and its normal approximation.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from membench.analysis.many_ratios import Floats
from membench.analysis.statistics import CONFIDENCE, RatioEstimate
from membench.core.record import record

EXACT_MAX = 50
"""Largest number of pairs for the exact null distribution; more pairs use an approximation."""
POWER = 0.95
SHOWN = 5 / 3
"""Factor on the threshold in `pairs_for`: with a threshold of 3 %, plan for 5 %."""
_AVERAGES_AT_ONCE = 1 << 20  # numbers in memory at once: 8 MiB
_NORMAL_QUARTILES = 1.3489795  # interquartile range of the standard normal distribution


@record
class PairedEstimate:
    """The ratio second / first of one row of pairs.

    Attributes:
        estimate: the median of the Walsh averages, with the interval from the signed-rank test.
        deviation: robust standard deviation of the log ratio of one pair.
    """

    estimate: RatioEstimate
    deviation: float


def paired_estimates(
    firsts: Sequence[Sequence[float]],
    seconds: Sequence[Sequence[float]],
    confidence: float = CONFIDENCE,
) -> list[PairedEstimate]:
    """Estimate the ratio second / first for each row of pairs, of shape (K, n).

    The interval contains every shift that a two-sided signed-rank test at level 1 - ``confidence``
    does not reject. If the log ratios are symmetric around their centre, the coverage is at least
    ``confidence`` for up to `EXACT_MAX` pairs. Ties make the interval wider.
    """
    ratios = np.log(np.asarray(seconds, float)) - np.log(np.asarray(firsts, float))
    n = ratios.shape[1]
    count = n * (n + 1) // 2
    rank = interval_rank(n, confidence)
    places = [(count - 1) // 2, count // 2, (count - 1) // 4, count - 1 - (count - 1) // 4]
    places += [] if rank is None else [rank - 1, count - rank]
    found = _of_walsh_averages(ratios, places)
    # The average of two independent log ratios has 1 / sqrt(2) of their standard deviation.
    deviations = (found[:, 3] - found[:, 2]) * math.sqrt(2) / _NORMAL_QUARTILES
    made = []
    for (low, high, _, _, *ends), deviation in zip(
        found.tolist(), deviations.tolist(), strict=True
    ):
        interval = (ends[0], ends[1]) if ends else None
        made.append(PairedEstimate(RatioEstimate((low + high) / 2, interval), deviation))
    return made


def _of_walsh_averages(ratios: Floats, places: Sequence[int]) -> Floats:
    """For each row, the elements at ``places`` of the sorted Walsh averages.

    The result has the shape (K, places). A Walsh average is the average of two values of a row, or
    of a value with itself.
    """
    one, other = np.triu_indices(ratios.shape[1])
    at_once = max(1, _AVERAGES_AT_ONCE // len(one))
    found = []
    for start in range(0, len(ratios), at_once):
        some = ratios[start : start + at_once]
        averages = (some[:, one] + some[:, other]) / 2
        found.append(np.partition(averages, places, axis=1)[:, places])
    return np.concatenate(found)


def interval_rank(n: int, confidence: float = CONFIDENCE) -> int | None:
    """The rank k of the interval from the k-th smallest to the k-th largest Walsh average.

    None if ``n`` pairs are too few for ``confidence``.
    """
    tail = (1 - confidence) / 2
    if n <= EXACT_MAX:
        rank = int(np.searchsorted(np.cumsum(null_counts(n)), tail * 2.0**n, side="right"))
    else:
        z = statistics.NormalDist().inv_cdf(1 - tail)
        rank = math.floor(n * (n + 1) / 4 - z * math.sqrt(n * (n + 1) * (2 * n + 1) / 24))
    return rank if rank >= 1 else None


@cache
def null_counts(n: int) -> NDArray[np.int64]:
    """Null distribution of the signed-rank statistic for ``n`` pairs, as counts.

    Entry s is the number of the 2^n sign assignments to the ranks 1 to n whose positive ranks sum
    to s. Recurrence: the rank n is positive or negative, and in both cases n - 1 ranks are left.
    """
    counts = np.zeros(n * (n + 1) // 2 + 1, np.int64)
    if n == 0:
        counts[0] = 1
        return counts
    before = null_counts(n - 1)
    counts[: len(before)] = before
    counts[n:] += before
    counts.flags.writeable = False  # the cache returns this array to every caller
    return counts


def pairs_for(deviation: float, threshold: float, confidence: float = CONFIDENCE) -> int:
    """Number of pairs that show a true difference of `SHOWN` x ``threshold``.

    To show a difference means that the whole interval is beyond the threshold, with the probability
    `POWER`. ``deviation`` is the standard deviation of the log ratio of one pair. The estimate from
    n normal log ratios has the variance (pi / 3) deviation^2 / n (Hollander and Wolfe, section 3.2:
    the efficiency 3 / pi).
    """
    normal = statistics.NormalDist()
    reach = normal.inv_cdf((1 + confidence) / 2) + normal.inv_cdf(POWER)
    gap = math.log1p(SHOWN * threshold) - math.log1p(threshold)
    return math.ceil(math.pi / 3 * (reach * deviation / gap) ** 2)
