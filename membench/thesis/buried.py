"""What lies in the LRU stack below the last request: pieces of runs, ordered by recency.

Every push is a slot, newer slots have larger numbers. A slot holds what is left
of one run; a piece is a contiguous part of that. How many blocks lie above a slot
is a sum over slots; sums of whole groups of slots are kept, so that it costs
about the square root of their number, in C.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import NamedTuple

_SHIFT = 9  # slots of a group: 512


class Piece(NamedTuple):
    """Blocks ``first`` to ``last`` of one slot.

    ``skipped`` blocks of the same piece come before them; ``toucher`` is the
    request that touched them last.
    """

    first: int
    last: int
    slot: int
    toucher: int
    skipped: int


class _Scope:
    """The pieces whose ids belong together: sorted starts, and what begins there."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.pieces: dict[int, tuple[int, int]] = {}  # start: last, slot


class Buried:
    """The lower part of the stack."""

    def __init__(self) -> None:
        self._live: list[int] = []  # blocks left in each slot
        self._sums: list[int] = []  # and in each group of slots
        self._touchers: list[int] = []
        self._parts: dict[int, list[int]] = {}  # starts of a slot's pieces, where it has several
        self._scopes: dict[int, _Scope] = {}

    def push(self, scope: int, toucher: int, runs: list[tuple[int, int]]) -> None:
        """Put ``runs`` on top, the first of them uppermost; none of their blocks is here yet."""
        here = self._scopes.setdefault(scope, _Scope())
        for first, last in reversed(runs):
            slot = len(self._live)
            blocks = last - first + 1
            self._live.append(blocks)
            if slot >> _SHIFT == len(self._sums):
                self._sums.append(0)
            self._sums[-1] += blocks
            self._touchers.append(toucher)
            here.starts.insert(bisect_left(here.starts, first), first)
            here.pieces[first] = last, slot

    def find(self, scope: int, first: int, last: int) -> list[Piece]:
        """What is here of the ids ``first`` to ``last``, ascending."""
        here = self._scopes.get(scope)
        if here is None:
            return []
        place = bisect_right(here.starts, first) - 1
        found = []
        for start in here.starts[max(place, 0) : bisect_right(here.starts, last)]:
            end, slot = here.pieces[start]
            if end >= first:
                begin = max(start, first)
                toucher = self._touchers[slot]
                found.append(Piece(begin, min(end, last), slot, toucher, begin - start))
        return found

    def above(self, scope: int, piece: Piece) -> int:
        """How many blocks lie above the first block of ``piece``."""
        slot = piece.slot
        group = slot >> _SHIFT
        rank = sum(self._live[slot + 1 : (group + 1) << _SHIFT]) + sum(self._sums[group + 1 :])
        rank += piece.skipped
        if parts := self._parts.get(slot):
            pieces = self._scopes[scope].pieces
            begin = piece.first - piece.skipped
            rank += sum(pieces[start][0] - start + 1 for start in parts if start < begin)
        return rank

    def remove(self, scope: int, piece: Piece) -> None:
        """Take ``piece`` out; what is left of its run stays where it is."""
        here = self._scopes[scope]
        first, last, slot = piece.first, piece.last, piece.slot
        place = bisect_right(here.starts, first) - 1
        start = here.starts[place]
        end, _ = here.pieces[start]
        left, right = start < first, last < end
        if left:
            here.pieces[start] = first - 1, slot
        else:
            del here.pieces[start]
        if right:
            here.pieces[last + 1] = end, slot
        here.starts[place : place + 1] = ([start] if left else []) + ([last + 1] if right else [])
        self._live[slot] -= last - first + 1
        self._sums[slot >> _SHIFT] -= last - first + 1
        parts = self._parts.get(slot)
        if parts is not None:
            at = bisect_left(parts, start)
            parts[at : at + 1] = ([start] if left else []) + ([last + 1] if right else [])
        elif left and right:
            self._parts[slot] = [start, last + 1]
