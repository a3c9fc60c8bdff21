"""Read the rounds of many labels on one line of a comparison into one array."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from membench.analysis.decimals import numbers
from membench.analysis.many_ratios import Floats

_LARGEST = 1e300  # the sum of two such values is finite
_MEDIAN_TOLERANCE = 1e-9  # same tolerance as `is_median`


def sorted_rounds(
    cells: Sequence[str], count: int, values: Sequence[float | None]
) -> Floats | None:
    """The rounds of each label, ascending, of shape (labels, ``count``).

    The result is None in four cases:

    - ``count`` is less than 2.
    - The labels do not have ``count`` rounds each.
    - A round is too large or not above 0.
    - A value is not the median of its rounds.

    Args:
        cells: the cell `round_values` of each label.
    """
    rounds = numbers(";".join(cells))
    if count < 2 or rounds.size != count * len(cells):
        return None
    found = np.sort(rounds.reshape(-1, count), axis=1)
    if not (found[:, 0].min() > 0 and found[:, -1].max() < _LARGEST):
        return None
    given, middle = np.array(values, float), _medians(found)
    apart = np.abs(given - middle) > _MEDIAN_TOLERANCE * np.maximum(given, middle)
    return None if np.any(apart) or np.isnan(given).any() else found


def half_ranges(rounds: Floats) -> list[float | None]:
    """`CaseRuns.half_range` of each row of the result of `sorted_rounds`."""
    spans = (rounds[:, -1] - rounds[:, 0]) / 2 / _medians(rounds)
    return [one if math.isfinite(one) else None for one in spans.tolist()]


def _medians(rounds: Floats) -> Floats:
    """Medians of the sorted rows, rounded like `membench.analysis.statistics.median`."""
    low, high = rounds[:, (rounds.shape[1] - 1) // 2], rounds[:, rounds.shape[1] // 2]
    found: Floats = np.where(low == high, low, low / 2 + high / 2)
    return found
