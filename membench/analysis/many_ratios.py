"""Estimate many ratios at once with NumPy arrays.

`membench.analysis.statistics` has the method and its sources, and gives the same results. A
comparison of few values does not import this module, because the import of NumPy takes long.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from membench.analysis.statistics import CONFIDENCE, LOG_LIMIT, positions

Floats = NDArray[np.float64]

_DIFFERENCES_AT_ONCE = 1 << 20  # 8 MiB: limit for one step, not for the whole input
_FEW_DIFFERENCES, _MANY_DIFFERENCES = 1 << 8, 1 << 14
_SAMPLE, _MARGIN = 48, 0.02  # sampled values per label; margin as a fraction of the differences
_ROUNDING = 1e-12  # well above rounding errors, well below any relevant difference


def logarithms(rows: Sequence[Sequence[float]] | Floats) -> Floats:
    """The natural logarithms of ``rows``, of shape (K, n), rounded like `math.log`.

    The last digit of `numpy.log` depends on the processor.
    """
    values = np.asarray(rows, float)
    logs = np.fromiter(map(math.log, values.ravel().tolist()), float, values.size)
    return logs.reshape(values.shape)


def log_ratios(firsts: Floats, seconds: Floats, confidence: float = CONFIDENCE) -> Floats:
    """Estimate ratios like `estimates`, from logarithms of values of shape (K, n) and (K, m).

    The result has the shape (3, K): log ratios, lower ends and upper ends of the intervals. If
    there are too few values for an interval, the shape is (1, K).
    """
    places = positions(firsts.shape[1], seconds.shape[1], confidence)
    found = differences_at(firsts, seconds, places)
    return np.vstack([found[:, :2].mean(axis=1), found[:, 2:].T])


def differences_at(firsts: Floats, seconds: Floats, places: Sequence[int]) -> Floats:
    """For each row, sort the differences second - first, and return the elements at ``places``.

    The result has the shape (K, places).
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
    """Compute `differences_at` of one long row without sorting all differences.

    A sample of the differences gives bounds, and only the differences between these bounds are
    sorted. If a bound was wrong, all differences are computed.
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
    """Estimate bounds of the results of `_among_many` from the sorted values ``a`` and ``b``."""
    few = [side[:: max(1, len(side) // _SAMPLE)] for side in (a, b)]
    sample = np.sort(np.subtract.outer(few[1], few[0]).ravel())
    share = len(sample) / (len(a) * len(b))
    margin = math.ceil(_MARGIN * len(sample))
    low = max(0, math.floor(min(places) * share) - margin)
    high = min(len(sample) - 1, math.ceil(max(places) * share) + margin)
    return float(sample[low]), float(sample[high])


def exponentials(logs: Floats) -> list[float]:
    """Convert ``logs`` to ratios, with the same limits as `RatioEstimate.ratio`."""
    return list(map(math.exp, np.clip(logs, -LOG_LIMIT, LOG_LIMIT).tolist()))
