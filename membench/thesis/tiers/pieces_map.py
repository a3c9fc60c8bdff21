"""Maps ids to cached blocks: non-overlapping pieces of runs, each in one slot of an LRU order."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import NamedTuple


class Piece(NamedTuple):
    """The blocks ``first`` to ``last`` of the piece that begins at ``start`` and is in ``slot``."""

    first: int
    last: int
    start: int
    slot: int


class PieceMap:
    """Pieces by scope and id; equal ids of different scopes are different blocks."""

    def __init__(self) -> None:
        self._starts: dict[int, list[int]] = {}  # ascending
        self._pieces: dict[int, dict[int, tuple[int, int]]] = {}  # start: last, slot

    def insert(self, scope: int, first: int, last: int, slot: int) -> None:
        """Put the ids ``first`` to ``last`` into ``slot``; none of them may be in the map yet."""
        if scope not in self._starts:
            self._starts[scope] = []
            self._pieces[scope] = {}
        starts = self._starts[scope]
        starts.insert(bisect_left(starts, first), first)
        self._pieces[scope][first] = last, slot

    def find(self, scope: int, first: int, last: int) -> list[Piece]:
        """The pieces that contain any of the ids ``first`` to ``last``, ascending."""
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
        """Remove the ids ``first`` to ``last`` from the one piece that contains them.

        Returns:
            The start of that piece, and the starts of the pieces that remain of it.
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
