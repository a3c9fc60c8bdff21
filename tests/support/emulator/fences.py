"""Fences that make writes of threads visible to bulk copies."""

from __future__ import annotations

import numpy as np

from emulator.order import Order
from emulator.scalars import Lanes

NEVER = np.iinfo(np.int64).max
NOBODY = -1
SEVERAL = -2


class Fences:
    """For each of ``cells``, the first fence of every warp after the last write.

    Later fences of the same warp have no further effect.
    """

    def __init__(self, cells: int, order: Order) -> None:
        self._order = order
        self._stamp = np.full((cells, order.warps), NEVER)
        self._lane = np.full((cells, order.warps), NOBODY, np.int32)

    def forget(self, cells: Lanes) -> None:
        """Forget the fences of ``cells``, because the cells were written again."""
        self._stamp[cells] = NEVER
        self._lane[cells] = NOBODY

    def note(self, cells: Lanes, lanes: Lanes, row: int) -> None:
        """Record a fence by ``lanes`` of warp ``row`` that follows the writes of ``cells``."""
        column = row % self._order.warps
        lane = int(lanes[0]) if lanes.size == 1 else SEVERAL
        before = self._lane[cells, column]
        self._lane[cells, column] = np.where((before == NOBODY) | (before == lane), lane, SEVERAL)
        self._stamp[cells[before == NOBODY], column] = self._order.tick()

    def any(self, cells: Lanes) -> Lanes:
        """For each cell, whether any fence follows its last write."""
        return np.asarray((self._stamp[cells] < NEVER).any(axis=1))

    def ordered(self, cells: Lanes, lanes: Lanes, rows: Lanes) -> Lanes:
        """For each cell, whether a fence is ordered before the lane's present action.

        ``rows`` are the warps of the lanes. A lane is ordered after its own fence. If several lanes
        of a warp executed a fence, every lane of the warp counts as ordered after the fence.
        """
        columns = rows % self._order.warps
        known = self._order.known[rows, : self._order.warps]
        lane = self._lane[cells, columns]
        own = (lane == lanes) | (lane == SEVERAL)
        return np.asarray((self._stamp[cells] <= known).any(axis=1) | own)
