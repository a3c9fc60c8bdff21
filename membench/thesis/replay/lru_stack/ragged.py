"""Functions on rows of different lengths, stored one after the other in one array."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def offsets(lengths: Ints) -> Ints:
    """[n + 1] start index of each row. The last element is the end of the last row."""
    found = np.zeros(lengths.size + 1, np.int64)
    np.cumsum(lengths, out=found[1:])
    return found


_DENSE = 4
"""Maximum number of table entries per value. A larger table is slower than sorting."""


def distinct(values: Ints) -> tuple[Ints, Ints]:
    """(distinct values in ascending order, [n] index of each value in the distinct values)."""
    if not values.size:
        return values, values
    low = int(values.min())
    span = int(values.max()) - low + 1
    if span > _DENSE * values.size:
        found, number = np.unique(values, return_inverse=True)
        return found, number
    there = np.zeros(span, np.bool_)
    there[values - low] = True
    count = np.cumsum(there)
    return np.flatnonzero(there) + low, count[values - low] - 1


def rows(begins: Ints) -> Ints:
    """[m] index of the row of each element. ``begins`` is [n + 1], as from `offsets`."""
    return np.repeat(np.arange(begins.size - 1), np.diff(begins))


def ranges(begins: Ints, lengths: Ints) -> Ints:
    """Concatenate ``arange(begins[i], begins[i] + lengths[i])`` for all i."""
    ends = offsets(lengths)
    return np.repeat(begins - ends[:-1], lengths) + np.arange(ends[-1])


def running_max(row: Ints, values: Ints) -> Ints:
    """[n] running maximum of ``values`` within each row.

    Args:
        row: [n] index of the row of each value; ascending, from 0.
        values: [n] not negative. The last row index times the largest value must fit into 63 bits.
    """
    step = int(values.max(initial=0)) + 1
    raised: Ints = np.maximum.accumulate(row * step + values)
    return raised - row * step


def joined(group: Ints, first: Ints, last: Ints) -> tuple[Ints, Ints, Ints]:
    """Merge neighbouring runs of equal ``group`` if the second run continues the first run.

    Args:
        group: [n] any number for each run.
        first, last: [n] first and last key of each run.

    Returns:
        (``group``, ``first``, ``last``) of the merged runs.
    """
    heads = np.ones(first.size, np.bool_)
    heads[1:] = (group[1:] != group[:-1]) | (first[1:] != last[:-1] + 1)
    return group[heads], first[heads], last[np.roll(heads, -1)]
