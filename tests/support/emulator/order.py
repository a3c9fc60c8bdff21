"""Who is ordered after whom: vector clocks of the warps of a cluster.

Every shared-memory access gets a stamp that only grows.  ``known[t, u]`` is the
stamp up to which the accesses of warp ``u`` are ordered before what warp ``t``
does next; barriers raise it.  Between the threads of one warp, ``known[t, t]``
rises at ``bar.warp.sync`` and at every wider barrier.  One column more than there
are warps stands for the engine of bulk copies.

The unit is the warp: where one thread of a warp waits for an mbarrier, the others
count as having waited.  So an order may be believed that is not there; one that is
there is never missed, and what is reported as a race is one.
"""

from __future__ import annotations

import numpy as np

from emulator.scalars import Lanes


class Order:
    """Vector clocks of ``teams`` clusters of ``warps`` warps each.

    Rows are numbered through all teams; columns are the warps of the row's own team.
    """

    def __init__(self, teams: int, warps: int) -> None:
        self.warps = warps
        self.known = np.zeros((teams * warps, warps + 1), np.int64)
        self.stamp = 0
        self.floor = 0
        """Accesses up to this stamp are ordered before everything that follows."""

    @property
    def engine(self) -> int:
        """The column of the bulk copies."""
        return self.warps

    def tick(self) -> int:
        """The stamp of a new access."""
        self.stamp += 1
        return self.stamp

    def _columns(self, rows: Lanes) -> Lanes:
        return rows % self.warps

    def sync_warps(self, rows: Lanes) -> None:
        """Threads within each of these warps are ordered."""
        self.known[rows, self._columns(rows)] = self.stamp

    def sync_all(self) -> None:
        """All warps of all teams passed a barrier of their team, together."""
        engine = self.known[:, self.engine].reshape(-1, self.warps).max(axis=1)
        self.known[:] = self.stamp
        self.known[:, self.engine] = np.repeat(engine, self.warps)
        self._settle()

    def _settle(self) -> None:
        self.floor = int(self.known[:, : self.engine].min())

    def release(self, rows: Lanes) -> Lanes:
        """What ``rows`` of one team hand over at a barrier: one row of clocks."""
        given: Lanes = self.known[rows].max(axis=0)
        given[self._columns(rows)] = self.stamp
        return given

    def acquire(self, rows: Lanes, given: Lanes) -> None:
        """``rows`` come after everything that ``given`` knows."""
        self.known[rows] = np.maximum(self.known[rows], given)

    def sync(self, rows: Lanes) -> None:
        """``rows`` of one team passed a barrier together."""
        self.acquire(rows, self.release(rows))
        self._settle()
