"""Find the points at which the level of a series of runs changes.

A series has the logarithms of the values, of shape (n,), in the order of time. The method is a
CUSUM: the largest standardized difference of means over all ways to divide the series. Real runs
require four additions:

- *Scores instead of values* (Huber's): a value counts for at most `CLAMP` robust standard
  deviations from the median. So a single disturbed run is not reported as a change.
- *Windows of many lengths* (seeded binary segmentation) find a single week of slow runs as well as
  a permanent step.
- *Critical values by permutation* (Westfall and Young's max-T): for each of 499 random orders (199
  for a large history), the largest statistic of all series is computed. A quantile of these maxima
  bounds the probability of a false alarm for the whole history, for any distribution of the noise.
- *A correction for autocorrelation*: permutations destroy the similarity of successive runs. So for
  similar successive runs, the critical values would be too small. The statistic is divided by the
  root of (1 + r) / (1 - r), the factor by which autocorrelation increases the variance of a mean.
  Here r is an upper bound of the lag-1 autocorrelation of the residuals after removing the changes.

docs/statistics.md has the measured error rates.

Sources:

- Page, "Continuous inspection schemes", Biometrika 41 (1954), for the CUSUM.
- Vostrikova, "Detecting 'disorder' in multidimensional random processes", Soviet Mathematics
  Doklady 24 (1981), for binary segmentation.
- Kovacs, Buhlmann, Li and Munk, "Seeded binary segmentation", Biometrika 110 (2023), for the
  windows.
- Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35 (1964).
- Westfall and Young, "Resampling-Based Multiple Testing", Wiley (1993).
- Bayley and Hammersley, "The 'effective' number of independent observations in an autocorrelated
  time series", JRSS Supplement 8 (1946), for the factor.
- Marriott and Pope, "Bias in the estimation of autocorrelations", Biometrika 41 (1954).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from membench.core.record import record

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CHANCE = 0.01
"""Probability of reporting any change in a history without changes."""
PERMUTATIONS, FEWER_PERMUTATIONS = 499, 199
"""Number of random orders of each series: up to `MANY_VALUES` values, and above."""
MANY_VALUES = 50_000
LEAST = 3
"""Minimum number of runs in a level, because fewer runs may be a disturbance."""
CLAMP = 4.0
"""Number of robust standard deviations from the median to which scores are clamped."""
_BOUND = 2.0
"""Number of standard errors added to the autocorrelation for its one-sided 97.7 % upper bound."""
_LARGEST_CORRELATION = 0.95
_SEED = 20261128
_AT_ONCE = 1 << 21  # numbers in memory at the same time: 16 MiB

_MAD = 1.4826  # 1 / the 0.75 quantile of the standard normal distribution


@record
class ChangePoint:
    """The end of one level and the start of the next.

    Attributes:
        place: index of the first value of the new level.
        p: probability that noise alone causes such a large change in any series of the history.
            The smallest possible value is 1 / (permutations + 1).
    """

    place: int
    p: float


def find_changes(
    series: Sequence[Floats], chance: float = CHANCE, permutations: int | None = None
) -> list[tuple[ChangePoint, ...]]:
    """Find the changes of each of ``series``, in the order of time.

    Args:
        series: finite numbers, of shape (n,) for any n; a series with fewer than 2 * `LEAST` values
            has no change.
        chance: probability of reporting any change if no series has a change.
        permutations: number of random orders of each series; None for a default, which is smaller
            for very many values.

    Raises:
        ValueError: ``permutations`` is too small for ``chance``.
    """
    if permutations is None:
        many = sum(map(len, series)) > MANY_VALUES
        permutations = FEWER_PERMUTATIONS if many else PERMUTATIONS
    scored = [_scores(one) if len(one) >= 2 * LEAST else None for one in series]
    usable = [one for one in scored if one is not None]
    if not usable:
        return [() for _ in series]
    largest = np.sort(_largest_by_chance(usable, permutations))
    allowed = math.floor(chance * (permutations + 1) + 1e-9)
    if allowed < 1:
        raise ValueError(f"{permutations} permutations are too few for a probability of {chance}")
    critical = float(largest[-allowed])
    found = []
    for one in scored:
        changes = _segmented(one, critical) if one is not None else []
        found.append(tuple(ChangePoint(place, _p(z, largest)) for place, z in changes))
    return found


def _p(z: float, largest: Floats) -> float:
    above = len(largest) - int(np.searchsorted(largest, z))
    return (1 + above) / (len(largest) + 1)


def _scores(values: Floats) -> Floats | None:
    """``values`` clamped and scaled to mean 0 and variance 1; None if all values are equal."""
    apart = values - np.median(values)
    scale = _MAD * float(np.median(np.abs(apart))) or float(np.abs(apart).mean())
    if not scale:
        return None
    clamped = np.clip(apart / scale, -CLAMP, CLAMP)
    centred: Floats = clamped - clamped.mean()
    return centred / float(centred.std())


@cache
def _windows(n: int) -> tuple[tuple[int, Ints], ...]:
    """Pairs (window length, starts of the seeded windows of this length), longest first."""
    made: list[tuple[int, Ints]] = []
    length = float(n)
    while True:
        whole = max(2 * LEAST, math.ceil(length))
        count = max(1, 2 * math.ceil(n / whole) - 1)
        starts = np.unique(np.linspace(0, n - whole, count).round().astype(np.int64))
        if not made or made[-1][0] != whole:
            made.append((whole, starts))
        if whole == 2 * LEAST:
            return tuple(made)
        length /= math.sqrt(2)


def _statistics(scores: Floats) -> Iterator[tuple[int, Ints, Floats]]:
    """For each window length, yield the length, the starts, and the differences of means.

    The differences are standardized. ``scores`` have the shape (..., n), and the differences have
    the shape (..., starts, splits). The first split is after `LEAST` values of the window.
    """
    n = scores.shape[-1]
    sums = np.zeros((*scores.shape[:-1], n + 1))
    np.cumsum(scores, axis=-1, out=sums[..., 1:])
    for length, starts in _windows(n):
        before = np.arange(LEAST, length - LEAST + 1)
        first = sums[..., starts, None]
        total = sums[..., starts + length, None] - first
        left = sums[..., starts[:, None] + before] - first
        left -= total * (before / length)
        left /= np.sqrt(before * (length - before) / length)
        yield length, starts, np.abs(left, out=left)


def _largest_by_chance(scored: Sequence[Floats], permutations: int) -> Floats:
    """For each random order, the largest statistic of all series; shape (permutations,)."""
    rng = np.random.default_rng(_SEED)
    largest = np.zeros(permutations)
    for scores in scored:
        at_once = max(1, _AT_ONCE // (4 * len(scores)))
        for start in range(0, permutations, at_once):
            part = largest[start : start + at_once]
            orders = rng.permuted(np.tile(scores, (len(part), 1)), axis=1)
            for _, _, differences in _statistics(orders):
                np.maximum(part, differences.max(axis=(-1, -2)), out=part)
    return largest


def _segmented(scores: Floats, critical: float) -> list[tuple[int, float]]:
    """The changes: pairs of an index and a corrected statistic above ``critical``."""
    places = _candidates(scores, critical)
    while places:
        strengths = _strengths(scores, places)
        weakest = min(range(len(places)), key=lambda place: strengths[place])
        if strengths[weakest] > critical:
            return list(zip(places, strengths, strict=True))
        del places[weakest]
    return []


def _candidates(scores: Floats, critical: float) -> list[int]:
    """The indices of the changes before the correction for autocorrelation, ascending."""
    beyond: list[tuple[float, int, int, int]] = []
    for length, starts, differences in _statistics(scores):
        splits = differences.argmax(axis=-1)
        tops = differences.max(axis=-1)
        for window in np.flatnonzero(tops > critical).tolist():
            start = int(starts[window])
            place = start + LEAST + int(splits[window])
            beyond.append((float(tops[window]), start, start + length, place))
    beyond.sort(key=lambda one: (-one[0], one[3]))
    places: list[int] = []
    while beyond:
        place = beyond[0][3]
        places.append(place)
        beyond = [one for one in beyond if not one[1] < place < one[2]]
    return sorted(places)


def _strengths(scores: Floats, places: Sequence[int]) -> list[float]:
    """The statistic of each change at ``places``, corrected for autocorrelation.

    The scale of a t-statistic t is the scatter of the residuals, but the scale of the critical
    values is the scatter of the whole series. So t is converted: with n values, z = t sqrt(n / (n -
    2 + t^2)).
    """
    n = len(scores)
    ends = [0, *places, n]
    levels = [scores[start:end] for start, end in pairwise(ends)]
    means = [float(level.mean()) for level in levels]
    left = np.concatenate([level - mean for level, mean in zip(levels, means, strict=True)])
    variance = float(left @ left) / (n - len(levels))
    if variance <= 0:  # every level is constant
        return [math.inf for _ in places]
    factor = math.sqrt(variance * _inflation(left, places))
    found = []
    for number in range(len(places)):
        one, two = len(levels[number]), len(levels[number + 1])
        t = abs(means[number + 1] - means[number]) * math.sqrt(one * two / (one + two)) / factor
        found.append(t * math.sqrt(n / (n - 2 + t * t)))
    return found


def _inflation(left: Floats, places: Sequence[int]) -> float:
    """The factor (1 + r) / (1 - r) by which autocorrelation increases the variance of a mean.

    Here r is an upper bound of the lag-1 autocorrelation of the residuals ``left``. A pair of
    residuals with a change between them does not count. The usual estimate of r is too low by about
    (1 + 3 r) / n for each subtracted mean (Marriott and Pope), so this bias is added.
    """
    n = len(left)
    products = left[1:] * left[:-1]
    products[np.asarray(places, np.int64) - 1] = 0
    r = float(products.sum()) / float(left @ left)
    r += (len(places) + 1) * (1 + 3 * r) / n
    r += _BOUND * math.sqrt(max(0.0, 1 - min(r, 1.0) ** 2) / n)
    r = min(max(r, 0.0), _LARGEST_CORRELATION)
    return (1 + r) / (1 - r)
