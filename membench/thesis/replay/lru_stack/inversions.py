"""For each element of a sequence, sums the weights of all earlier elements with smaller values.

The algorithm halves the sequence repeatedly, as in Knuth, The Art of Computer Programming 3, 5.1.1.
"""

from __future__ import annotations

import numpy as np

from membench.thesis.replay.lru_stack.ragged import Ints

_SHORT = 32
"""Length of the segments in which all pairs of elements are compared directly."""
_EARLIER = np.tri(_SHORT, k=-1, dtype=np.bool_)


def smaller_before(values: Ints, weights: Ints) -> Ints:
    """[n] for each element, the sum of ``weights`` of earlier elements with smaller values.

    Args:
        values: [n] any integers. Equal values do not count.
        weights: [n] integers.
    """
    count = values.size
    size = max(1 << max(count - 1, 0).bit_length(), _SHORT)
    sums = np.zeros(size, np.int64)
    weighed = np.zeros(size, np.int64)
    weighed[:count] = weights
    # Indices sorted by value. Among equal values the later index is first, so that equal values do
    # not count.
    place = np.arange(size)
    place[:count] = count - 1 - np.argsort(values[::-1], kind="stable")
    # Each row has the indices of one aligned segment of the sequence, sorted by value. An index in
    # the upper half of the segment adds the weights of all earlier entries of the row that are in
    # the lower half. Then each half becomes a row.
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
    """[n] `smaller_before` within each segment of `_SHORT` elements, by comparing every pair."""
    count = values.size
    rows = -(-count // _SHORT)
    table = np.zeros((2, rows * _SHORT), np.int64)
    table[0, :count], table[1, :count] = values, weights
    value, weight = table.reshape(2, rows, _SHORT)
    smaller = (value[:, None, :] < value[:, :, None]) & _EARLIER
    # doubles are exact here, because all integers are far below 2^53
    found = np.matmul(smaller.astype(np.float64), weight.astype(np.float64)[:, :, None])
    sums: Ints = found.reshape(-1)[:count].astype(np.int64)
    return sums
