"""Weighted inversions of a sequence, by halving it down to single elements.

They answer this question: if elements are put on a stack in a known order, how much was removed
before a given element was removed? (Knuth, The Art of Computer Programming 3, 5.1.1, counts
inversions by the same halving.)
"""

from __future__ import annotations

import numpy as np

from membench.thesis.replay.lru_stack.ragged import Ints

_SHORT = 32
"""Length of the stretches in which all pairs of elements are compared."""
_EARLIER = np.tri(_SHORT, k=-1, dtype=np.bool_)


def smaller_before(values: Ints, weights: Ints) -> Ints:
    """[n] for each element, the sum of ``weights`` of earlier elements with smaller values.

    Args:
        values: [n] any integers; an equal value is not smaller.
        weights: [n].
    """
    count = values.size
    size = max(1 << max(count - 1, 0).bit_length(), _SHORT)
    sums = np.zeros(size, np.int64)
    weighed = np.zeros(size, np.int64)
    weighed[:count] = weights
    # Sorted by value. Of equal values the later one comes first, so that equal ones are not
    # counted.
    place = np.arange(size)
    place[:count] = count - 1 - np.argsort(values[::-1], kind="stable")
    # Each row holds the places of one aligned stretch of the sequence, ordered by value. For a
    # place in the upper half, the places of the lower half with smaller values are before it in the
    # row. Then each half becomes a row.
    while size > _SHORT:
        half = size >> 1
        upper = (place & half) != 0
        lower = ~upper
        given = weighed[place]
        given[upper] = 0
        given = np.cumsum(given)
        row = np.concatenate([np.zeros(1, np.int64), given[size - 1 : -1 : size]])
        sums[place[upper]] += given[upper] - np.repeat(row, half)
        halves = place[lower].reshape(-1, 1, half), place[upper].reshape(-1, 1, half)
        place = np.concatenate(halves, axis=1).reshape(-1)
        size = half
    return sums[:count] + _within(values, weights)


def _within(values: Ints, weights: Ints) -> Ints:
    """[n] `smaller_before` within each stretch of `_SHORT` elements, by comparing every pair."""
    count = values.size
    rows = -(-count // _SHORT)
    table = np.zeros((2, rows * _SHORT), np.int64)
    table[0, :count], table[1, :count] = values, weights
    value, weight = table.reshape(2, rows, _SHORT)
    smaller = (value[:, None, :] < value[:, :, None]) & _EARLIER
    # Integers far below 2^53 are exact in double precision.
    found = np.matmul(smaller.astype(np.float64), weight.astype(np.float64)[:, :, None])
    sums: Ints = found.reshape(-1)[:count].astype(np.int64)
    return sums
