"""Weighted inversions of a sequence, by merging from the whole down to single elements.

The question behind it: of what was put on a stack in a known order, how much had
been taken out before a given element was? (Knuth, The Art of Computer
Programming 3, 5.1.1, counts inversions by the same halving.)
"""

from __future__ import annotations

import numpy as np

from membench.thesis.replay.lru_stack.ragged import Ints


def smaller_before(values: Ints, weights: Ints) -> Ints:
    """[n] for each element the sum of ``weights`` of earlier elements with a smaller value.

    Args:
        values: [n] any integers; equal ones are not smaller.
        weights: [n].
    """
    count = values.size
    size = 1 << max(count - 1, 0).bit_length()
    sums = np.zeros(size, np.int64)
    weighed = np.zeros(size, np.int64)
    weighed[:count] = weights
    # By value; of equal values the later first, so that none counts for another.
    place = np.arange(size)
    place[:count] = count - 1 - np.argsort(values[::-1], kind="stable")
    # Each row holds the places of one aligned stretch of the sequence, by value. What a
    # place in the upper half of its stretch gets from the lower half lies before it in the
    # row; then the halves are rows of their own.
    while size > 1:
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
    return sums[:count]
