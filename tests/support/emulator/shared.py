"""Shared memory of the blocks that run together, and detection of hazards in it.

The memory of all blocks is one array. A *place* is an offset in this array. Hazards are tracked for
cells of `grain` bytes. `grain` is the width of the kernel's narrowest access, at most four.
"""

from __future__ import annotations

import numpy as np

from emulator.faults import MissingFence, MissingWait, Race, Uninitialised
from emulator.fences import NOBODY, SEVERAL, Fences
from emulator.memory import AccessFault
from emulator.order import Order
from emulator.scalars import RAW, Lanes

POISON = 0xCD

IDLE = 0
FILLING = 1  # an asynchronous copy will write here
DRAINING = 2  # an asynchronous copy will read here


class SharedMemory:
    """Shared memory of ``blocks`` blocks with ``size`` bytes each.

    Args:
        size: bytes per block, a multiple of 16.
        order: vector clocks of the warps; ``order.warps`` is the number of warps in a cluster.
        grain: bytes per cell.
    """

    def __init__(self, blocks: int, size: int, order: Order, grain: int, *, races: bool) -> None:
        self.size = size
        self.order = order
        self._races = races
        self._shift = grain.bit_length() - 1
        data = np.full(blocks * size, POISON, np.uint8)
        cells = data.size >> self._shift
        self.cells: dict[int, Lanes] = {n: data.view(raw) for n, raw in RAW.items()}
        self._written = np.zeros(cells, np.bool_)
        self._plain = np.zeros(cells, np.bool_)  # last written by a thread, not by a bulk copy
        self._fences: Fences | None = None  # created on first use
        self._state = np.zeros(cells, np.uint8)
        self._busy = 0  # number of cells that copies still read or write
        self._writer = np.full(cells, NOBODY, np.int32)  # lane; or number of lanes, for bulk copies
        self._atomic = np.zeros(cells, np.bool_)
        self._write_column = np.zeros(cells, np.int16)
        self._write_stamp = np.zeros(cells, np.int64)
        self._read_stamp = np.zeros((cells, order.warps), np.int64) if races else np.zeros((0, 0))
        self._reader = (
            np.full((cells, order.warps), NOBODY, np.int32) if races else np.zeros((0, 0))
        )
        self._last_write = 0
        self._last_read = 0

    def _spread(self, places: Lanes, size: int) -> tuple[Lanes, int]:
        """(cells touched by accesses of ``size`` bytes, lane by lane; cells per access)."""
        count = max(1, size >> self._shift)
        first = places >> self._shift
        if count == 1:
            return first, 1
        return (first[:, None] + np.arange(count)).ravel(), count

    def read(self, places: Lanes, size: int, lanes: Lanes, rows: Lanes, *, strong: bool) -> None:
        """Record a read by each lane.

        Raises an error if the read is not ordered after a write, or reads unwritten memory.
        """
        cells, count = self._spread(places, size)
        if self._busy:
            self._refuse_state(cells, count, FILLING, "that an asynchronous copy still writes")
        if not self._written[cells].all():
            lane = int(np.flatnonzero(~self._written[cells])[0]) // count
            raise AccessFault(Uninitialised, "read of uninitialised shared memory", lane)
        if self._races:
            lanes, rows = _repeated(lanes, rows, count)
            if not strong:
                self._refuse_writes(cells, count, lanes, rows, atomic=False)
            self._note_reads(cells, lanes, rows)

    def write(
        self,
        places: Lanes,
        size: int,
        lanes: Lanes,
        rows: Lanes,
        *,
        strong: bool = False,
        atomic: bool = False,
    ) -> None:
        """Record a write by each lane.

        Raises an error if the write is not ordered after earlier accesses.
        """
        cells, count = self._spread(places, size)
        if self._busy:
            self._refuse_state(cells, count, FILLING, "that an asynchronous copy still writes")
            self._refuse_state(cells, count, DRAINING, "that an asynchronous copy still reads")
        if self._races:
            lanes, rows = _repeated(lanes, rows, count)
            if not strong:
                self._refuse_writes(cells, count, lanes, rows, atomic=atomic)
                self._refuse_reads(cells, count, lanes, rows)
            self._note_writes(cells, count, lanes, rows % self.order.warps, atomic, strong)
        self._written[cells] = self._plain[cells] = True
        self._forget_fences(cells)

    def atomic(self, places: Lanes, size: int, lanes: Lanes, rows: Lanes) -> None:
        """Record an atomic operation by each lane.

        Atomic operations do not race with each other.
        """
        cells, count = self._spread(places, size)
        if not self._written[cells].all():
            lane = int(np.flatnonzero(~self._written[cells])[0]) // count
            raise AccessFault(Uninitialised, "atomic on uninitialised shared memory", lane)
        self.write(places, size, lanes, rows, atomic=True)

    def begin_fill(self, places: Lanes, size: int, lanes: Lanes, rows: Lanes) -> None:
        """Record that ``lanes`` started an asynchronous copy to ``places``."""
        cells, count = self._spread(places, size)
        self._refuse_state(cells, count, FILLING, "that an asynchronous copy still writes")
        self._refuse_state(cells, count, DRAINING, "that an asynchronous copy still reads")
        if self._races:
            lanes, rows = _repeated(lanes, rows, count)
            self._refuse_writes(cells, count, lanes, rows, atomic=False)
            self._refuse_reads(cells, count, lanes, rows)
        self._state[cells] = FILLING
        self._busy += cells.size

    def end_fill(self, places: Lanes, size: int, lanes: Lanes, column: Lanes | int) -> int:
        """Record that an asynchronous copy to ``places`` has arrived.

        The copy counts as a write by ``lanes`` of warp ``column``.
        """
        cells, count = self._spread(places, size)
        self._state[cells] = IDLE
        self._busy -= cells.size
        self._written[cells] = True
        self._plain[cells] = np.repeat(np.broadcast_to(column, places.shape), count) != (
            self.order.engine
        )
        self._forget_fences(cells)
        stamp = self.order.tick()
        if self._races:
            self._writer[cells] = np.repeat(lanes, count)
            self._atomic[cells] = False
            self._write_column[cells] = np.repeat(np.broadcast_to(column, places.shape), count)
            self._write_stamp[cells] = stamp
            self._last_write = stamp
        return stamp

    def begin_drain(self, places: Lanes, size: int, lanes: Lanes, rows: Lanes) -> None:
        """Record that a bulk copy from ``places`` was started."""
        self.read(places, size, lanes, rows, strong=False)
        cells, count = self._spread(places, size)
        if self._races:
            self._refuse_unfenced(cells, count, *_repeated(lanes, rows, count))
        self._state[cells] = DRAINING
        self._busy += cells.size

    def end_drain(self, places: Lanes, size: int) -> None:
        """Record that the bulk copy has read ``places``."""
        cells, _ = self._spread(places, size)
        self._state[cells] = IDLE
        self._busy -= cells.size

    def fence(self, lanes: Lanes, rows: Lanes) -> None:
        """Make earlier writes of ``lanes`` visible to later bulk copies."""
        if not self._races:
            return
        if self._fences is None:
            self._fences = Fences(self._plain.size, self.order)
        plain = np.flatnonzero(self._plain)
        order = self.order
        team_of = plain // (self._plain.size // (order.known.shape[0] // order.warps))
        for row in np.unique(rows):
            own = lanes[rows == row]
            known = order.known[row, self._write_column[plain]]
            seen = (team_of == row // order.warps) & (self._write_stamp[plain] <= known)
            seen |= np.isin(self._writer[plain], own)
            self._fences.note(plain[seen], own, int(row))

    def _forget_fences(self, cells: Lanes) -> None:
        if self._fences is not None:
            self._fences.forget(cells)

    def _refuse_unfenced(self, cells: Lanes, count: int, lanes: Lanes, rows: Lanes) -> None:
        plain = np.flatnonzero(self._plain[cells])
        cells = cells[plain]
        if not cells.size:
            return
        what = "a bulk copy reads what threads wrote with no fence.proxy.async since"
        if self._fences is None:
            raise AccessFault(MissingFence, what, int(plain[0]) // count)
        bad = np.flatnonzero(~self._fences.ordered(cells, lanes[plain], rows[plain]))
        if not bad.size:
            return
        if self._fences.any(cells[bad[:1]])[0]:
            what = "no barrier between this bulk copy and the fence.proxy.async of another thread"
        raise AccessFault(MissingFence, what, int(plain[bad[0]]) // count)

    def end_block(self, block: int, rows: Lanes) -> None:
        """End ``block`` and its shared memory. ``rows`` are the warps of the block."""
        if not self._races:
            return
        cells = slice(block * self.size >> self._shift, (block + 1) * self.size >> self._shift)
        others = np.ones(self.order.warps, np.bool_)
        others[rows % self.order.warps] = False
        known = self.order.known[rows].max(axis=0)
        read = self._read_stamp[cells][:, others] > known[:-1][others]
        column = self._write_column[cells]
        foreign = np.append(others, False)[column]
        written = foreign & (self._write_stamp[cells] > known[column])
        if read.any() or written.any():
            message = "a block of the cluster ends while another may still use its shared memory"
            raise AccessFault(Race, message, 0)

    def declare(self, places: Lanes, size: int) -> None:
        """Mark ``size`` bytes at each place as an mbarrier object."""
        cells, _ = self._spread(places, size)
        self._written[cells] = True

    def _refuse_state(self, cells: Lanes, count: int, state: int, what: str) -> None:
        bad = self._state[cells] == state
        if bad.any():
            lane = int(np.flatnonzero(bad)[0]) // count
            raise AccessFault(MissingWait, f"use of shared memory {what}: a wait is missing", lane)

    def _refuse_writes(
        self, cells: Lanes, count: int, lanes: Lanes, rows: Lanes, *, atomic: bool
    ) -> None:
        if self._last_write <= self.order.floor:
            return
        writer = self._writer[cells]
        ordered = self._write_stamp[cells] <= self.order.known[rows, self._write_column[cells]]
        good = (writer == lanes) | (writer == NOBODY) | ordered
        if atomic:
            good |= self._atomic[cells]
        if not good.all():
            self._race(good, count, "another thread's write")

    def _refuse_reads(self, cells: Lanes, count: int, lanes: Lanes, rows: Lanes) -> None:
        if self._last_read <= self.order.floor:
            return
        late = self._read_stamp[cells] > self.order.known[rows, : self.order.warps]
        if not late.any():
            return
        bad = (late & (self._reader[cells] != lanes[:, None])).any(axis=1)
        if bad.any():
            self._race(~bad, count, "another thread's read")

    def _note_reads(self, cells: Lanes, lanes: Lanes, rows: Lanes) -> None:
        columns = rows % self.order.warps
        before = self._reader[cells, columns]
        live = self._read_stamp[cells, columns] > self.order.known[rows, columns]
        stamp = self.order.tick()
        several = live & (before != lanes)
        self._reader[cells, columns] = np.where(several, SEVERAL, lanes)
        shared = self._reader[cells, columns] != lanes  # cells that several lanes read
        if shared.any():
            self._reader[cells[shared], columns[shared]] = SEVERAL
        self._read_stamp[cells, columns] = stamp
        self._last_read = stamp

    def _note_writes(
        self, cells: Lanes, count: int, lanes: Lanes, columns: Lanes, atomic: bool, strong: bool
    ) -> None:
        self._writer[cells] = lanes
        if not atomic and not strong:
            good = self._writer[cells] == lanes
            if not good.all():
                self._race(good, count, "another thread's write in the same instruction")
        self._atomic[cells] = atomic
        self._write_column[cells] = columns
        self._write_stamp[cells] = self._last_write = self.order.tick()

    def _race(self, good: Lanes, count: int, what: str) -> None:
        lane = int(np.flatnonzero(~good)[0]) // count
        raise AccessFault(
            Race, f"shared-memory race: no barrier between this access and {what}", lane
        )


def _repeated(lanes: Lanes, rows: Lanes, count: int) -> tuple[Lanes, Lanes]:
    if count == 1:
        return lanes, rows
    return np.repeat(lanes, count), np.repeat(rows, count)
