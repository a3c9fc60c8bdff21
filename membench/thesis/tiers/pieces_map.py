"""Maps block ids to slots of an LRU order.

A piece is a range of consecutive ids in one slot. Pieces do not overlap.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import NamedTuple


class Piece(NamedTuple):
    """The ids ``first`` to ``last`` of the piece that begins at ``start``."""

    first: int
    last: int
    start: int
    slot: int


class PieceMap:
    """The pieces of all cached blocks. Equal ids in different scopes are different blocks."""

    def __init__(self) -> None:
        self._starts: dict[int, list[int]] = {}  # scope: starts of pieces, ascending
        self._pieces: dict[int, dict[int, tuple[int, int]]] = {}  # scope: start: (last, slot)

    def insert(self, scope: int, first: int, last: int, slot: int) -> None:
        """Add the ids ``first`` to ``last``, which must all be new, to ``slot``."""
        if scope not in self._starts:
            self._starts[scope] = []
            self._pieces[scope] = {}
        starts = self._starts[scope]
        starts.insert(bisect_left(starts, first), first)
        self._pieces[scope][first] = last, slot

    def find(self, scope: int, first: int, last: int) -> list[Piece]:
        """The pieces with ids from ``first`` to ``last``, cut to this range, ascending."""
        starts = self._starts.get(scope)
        if not starts:
            return []
        pieces = self._pieces[scope]
        found = []
        place = bisect_right(starts, first) - 1
        for start in starts[max(place, 0) : bisect_right(starts, last)]:
            end, slot = pieces[start]
            if end >= first:
                found.append(Piece(max(start, first), min(end, last), start, slot))
        return found

    def last(self, scope: int, start: int) -> int:
        """The last id of the piece that begins at ``start``."""
        return self._pieces[scope][start][0]

    def cut(self, scope: int, first: int, last: int) -> tuple[int, list[int]]:
        """Remove the ids ``first`` to ``last``, which must be in one piece.

        Returns:
            (start of the old piece, starts of the remaining pieces).
        """
        starts, pieces = self._starts[scope], self._pieces[scope]
        place = bisect_right(starts, first) - 1
        start = starts[place]
        end, slot = pieces[start]
        left: list[int] = []
        if start < first:
            pieces[start] = first - 1, slot
            left.append(start)
        else:
            del pieces[start]
        if last < end:
            pieces[last + 1] = end, slot
            left.append(last + 1)
        starts[place : place + 1] = left
        return start, left
