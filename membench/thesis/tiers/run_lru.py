"""The LRU cache of one simulated tier. The cache works on runs of block ids instead of blocks."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from membench.core.record import record
from membench.thesis.replay.run_parts import Run
from membench.thesis.tiers.pieces_map import Piece, PieceMap


@dataclass
class Slot:
    """The blocks that remain of an inserted run: no later request touched them.

    Attributes:
        time: time of the last use, in seconds.
        starts: start ids of the remaining pieces, ascending. Blocks with higher ids are less
            recent.
    """

    scope: int
    time: float
    starts: list[int] = field(default_factory=list)


@record
class Dropped:
    """A run of blocks that left the cache. ``time`` is the time of the last use, in seconds."""

    scope: int
    first: int
    last: int
    time: float

    @property
    def blocks(self) -> int:
        return self.last - self.first + 1


class RunLru:
    def __init__(self) -> None:
        self._map = PieceMap()
        self.find = self._map.find
        self._slots: dict[int, Slot] = {}  # in the order of insertion
        self._next = 0
        self._latest = -math.inf
        # (time, number) of each slot and of removed slots; None while the times of inserted slots
        # ascend. In a tier that several GPUs share, a later insertion may have an earlier last use.
        self._heap: list[tuple[float, int]] | None = None
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
        """Insert the blocks of ``run``, last used at ``time`` (seconds).

        No block of ``run`` may be in the cache already.

        In a run, the first block is the most recent. Of two runs with the same time, the run that
        was inserted later is more recent.
        """
        self._map.insert(scope, *run, self._next)
        self._slots[self._next] = Slot(scope, time, [run[0]])
        if self._heap is not None and len(self._heap) < 2 * len(self._slots) + 64:
            heappush(self._heap, (time, self._next))
        elif self._heap is not None or time < self._latest:
            self._heap = [(slot.time, number) for number, slot in self._slots.items()]
            heapify(self._heap)
        self._next += 1
        self._latest = max(self._latest, time)
        self.blocks += run[1] - run[0] + 1

    def trim(self, capacity: float) -> list[Dropped]:
        """Evict and return the least recently used blocks until ``capacity`` blocks remain."""
        dropped = []
        while self.blocks > capacity:
            number, slot = self._oldest()
            start = slot.starts[-1]
            last = self._map.last(slot.scope, start)
            first = max(start, last - int(self.blocks - capacity) + 1)
            self._remove(slot.scope, number, first, last)
            dropped.append(Dropped(slot.scope, first, last, slot.time))
        return dropped

    def expire(self, before: float) -> list[Dropped]:
        """Evict and return the blocks whose last use is before the time ``before`` (seconds)."""
        dropped = []
        while self._slots:
            number, slot = self._oldest()
            if slot.time >= before:
                break
            for start in reversed(slot.starts.copy()):
                last = self._map.last(slot.scope, start)
                self._remove(slot.scope, number, start, last)
                dropped.append(Dropped(slot.scope, start, last, slot.time))
        return dropped

    def _oldest(self) -> tuple[int, Slot]:
        if self._heap is None:
            return next(iter(self._slots.items()))
        while self._heap[0][1] not in self._slots:
            heappop(self._heap)
        number = self._heap[0][1]
        return number, self._slots[number]

    def _remove(self, scope: int, number: int, first: int, last: int) -> None:
        start, left = self._map.cut(scope, first, last)
        starts = self._slots[number].starts
        at = bisect_left(starts, start)
        starts[at : at + 1] = left
        if not starts:
            del self._slots[number]
        self.blocks -= last - first + 1
