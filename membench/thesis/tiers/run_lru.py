"""The LRU cache of one simulated tier. The cache works on runs of block ids instead of blocks."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, field

from membench.core.record import record
from membench.thesis.replay.run_parts import Run
from membench.thesis.tiers.pieces_map import Piece, PieceMap


@dataclass
class Slot:
    """The blocks of a cached run that no later request touched.

    Attributes:
        time: time of the last use, in seconds.
        starts: start ids of the remaining pieces, ascending. Later ids are less recent.
    """

    scope: int
    time: float
    starts: list[int] = field(default_factory=list)


@record
class Dropped:
    """A run of blocks that left the cache. ``time`` is the last use, in seconds."""

    scope: int
    first: int
    last: int
    time: float

    @property
    def blocks(self) -> int:
        return self.last - self.first + 1


class RunLru:
    """A cache that evicts the least recently used blocks."""

    def __init__(self) -> None:
        self._map = PieceMap()
        self.find = self._map.find
        self._slots: dict[int, Slot] = {}  # in the order of insertion, oldest first
        self._next = 0
        self._latest = -math.inf
        self._ordered = True  # whether the times of the slots ascend
        self.blocks = 0

    def slot(self, piece: Piece) -> Slot:
        return self._slots[piece.slot]

    def take(self, scope: int, first: int, last: int) -> int:
        """Remove the blocks from ``first`` to ``last``. Return how many of them were cached."""
        taken = 0
        for piece in self._map.find(scope, first, last):
            self._remove(scope, piece.slot, piece.first, piece.last)
            taken += piece.last - piece.first + 1
        return taken

    def push(self, scope: int, run: Run, time: float) -> None:
        """Insert ``run`` as the most recent blocks, the first block last. None may be cached."""
        self._map.insert(scope, *run, self._next)
        self._slots[self._next] = Slot(scope, time, [run[0]])
        self._next += 1
        self._ordered = self._ordered and time >= self._latest
        self._latest = max(self._latest, time)
        self.blocks += run[1] - run[0] + 1

    def trim(self, capacity: float) -> list[Dropped]:
        """Evict and return the least recently used blocks beyond ``capacity`` blocks."""
        dropped = []
        while self.blocks > capacity:
            number, slot = next(iter(self._slots.items()))
            start = slot.starts[-1]
            last = self._map.last(slot.scope, start)
            first = max(start, last - int(self.blocks - capacity) + 1)
            self._remove(slot.scope, number, first, last)
            dropped.append(Dropped(slot.scope, first, last, slot.time))
        return dropped

    def expire(self, before: float) -> list[Dropped]:
        """Evict and return the blocks whose last use is before the time ``before`` (seconds)."""
        stale = []
        for number, slot in self._slots.items():
            if slot.time < before:
                stale.append((number, slot))
            elif self._ordered:
                break
        dropped = []
        for number, slot in stale:
            for start in reversed(slot.starts.copy()):
                last = self._map.last(slot.scope, start)
                self._remove(slot.scope, number, start, last)
                dropped.append(Dropped(slot.scope, start, last, slot.time))
        return dropped

    def _remove(self, scope: int, number: int, first: int, last: int) -> None:
        start, left = self._map.cut(scope, first, last)
        starts = self._slots[number].starts
        at = bisect_left(starts, start)
        starts[at : at + 1] = left
        if not starts:
            del self._slots[number]
        self.blocks -= last - first + 1
