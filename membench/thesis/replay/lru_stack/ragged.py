"""Functions on rows of different lengths, stored one after the other in one array."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def offsets(lengths: Ints) -> Ints:
    """[n + 1] the start of each row; the last element is the end of the last row."""
    found = np.zeros(lengths.size + 1, np.int64)
    np.cumsum(lengths, out=found[1:])
    return found


_DENSE = 4
"""A table is faster than sorting if it has at most this many entries per value."""


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
    """[m] for each element the index of its row; ``begins`` is [n + 1], as from `offsets`."""
    return np.repeat(np.arange(begins.size - 1), np.diff(begins))


def ranges(begins: Ints, lengths: Ints) -> Ints:
    """For each i in turn, the ``lengths[i]`` integers from ``begins[i]`` on."""
    ends = offsets(lengths)
    return np.repeat(begins - ends[:-1], lengths) + np.arange(ends[-1])


def running_max(row: Ints, values: Ints) -> Ints:
    """[n] for each element, the largest of ``values`` in its row up to this element.

    Args:
        row: [n] ascending, from 0.
        values: [n] [n] not negative; the last row index times the largest value must fit 63 bits.
    """
    step = int(values.max(initial=0)) + 1
    raised: Ints = np.maximum.accumulate(row * step + values)
    return raised - row * step


def joined(group: Ints, first: Ints, last: Ints) -> tuple[Ints, Ints, Ints]:
    """The runs ``first`` to ``last``; a run that continues the one before is merged with it.

    Only neighbours in the same ``group`` are merged.
    """
    heads = np.ones(first.size, np.bool_)
    heads[1:] = (group[1:] != group[:-1]) | (first[1:] != last[:-1] + 1)
    return group[heads], first[heads], last[np.roll(heads, -1)]
