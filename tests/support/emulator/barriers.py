"""The barriers of a block: which threads have arrived, and which may continue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emulator.faults import BarrierMisuse
from emulator.scalars import Lanes

if TYPE_CHECKING:
    from emulator.wave import Wave

NUMBER = 16
PARTED = -1


class BlockBarriers:
    """``bar``, ``barrier``, and the barrier of a cluster, for all blocks of a wave."""

    def __init__(self, wave: Wave) -> None:
        self._wave = wave
        shape = wave.shape
        self._arrived = np.zeros((NUMBER, wave.blocks), np.int64)
        self._expected = np.zeros((NUMBER, wave.blocks), np.int64)  # 0 means all live threads
        self._of = np.full(wave.size, -1, np.int64)  # the barrier for which a lane waits
        self._given: dict[tuple[int, int], Lanes] = {}  # clocks of the arrived threads
        # Barriers count whole warps, so the last thread of a partial warp counts for the missing
        # threads.
        self._weight = np.ones(wave.size, np.int64)
        self._weight[shape.threads - 1 :: shape.threads] += 32 * shape.warps - shape.threads
        self._cluster_arrived = np.zeros(wave.teams, np.int64)
        self._cluster_phase = np.zeros(wave.teams, np.int64)
        self._ticket = np.zeros(wave.size, np.int64)  # the phase after which a lane may continue
        self._has_ticket = np.zeros(wave.size, np.bool_)

    def arrive(self, number: int, expected: int, following: int, *, wait: bool) -> int:
        """The lanes of the current group arrive at barrier ``number``.

        Args:
            expected: number of threads that must arrive; 0 for all threads of the block.
            following: the basic block that follows.
            wait: whether the lanes wait until the barrier is complete.

        Returns:
            ``following`` if all lanes continue at once, otherwise `PARTED`.
        """
        wave = self._wave
        if not 0 <= number < NUMBER:
            raise BarrierMisuse(f"barrier {number} does not exist")
        if expected % 32:
            raise BarrierMisuse(f"a barrier counts whole warps, not {expected} threads")
        everyone = expected in (0, 32 * wave.shape.warps)
        if wave.chosen is None and everyone and wait and not self._arrived[number].any():
            self._all_at_once()
            return following
        lanes = wave.lanes
        blocks = wave.block_of[lanes]
        before = self._expected[number, blocks]
        if ((before != 0) & (before != expected)).any():
            raise BarrierMisuse(f"barrier {number} is used with different thread counts")
        self._expected[number, blocks] = expected
        self._arrived[number] += np.bincount(
            blocks, weights=self._weight[lanes], minlength=wave.blocks
        ).astype(np.int64)
        for block in np.unique(blocks):
            given = wave.order.release(np.unique(wave.row_of[lanes[blocks == block]]))
            key = (number, int(block))
            self._given[key] = np.maximum(self._given[key], given) if key in self._given else given
        wave.pc[lanes] = following
        if wait:
            wave.status[lanes] = wave.BARRIER
            self._of[lanes] = number
        self.settle()
        return PARTED

    def _all_at_once(self) -> None:
        """Let all threads pass the barrier of their block in one step."""
        order, shape = self._wave.order, self._wave.shape
        if shape.cluster == 1:
            order.sync_all()
            return
        for block in range(self._wave.blocks):
            order.sync(np.arange(block * shape.warps, (block + 1) * shape.warps))

    def settle(self) -> None:
        """Let lanes continue if their barrier is complete. Exited threads need not arrive."""
        wave = self._wave
        alive = np.bincount(
            wave.block_of, weights=self._weight * (wave.status != wave.DONE), minlength=wave.blocks
        ).astype(np.int64)
        needed = np.where(self._expected > 0, self._expected, alive)
        for number, block in np.argwhere((self._arrived > 0) & (self._arrived >= needed)):
            if self._arrived[number, block] > needed[number, block]:
                raise BarrierMisuse(f"more threads arrive at barrier {number} than it counts")
            mine = (wave.block_of == block) & (self._of == number) & (wave.status == wave.BARRIER)
            lanes = np.flatnonzero(mine)
            wave.status[lanes] = wave.READY
            self._of[lanes] = -1
            self._arrived[number, block] = self._expected[number, block] = 0
            wave.order.acquire(
                np.unique(wave.row_of[lanes]), self._given.pop((int(number), int(block)))
            )
        self._settle_clusters()

    def arrive_cluster(self) -> None:
        """The lanes of the current group arrive at the barrier of their cluster."""
        wave = self._wave
        lanes = wave.lanes
        if self._has_ticket[lanes].any():
            raise BarrierMisuse("barrier.cluster.arrive twice without barrier.cluster.wait")
        teams = wave.team_of[lanes]
        self._has_ticket[lanes] = True
        self._ticket[lanes] = self._cluster_phase[teams]
        self._cluster_arrived += np.bincount(teams, minlength=wave.teams)
        self._settle_clusters()

    def wait_cluster(self, following: int) -> int:
        """The lanes of the current group wait until all threads of the cluster have arrived."""
        wave = self._wave
        lanes = wave.lanes
        if not self._has_ticket[lanes].all():
            raise BarrierMisuse("barrier.cluster.wait without barrier.cluster.arrive")
        done = self._cluster_phase[wave.team_of[lanes]] > self._ticket[lanes]
        self._has_ticket[lanes[done]] = False
        if done.all():
            return following
        wave.pc[lanes] = following
        wave.status[lanes[~done]] = wave.CLUSTER
        return PARTED

    def _settle_clusters(self) -> None:
        if not self._cluster_arrived.any():
            return
        wave = self._wave
        alive = np.bincount(
            wave.team_of, weights=wave.status != wave.DONE, minlength=wave.teams
        ).astype(np.int64)
        for team in np.flatnonzero((self._cluster_arrived > 0) & (self._cluster_arrived >= alive)):
            self._cluster_arrived[team] = 0
            self._cluster_phase[team] += 1
            members = wave.team_of == team
            wave.order.sync(np.unique(wave.row_of[members]))
            waiting = np.flatnonzero(members & (wave.status == wave.CLUSTER))
            wave.status[waiting] = wave.READY
            self._has_ticket[waiting] = False
