"""Compares each request with the previous request.

The blocks at the start that are equal in both requests are shared. The other blocks are listed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from membench.thesis.replay.lru_stack.ragged import Ints, offsets, ranges, rows


class Runs(NamedTuple):
    """Parts of the runs of requests. A part is a complete run, or the end of a run.

    Attributes:
        turn: [n] index of the request in which the part is fresh or buried (see `stack`).
        run: [n] index of the complete run.
        first, last: [n] first and last key of the part.
    """

    turn: Ints
    run: Ints
    first: Ints
    last: Ints


class Succession(NamedTuple):
    """The comparison of each request with the previous request.

    Attributes:
        shared: [n] number of equal blocks at the start of both requests.
        fresh: the other blocks of each request, in order.
        left: the other blocks of each previous request, the latest request first. The blocks of
            one request are in order.
    """

    shared: Ints
    fresh: Runs
    left: Runs


def succession(first: Ints, last: Ints, begins: Ints) -> Succession:
    """Compare requests 1 to n with requests 0 to n - 1.

    Args:
        first, last: [m] first and last key of each run, one request after the other.
        begins: [n + 2] index of the first run of each request; the last element is m. Only request
            0 may be empty.
    """
    lengths, starts = np.diff(begins), begins[1:-1]
    same = _equal_runs(first, last, begins)
    mine, other = starts + same, begins[:-2] + same
    # The first pair of different runs can still have equal blocks at the start.
    both = np.flatnonzero((same < lengths[1:]) & (same < lengths[:-1]))
    both = both[first[mine[both]] == first[other[both]]]
    ends = np.minimum(last[mine[both]], last[other[both]]) + 1
    head = np.zeros(same.size, np.int64)
    head[both] = ends - first[mine[both]]
    blocks = offsets(last - first + 1)
    turns = np.arange(same.size)
    return Succession(
        blocks[mine] - blocks[starts] + head,
        _rest(first, last, turns, mine, begins[2:], head),
        _rest(first, last, turns[::-1], other[::-1], starts[::-1], head[::-1]),
    )


def _equal_runs(first: Ints, last: Ints, begins: Ints) -> Ints:
    """[n] number of equal runs at the start of each request and of the request before it."""
    lengths, starts = np.diff(begins), begins[1:-1]
    turn = rows(begins[1:])
    run = np.arange(begins[1], first.size)
    place = run - starts[turn]
    partner = begins[turn] + place
    equal = place < lengths[turn]
    partner[~equal] = 0
    equal &= (first[partner] == first[run]) & (last[partner] == last[run])
    place[equal] = first.size
    return np.minimum(np.minimum.reduceat(place, starts - begins[1]), lengths[1:])


def _rest(first: Ints, last: Ints, turns: Ints, begins: Ints, ends: Ints, head: Ints) -> Runs:
    """The runs ``begins[i]`` to ``ends[i] - 1`` for all i, without the first ``head[i]`` blocks."""
    lengths = ends - begins
    run = ranges(begins, lengths)
    turn = np.repeat(turns, lengths)
    first, last = first[run], last[run]
    some = lengths > 0
    first[offsets(lengths)[:-1][some]] += head[some]
    left = first <= last
    return Runs(turn[left], run[left], first[left], last[left])
