"""Vector clocks of the warps of a cluster: which accesses are ordered before others.

Every access to shared memory gets an increasing stamp. ``known[t, u]`` is a stamp: all accesses of
warp ``u`` up to this stamp are ordered before the next action of warp ``t``. Barriers raise the
stamp. ``known[t, t]`` orders the threads of one warp, and rises at ``bar.warp.sync`` and at every
wider barrier. The last column is for the engine of bulk copies.

The clocks have one entry per warp. If one thread waits for an mbarrier, its whole warp counts as
having waited. So the emulator misses some races, but every reported race is real.
"""

from __future__ import annotations

import numpy as np

from emulator.scalars import Lanes


class Order:
    """The vector clocks of ``teams`` clusters with ``warps`` warps each.

    Each row of ``known`` is a warp of any cluster. Each column is a warp of the same cluster.
    """

    def __init__(self, teams: int, warps: int) -> None:
        self.warps = warps
        self.known = np.zeros((teams * warps, warps + 1), np.int64)
        self.stamp = 0
        self.floor = 0
        """Accesses up to this stamp are ordered before all later accesses."""

    @property
    def engine(self) -> int:
        """The column for the engine of bulk copies."""
        return self.warps

    def tick(self) -> int:
        """A new stamp, larger than all earlier stamps."""
        self.stamp += 1
        return self.stamp

    def _columns(self, rows: Lanes) -> Lanes:
        return rows % self.warps

    def sync_warps(self, rows: Lanes) -> None:
        """Order the threads within each warp of ``rows``."""
        self.known[rows, self._columns(rows)] = self.stamp

    def sync_all(self) -> None:
        """All warps of all clusters pass a barrier of their cluster at the same time."""
        engine = self.known[:, self.engine].reshape(-1, self.warps).max(axis=1)
        self.known[:] = self.stamp
        self.known[:, self.engine] = np.repeat(engine, self.warps)
        self._settle()

    def _settle(self) -> None:
        self.floor = int(self.known[:, : self.engine].min())

    def release(self, rows: Lanes) -> Lanes:
        """The combined clocks of ``rows``, warps of one cluster, which other warps can acquire."""
        given: Lanes = self.known[rows].max(axis=0)
        given[self._columns(rows)] = self.stamp
        return given

    def acquire(self, rows: Lanes, given: Lanes) -> None:
        """Order ``rows`` after all accesses that the clocks ``given`` cover."""
        self.known[rows] = np.maximum(self.known[rows], given)

    def sync(self, rows: Lanes) -> None:
        """Let ``rows``, warps of one cluster, pass a barrier together."""
        self.acquire(rows, self.release(rows))
        self._settle()
