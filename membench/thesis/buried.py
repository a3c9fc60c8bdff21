"""What lies in the LRU stack below the last request: pieces of runs, ordered by recency.

Every push is a slot, newer slots have larger numbers. A slot holds what is left
of one run. How many blocks lie above a slot is a sum over slots; sums of whole
groups of slots are kept, so that it costs about the square root of their number,
in C.
"""

from __future__ import annotations

from bisect import bisect_left

from membench.thesis.pieces_map import Piece, PieceMap

_SHIFT = 9  # slots of a group: 512


class Buried:
    """The lower part of the stack."""

    def __init__(self) -> None:
        self._map = PieceMap()
        self.find = self._map.find
        self._live: list[int] = []  # blocks left in each slot
        self._sums: list[int] = []  # and in each group of slots
        self._touchers: list[int] = []
        self._parts: dict[int, list[int]] = {}  # starts of a slot's pieces, where it has several

    def push(self, scope: int, toucher: int, runs: list[tuple[int, int]]) -> None:
        """Put ``runs`` on top, the first of them uppermost; none of their blocks is here yet."""
        for first, last in reversed(runs):
            slot = len(self._live)
            blocks = last - first + 1
            self._live.append(blocks)
            if slot >> _SHIFT == len(self._sums):
                self._sums.append(0)
            self._sums[-1] += blocks
            self._touchers.append(toucher)
            self._map.insert(scope, first, last, slot)

    def toucher(self, piece: Piece) -> int:
        """The request that touched ``piece`` last."""
        return self._touchers[piece.slot]

    def above(self, scope: int, piece: Piece) -> int:
        """How many blocks lie above the first block of ``piece``."""
        slot = piece.slot
        group = slot >> _SHIFT
        rank = sum(self._live[slot + 1 : (group + 1) << _SHIFT]) + sum(self._sums[group + 1 :])
        for start in self._parts.get(slot, ()):
            if start >= piece.start:
                break
            rank += self._map.last(scope, start) - start + 1
        return rank + piece.first - piece.start

    def remove(self, scope: int, piece: Piece) -> None:
        """Take ``piece`` out; what is left of its run stays where it is."""
        start, left = self._map.cut(scope, piece.first, piece.last)
        slot = piece.slot
        blocks = piece.last - piece.first + 1
        self._live[slot] -= blocks
        self._sums[slot >> _SHIFT] -= blocks
        parts = self._parts.get(slot)
        if parts is not None:
            at = bisect_left(parts, start)
            parts[at : at + 1] = left
        elif len(left) == 2:
            self._parts[slot] = left
