"""Vector clocks of the warps of a cluster: which accesses are ordered before others.

Every access to shared memory gets an increasing stamp. ``known[t, u]`` is the stamp up to which the
accesses of warp ``u`` are ordered before what warp ``t`` does next; barriers raise it. Between the
threads of one warp, ``known[t, t]`` rises at ``bar.warp.sync`` and at every wider barrier. One more
column than there are warps is for the engine of bulk copies.

The unit is the warp: if one thread of a warp waits for an mbarrier, the others count as having
waited. So some races are missed, but every reported race is real.
"""

from __future__ import annotations

import numpy as np

from emulator.scalars import Lanes


class Order:
    """The vector clocks of ``teams`` clusters with ``warps`` warps each.

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
        """The column for the engine of bulk copies."""
        return self.warps

    def tick(self) -> int:
        """Create the stamp for a new access."""
        self.stamp += 1
        return self.stamp

    def _columns(self, rows: Lanes) -> Lanes:
        return rows % self.warps

    def sync_warps(self, rows: Lanes) -> None:
        """Order the threads within each of these warps."""
        self.known[rows, self._columns(rows)] = self.stamp

    def sync_all(self) -> None:
        """All warps of all teams pass a barrier of their team together."""
        engine = self.known[:, self.engine].reshape(-1, self.warps).max(axis=1)
        self.known[:] = self.stamp
        self.known[:, self.engine] = np.repeat(engine, self.warps)
        self._settle()

    def _settle(self) -> None:
        self.floor = int(self.known[:, : self.engine].min())

    def release(self, rows: Lanes) -> Lanes:
        """The clocks that ``rows`` of one team pass on at a barrier: one row."""
        given: Lanes = self.known[rows].max(axis=0)
        given[self._columns(rows)] = self.stamp
        return given

    def acquire(self, rows: Lanes, given: Lanes) -> None:
        """Order ``rows`` after everything that ``given`` knows."""
        self.known[rows] = np.maximum(self.known[rows], given)

    def sync(self, rows: Lanes) -> None:
        """Let ``rows`` of one team pass a barrier together."""
        self.acquire(rows, self.release(rows))
        self._settle()
