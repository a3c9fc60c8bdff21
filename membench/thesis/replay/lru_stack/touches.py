"""Lists the blocks that each request of a trace touches, each block once, as runs of keys.

A key identifies a block in the whole trace. The key is the block's id, shifted if ids are private
to a session.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from membench.core.record import record
from membench.thesis.replay.lru_stack.ragged import Bools, Ints, offsets, rows
from membench.thesis.replay.run_parts import first_uses
from membench.thesis.replay.trace import Trace, TraceError

_MOST_KEYS = 2**62


class Again(NamedTuple):
    """Repeated blocks: blocks that a request names a second time.

    Attributes:
        after: [k] index in `Touches` of the last run before the repeated blocks, in the same
            request. Ascending.
        blocks: [k] number of repeated blocks.
    """

    after: Ints
    blocks: Ints

    def between(self, begin: int, end: int) -> Again:
        """The entries for the runs ``begin`` to ``end - 1``. The runs are renumbered from 0."""
        found = slice(*np.searchsorted(self.after, [begin, end]))
        return Again(self.after[found] - begin, self.blocks[found])


@record
class Touches:
    """The requests that touch at least one block, in order.

    Attributes:
        number: [n] index of the request in the trace.
        offsets: [n + 1] as in `Trace`.
        first, last: [m] first and last key of each run. A key occurs at most once in a request.
        again: repeated blocks, which the runs do not contain.
    """

    number: Ints
    offsets: Ints
    first: Ints
    last: Ints
    again: Again

    def between(self, begin: int, end: int) -> Touches:
        """The requests ``begin`` to ``end - 1``. The runs are renumbered from 0."""
        low, high = self.offsets[begin], self.offsets[end]
        return Touches(
            self.number[begin:end],
            self.offsets[begin : end + 1] - low,
            self.first[low:high],
            self.last[low:high],
            self.again.between(low, high),
        )


def touches(trace: Trace) -> Touches:
    """``trace`` with keys instead of ids, without empty requests and without repeated blocks."""
    number = np.flatnonzero(np.diff(trace.offsets))
    begins = np.append(trace.offsets[number], trace.runs)
    first, last = keys_of(trace)
    request = rows(begins)
    repeating = _repeating(request, first, last)
    if repeating.size:
        return _without_repeats(number, request, first, last, repeating)
    nothing = np.zeros(0, np.int64)
    return Touches(number, begins, first, last, Again(nothing, nothing))


def keys_of(trace: Trace) -> tuple[Ints, Ints]:
    """([m] first key, [m] last key) of the runs of ``trace``.

    Raises:
        TraceError: the ids of the sessions are too large for one 64-bit key space.
    """
    moved = _moves(trace)
    return trace.first + moved, trace.last + moved


def _moves(trace: Trace) -> Ints | int:
    """[m] number to add to the ids of each run to get keys; 0 if ids are not private."""
    if not trace.private or not trace.runs:
        return 0
    sessions, session = np.unique(trace.session, return_inverse=True)
    session = np.repeat(session, np.diff(trace.offsets))
    lowest = np.full(sessions.size, _MOST_KEYS)
    highest = np.zeros(sessions.size, np.int64)
    np.minimum.at(lowest, session, trace.first)
    np.maximum.at(highest, session, trace.last)
    spans = np.maximum(highest - lowest + 1, 0)  # 0 for a session without runs
    if spans.sum(dtype=np.float64) >= _MOST_KEYS:
        raise TraceError(
            f"{trace.name}: the block ids are too large to give each session separate ids"
        )
    moves: Ints = (offsets(spans)[:-1] - lowest)[session]
    return moves


def _repeating(request: Ints, first: Ints, last: Ints) -> Ints:
    """Indices of the requests that contain a block more than once, ascending."""
    suspects = _meeting(request, first, last)
    if not suspects.any():  # the runs of every request ascend, so no block is repeated
        return np.zeros(0, np.int64)
    runs = np.flatnonzero(np.isin(request, request[1:][suspects]))
    runs = runs[np.lexsort((first[runs], request[runs]))]
    return np.unique(request[runs][1:][_meeting(request[runs], first[runs], last[runs])])


def _meeting(request: Ints, first: Ints, last: Ints) -> Bools:
    """[m - 1] whether a run starts at or before the end of the previous run of the same request."""
    return np.asarray((request[1:] == request[:-1]) & (first[1:] <= last[:-1]))


def _without_repeats(
    number: Ints, request: Ints, first: Ints, last: Ints, repeating: Ints
) -> Touches:
    others = ~np.isin(request, repeating)
    parts = []
    for one in repeating.tolist():
        own = slice(*np.searchsorted(request, [one, one + 1]))
        runs = list(zip(first[own].tolist(), last[own].tolist(), strict=True))
        parts += [(one, *part) for part in first_uses(runs)]
    cut, begin, end, again = np.array(parts, np.int64).T
    new = again == 0
    request = np.concatenate([request[others], cut[new]])
    order = np.argsort(request, kind="stable")
    begins = offsets(np.bincount(request, minlength=number.size))
    # number of earlier runs in the same request, for each repeated run
    within = np.cumsum(new) - np.searchsorted(cut[new], cut)
    return Touches(
        number,
        begins,
        np.concatenate([first[others], begin[new]])[order],
        np.concatenate([last[others], end[new]])[order],
        Again((begins[cut] + within - 1)[~new], (end - begin + 1)[~new]),
    )
