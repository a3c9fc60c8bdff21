"""Asynchronous copies in groups: ``cp.async`` to shared memory, bulk copies to global memory.

A copy takes effect only when the kernel waits for the copy. So a kernel without a wait does not
find the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emulator.scalars import Lanes

if TYPE_CHECKING:
    from emulator.wave import Wave


@dataclass
class _Batch:
    """The copies that one ``cp.async`` instruction started on several lanes.

    Attributes:
        sources: offsets into global memory.
        valid: number of bytes that are read; the bytes from ``valid`` to ``size`` become zero.
        groups: group number of each lane's copy.
    """

    lanes: Lanes
    places: Lanes
    sources: Lanes
    valid: Lanes
    size: int
    groups: Lanes


@dataclass
class _BulkStore:
    lane: int
    place: int
    target: int
    size: int
    group: int
    read: bool = False


class AsynchronousCopies:
    """The asynchronous copies of a wave, in groups."""

    def __init__(self, wave: Wave) -> None:
        self._wave = wave
        self._batches: list[_Batch] = []
        self._committed = np.zeros(wave.size, np.int64)
        self._stores: list[_BulkStore] = []
        self._bulk_committed = np.zeros(wave.size, np.int64)

    def start(self, places: Lanes, sources: Lanes, valid: Lanes, size: int) -> None:
        """Start a copy of ``size`` bytes on each of the current lanes."""
        wave = self._wave
        lanes = wave.lanes
        wave.shared.begin_fill(places, size, lanes, wave.rows)
        self._batches.append(
            _Batch(lanes, places, sources, valid, size, self._committed[lanes].copy())
        )

    def commit(self) -> None:
        """Make a group of the copies that the current lanes started since the last commit."""
        self._committed[self._wave.lanes] += 1

    def wait(self, newest: int) -> None:
        """Complete all groups of the current lanes, except the last ``newest`` groups."""
        if not self._batches:
            return
        limit = np.full(self._wave.size, -1, np.int64)
        lanes = self._wave.lanes
        limit[lanes] = self._committed[lanes] - newest
        self._land(limit)

    def wait_all(self) -> None:
        """Complete all copies that the current lanes started."""
        limit = np.full(self._wave.size, -1, np.int64)
        limit[self._wave.lanes] = np.iinfo(np.int64).max
        self._land(limit)

    def _land(self, limit: Lanes) -> None:
        left = []
        for batch in self._batches:
            ready = batch.groups < limit[batch.lanes]
            if ready.any():
                self._copy(batch, ready)
            if not ready.all():
                keep = ~ready
                left.append(
                    _Batch(
                        batch.lanes[keep],
                        batch.places[keep],
                        batch.sources[keep],
                        batch.valid[keep],
                        batch.size,
                        batch.groups[keep],
                    )
                )
        self._batches = left

    def _copy(self, batch: _Batch, ready: Lanes) -> None:
        wave = self._wave
        places, lanes = batch.places[ready], batch.lanes[ready]
        byte = np.arange(batch.size)
        reads = byte < batch.valid[ready][:, None]
        sources = np.where(reads, batch.sources[ready][:, None] + byte, 0)
        data = np.where(reads, wave.memory.cells[1][sources], np.uint8(0))
        wave.shared.cells[1][places[:, None] + byte] = data
        columns = wave.row_of[lanes] % wave.order.warps
        wave.shared.end_fill(places, batch.size, lanes, columns)

    def start_store(self, lane: int, place: int, target: int, size: int) -> None:
        """Start a bulk copy of ``size`` bytes from shared memory to offset ``target``."""
        wave = self._wave
        cells = np.arange(place, place + size, 16)
        lanes = np.full(cells.size, lane)
        wave.shared.begin_drain(cells, 16, lanes, wave.row_of[lanes])
        group = int(self._bulk_committed[lane])
        self._stores.append(_BulkStore(lane, place, target, size, group))

    def commit_stores(self) -> None:
        """Make a bulk group of the stores that the current lanes started since the last commit."""
        self._bulk_committed[self._wave.lanes] += 1

    def wait_stores(self, newest: int, *, read: bool) -> None:
        """Complete all bulk groups of the current lanes, except the last ``newest`` groups.

        With ``read``, complete only the reads from shared memory.
        """
        waiting = set(self._wave.lanes.tolist())
        left = []
        for store in self._stores:
            old = store.group < self._bulk_committed[store.lane] - newest
            if store.lane not in waiting or not old:
                left.append(store)
                continue
            if not store.read:
                self._drain(store)
            if read:
                left.append(store)
        self._stores = left

    def _drain(self, store: _BulkStore) -> None:
        wave = self._wave
        store.read = True
        data = wave.shared.cells[1][store.place : store.place + store.size]
        wave.memory.cells[1][store.target : store.target + store.size] = data
        wave.memory.mark(wave.memory.address_of(store.target), store.size)
        wave.shared.end_drain(np.arange(store.place, store.place + store.size, 16), 16)

    def pending(self) -> str:
        """Names of the copies in progress; empty if all copies are complete.

        A bulk store whose source was read may complete after its block ends.
        """
        if self._batches:
            return "cp.async"
        return "" if all(store.read for store in self._stores) else "a bulk copy"
