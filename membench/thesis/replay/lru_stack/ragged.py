"""Rows of different lengths stored one after the other in an array, and runs of keys."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def offsets(lengths: Ints) -> Ints:
    """[n + 1] the start of each row; the last element is the end of all."""
    found = np.zeros(lengths.size + 1, np.int64)
    np.cumsum(lengths, out=found[1:])
    return found


_DENSE = 4
"""Up to this many table entries per value, a table is faster than sorting."""


def distinct(values: Ints) -> tuple[Ints, Ints]:
    """The distinct ``values``, ascending, and for each value its index among them."""
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
    """For each element the number of its row; ``begins`` is [n + 1] as from `offsets`."""
    return np.repeat(np.arange(begins.size - 1), np.diff(begins))


def ranges(begins: Ints, lengths: Ints) -> Ints:
    """``begins[0]``, ``begins[0] + 1``, ... (``lengths[0]`` of them), then the next range."""
    ends = offsets(lengths)
    return np.repeat(begins - ends[:-1], lengths) + np.arange(ends[-1])


def running_max(row: Ints, values: Ints) -> Ints:
    """[n] the largest of ``values`` so far in the same row.

    Args:
        row: [n] ascending, from 0.
        values: [n] not negative; the last row times the largest must fit 63 bits.
    """
    step = int(values.max(initial=0)) + 1
    raised: Ints = np.maximum.accumulate(row * step + values)
    return raised - row * step


def joined(group: Ints, first: Ints, last: Ints) -> tuple[Ints, Ints, Ints]:
    """Runs from ``first`` to ``last``, with each run that continues the one before merged into it.

    Only neighbours in the same ``group`` are merged.
    """
    heads = np.ones(first.size, np.bool_)
    heads[1:] = (group[1:] != group[:-1]) | (first[1:] != last[:-1] + 1)
    return group[heads], first[heads], last[np.roll(heads, -1)]
