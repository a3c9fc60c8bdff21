"""Fences that show what threads wrote to bulk copies, and who is ordered after them."""

from __future__ import annotations

import numpy as np

from emulator.order import Order
from emulator.scalars import Lanes

NEVER = np.iinfo(np.int64).max
NOBODY = -1
SEVERAL = -2


class Fences:
    """For each of ``cells`` the first fence of every warp since it was written.

    A later fence of the same warp adds nothing: who comes after it comes after the first.
    """

    def __init__(self, cells: int, order: Order) -> None:
        self._order = order
        self._stamp = np.full((cells, order.warps), NEVER)
        self._lane = np.full((cells, order.warps), NOBODY, np.int32)

    def forget(self, cells: Lanes) -> None:
        """They were written again."""
        self._stamp[cells] = NEVER
        self._lane[cells] = NOBODY

    def note(self, cells: Lanes, lanes: Lanes, row: int) -> None:
        """These lanes of the warp ``row`` execute a fence that comes after the writes of cells."""
        column = row % self._order.warps
        lane = int(lanes[0]) if lanes.size == 1 else SEVERAL
        before = self._lane[cells, column]
        self._lane[cells, column] = np.where((before == NOBODY) | (before == lane), lane, SEVERAL)
        self._stamp[cells[before == NOBODY], column] = self._order.tick()

    def any(self, cells: Lanes) -> Lanes:
        """Whether there is one at all for each cell."""
        return np.asarray((self._stamp[cells] < NEVER).any(axis=1))

    def ordered(self, cells: Lanes, lanes: Lanes, rows: Lanes) -> Lanes:
        """Whether one for each cell comes before what the lane, of warp ``rows``, does now.

        A lane comes after its own fence.  Where several lanes of its warp have executed
        one, it counts as one of them.
        """
        columns = rows % self._order.warps
        known = self._order.known[rows, : self._order.warps]
        lane = self._lane[cells, columns]
        own = (lane == lanes) | (lane == SEVERAL)
        return np.asarray((self._stamp[cells] <= known).any(axis=1) | own)
