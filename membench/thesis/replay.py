"""One pass over a trace: the hits at every cache capacity at once, exactly.

Convention.  Hits are weighted by block.  Those of a request are judged against
the cache as it was before any of its blocks was touched, and count only up to
its first missing block, because a block is of use only with all before it.
Then its blocks are touched or inserted tail-first (last block first, so that
the first block is the most recent), and then the cache is trimmed to its
capacity.  So block k of a request hits at capacity C if and only if the largest
LRU position among its blocks 1..k is at most C.  A stack distance for each
reference on its own is not this.

How it is fast.  The LRU stack is the last request, in its own order, above
everything else (`Buried`).  The prefix that a request shares with the last one
lies at positions 1..n and stays there; only what differs is moved.  All of it is
done on runs of consecutive ids, never on single blocks, so that time grows with
runs and not with references.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np

from membench.thesis.buried import Buried
from membench.thesis.hit_curve import MOST_REFERENCES, HitCurve
from membench.thesis.pieces_map import Piece
from membench.thesis.run_parts import Part, Run, first_uses, overlap
from membench.thesis.trace import Ints, Trace, TraceError


@dataclass(frozen=True)
class Reuse:
    """Blocks that hit if nothing is ever dropped, in groups that share both their uses.

    Attributes:
        request: [n] the request that reads them again.
        before: [n] the request that had touched them last.
        blocks: [n] how many.
    """

    request: Ints
    before: Ints
    blocks: Ints


@dataclass(frozen=True)
class Replay:
    """What one pass over a trace found."""

    curve: HitCurve
    reuse: Reuse


def replay(trace: Trace) -> Replay:
    """Replay ``trace`` in its order.

    Raises:
        TraceError: so many references that their sums would not fit 64 bits.
    """
    references = trace.references
    if not 0 <= references <= MOST_REFERENCES:
        raise TraceError(
            f"{trace.name}: more than {MOST_REFERENCES:.0e} references to blocks",
            "look for a run that ends far beyond its begin",
        )
    state = _Pass()
    runs = list(zip(trace.first.tolist(), trace.last.tolist(), strict=True))
    bounds = trace.offsets.tolist()
    scopes = trace.session.tolist() if trace.private else [0] * trace.requests
    orderly = _ascending(trace).tolist()
    for number, scope in enumerate(scopes):
        asked = runs[bounds[number] : bounds[number + 1]]
        if not asked:
            continue
        if orderly[number] or not overlap(asked):
            state.request(number, scope, asked)
        else:
            state.request_with_repeats(number, scope, asked)
    return Replay(
        HitCurve.of(references, *map(_ints, (state.low, state.high, state.place, state.count))),
        Reuse(*_ints(state.reuse).reshape(-1, 3).T),
    )


class _Pass:
    """The stack between two requests, and the events so far (see `HitCurve`)."""

    def __init__(self) -> None:
        self.low = array("q")
        self.high = array("q")
        self.place = array("q")
        self.count = array("q")
        self.reuse = array("q")  # request, before, blocks; and so on
        self._top: list[Run] = []
        self._toucher = -1
        self._scope = -1
        self._buried = Buried()

    def request(self, number: int, scope: int, runs: list[Run]) -> None:
        """A request that names no block twice."""
        shared = same = 0
        left, fresh = self._top, runs
        if scope == self._scope:
            for old, new in zip(left, runs, strict=False):
                if old == new:
                    shared += new[1] - new[0] + 1
                    same += 1
                    continue
                left, fresh = left[same:], runs[same:]
                if old[0] == new[0]:
                    end = min(old[1], new[1])
                    shared += end - new[0] + 1
                    left, fresh = _cut(left, end), _cut(fresh, end)
                break
            else:
                left, fresh = left[same:], runs[same:]
        if left:
            self._buried.push(self._scope, self._toucher, left)
        if shared:
            self.low.append(1)
            self.high.append(shared)
            self.reuse.extend((number, self._toucher, shared))
        if fresh:
            self._move_up(number, scope, shared, [(first, last, False) for first, last in fresh])
        self._top, self._toucher, self._scope = runs, number, scope

    def request_with_repeats(self, number: int, scope: int, runs: list[Run]) -> None:
        """A request that names a block twice: it stands where it is named first.

        Nothing of the last request is left on top for it, which costs time, but
        puts every block where it is looked for.
        """
        if self._top:
            self._buried.push(self._scope, self._toucher, self._top)
        parts = first_uses(runs)
        self._move_up(number, scope, 0, parts)
        self._top = [(first, last) for first, last, again in parts if not again]
        self._toucher, self._scope = number, scope

    def _move_up(self, number: int, scope: int, shared: int, parts: list[Part]) -> None:
        """Judge ``parts``, that lie below the ``shared`` top or are new; then take them out."""
        worst = shared
        cold = False
        taken: list[Piece] = []
        find = self._buried.find
        for first, last, again in parts:
            if again:  # it hits where its first use did
                if not cold:
                    self.place.append(worst)
                    self.count.append(last - first + 1)
                continue
            found = find(scope, first, last)
            taken += found
            begin = first
            for piece in found:
                if cold or piece.first != begin:
                    break
                position = shared + self._buried.above(scope, piece) + 1
                worst = self._hits(number, piece, position, worst)
                begin = piece.last + 1
            cold = cold or begin <= last
        for piece in taken:
            self._buried.remove(scope, piece)

    def _hits(self, number: int, piece: Piece, position: int, worst: int) -> int:
        """Record the hits of ``piece``, whose first block is at ``position``; the new worst."""
        end = position + piece.last - piece.first
        if position <= worst:
            self.place.append(worst)
            self.count.append(min(end, worst) - position + 1)
            position = worst + 1
        if position <= end:
            self.low.append(position)
            self.high.append(end)
        self.reuse.extend((number, self._buried.toucher(piece), piece.last - piece.first + 1))
        return max(worst, end)


def _cut(runs: list[Run], end: int) -> list[Run]:
    """``runs`` without the blocks of the first one up to ``end``."""
    first, last = runs[0]
    assert first <= end
    return runs[1:] if last == end else [(end + 1, last), *runs[1:]]


def _ascending(trace: Trace) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """[n] whether the runs of a request ascend without overlap."""
    backward = np.zeros(trace.runs + 1, dtype=np.int64)
    if trace.runs:
        backward[1:-1] = trace.first[1:] <= trace.last[:-1]
        backward[trace.offsets] = 0  # the first run of a request follows none of its own
    return np.asarray(np.diff(np.concatenate([[0], np.cumsum(backward)])[trace.offsets]) == 0)


def _ints(values: array[int]) -> Ints:
    return np.frombuffer(values, dtype=np.int64) if values else np.zeros(0, dtype=np.int64)
