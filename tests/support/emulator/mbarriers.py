"""mbarrier objects: count the arrivals and the bytes that complete a phase."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from emulator.faults import BarrierMisuse, MissingFence, Race
from emulator.fences import NEVER
from emulator.memory import AccessFault
from emulator.scalars import Lanes

if TYPE_CHECKING:
    from emulator.wave import Wave


@dataclass
class BulkLoad:
    """A bulk copy in progress, from an offset in global memory to an offset in shared memory."""

    source: int
    place: int
    size: int
    lane: int
    asked_for: bool = False


@dataclass
class Mbarrier:
    """One mbarrier object.

    Attributes:
        count: number of arrivals that complete a phase.
        pending: number of arrivals for which the current phase still waits.
        bytes: number of bytes for which the phase still waits. Negative if more bytes arrived than
            were expected so far.
        phase: number of completed phases.
        given: clocks of the arrived threads.
        fence: stamp of the owner's first fence after the initialisation. The fence makes the object
            visible to bulk copies.
    """

    count: int
    pending: int
    given: Lanes
    owner: int
    row: int
    stamp: int
    bytes: int = 0
    phase: int = 0
    fence: int = NEVER
    loads: list[BulkLoad] = field(default_factory=list)


class Mbarriers:
    """All mbarriers of a wave, by their offset in shared memory."""

    def __init__(self, wave: Wave) -> None:
        self._wave = wave
        self._objects: dict[int, Mbarrier] = {}

    def init(self, place: int, count: int, lane: int) -> None:
        """Create an mbarrier with ``count`` arrivals per phase at ``place``."""
        if count <= 0:
            raise BarrierMisuse(f"an mbarrier for {count} arrivals")
        wave = self._wave
        order = wave.order
        row = int(wave.row_of[lane])
        given = np.zeros(order.warps + 1, np.int64)
        self._objects[place] = Mbarrier(count, count, given, lane, row, order.tick())
        wave.shared.declare(np.array([place]), 8)

    def invalidate(self, place: int, lane: int) -> None:
        """Remove the mbarrier at ``place``."""
        if self._of(place, lane).loads:
            raise BarrierMisuse("mbarrier.inval while a bulk copy will report to it")
        del self._objects[place]

    def _get(self, place: int, lanes: Lanes) -> Mbarrier:
        """The mbarrier at ``place``.

        Raises:
            BarrierMisuse: the accesses of ``lanes`` are not ordered after the initialisation.
        """
        found = self._objects.get(place)
        if found is None:
            raise BarrierMisuse("an mbarrier is used before its initialisation")
        wave = self._wave
        order = wave.order
        if not wave.machine.races or found.stamp <= order.floor:
            return found
        known = order.known[wave.row_of[lanes], found.row % order.warps]
        bad = (lanes != found.owner) & (found.stamp > known)
        if bad.any():
            index = int(np.flatnonzero(wave.lanes == lanes[np.flatnonzero(bad)[0]])[0])
            message = "an mbarrier is used with no barrier after its initialisation"
            raise AccessFault(Race, message, index)
        return found

    def _of(self, place: int, lane: int) -> Mbarrier:
        return self._get(place, np.array([lane]))

    def expect(self, place: int, size: int, lane: int) -> None:
        """Let the current phase wait for ``size`` more bytes."""
        self._of(place, lane).bytes += size

    def arrive(self, place: int, times: int, lane: int) -> int:
        """Make ``times`` arrivals, and return the current phase."""
        found = self._of(place, lane)
        order = self._wave.order
        given = order.release(np.array([self._wave.row_of[lane]]))
        team, own = self._wave.row_of[lane] // order.warps, found.row // order.warps
        if team == own:
            found.given = np.maximum(found.given, given)
        if times > found.pending:
            raise BarrierMisuse(f"more arrivals at an mbarrier than its {found.count} of a phase")
        found.pending -= times
        phase = found.phase
        _turn(found)
        return phase

    def grow(self, place: int, lane: int) -> None:
        """Add one pending arrival. ``cp.async.mbarrier.arrive`` then makes this arrival."""
        self._of(place, lane).pending += 1

    def load(self, place: int, load: BulkLoad) -> None:
        """Register a bulk copy that will report to the mbarrier at ``place``."""
        found = self._of(place, load.lane)
        if found.fence == NEVER:
            raise MissingFence("a bulk copy reports to an mbarrier with no fence since its init")
        wave = self._wave
        known = wave.order.known[wave.row_of[load.lane], found.row % wave.order.warps]
        if wave.machine.races and load.lane != found.owner and found.fence > known:
            raise MissingFence(
                "no barrier between a bulk copy and the fence that shows it its mbarrier"
            )
        found.loads.append(load)

    def fence(self, lanes: Lanes) -> None:
        """Make the mbarriers that ``lanes`` initialised visible to later bulk copies."""
        stamp = self._wave.order.tick()
        for found in self._objects.values():
            if found.owner in lanes:
                found.fence = min(found.fence, stamp)

    def poll(self, places: Lanes, wanted: Lanes, *, parity: bool) -> Lanes:
        """For each current lane, whether the wanted phase is complete.

        A copy in progress completes only at the second wait. So a wait outside a loop does not find
        the data.
        """
        wave = self._wave
        results = np.zeros(wave.count, np.bool_)
        rows = wave.rows
        for place in np.unique(places):
            mine = places == place
            found = self._get(int(place), wave.lanes[mine])
            done = _done(found, wanted[mine], parity)
            if not done.all() and found.loads:
                self._advance(found)
                done = _done(found, wanted[mine], parity)
            results[mine] = done
            if done.any():
                wave.order.acquire(np.unique(rows[mine][done]), found.given)
        return results

    def _advance(self, found: Mbarrier) -> None:
        arrived = [load for load in found.loads if load.asked_for]
        for load in found.loads:
            load.asked_for = True
        for load in arrived:
            self._land(found, load)
        found.loads = [load for load in found.loads if load not in arrived]
        _turn(found)

    def _land(self, found: Mbarrier, load: BulkLoad) -> None:
        wave = self._wave
        source = wave.memory.cells[1][load.source : load.source + load.size]
        wave.shared.cells[1][load.place : load.place + load.size] = source
        cells = np.arange(load.place, load.place + load.size, 16)
        # The writer is no thread, so a thread without a wait is not ordered after the write.
        stamp = wave.shared.end_fill(cells, 16, np.full(cells.size, wave.size), wave.order.engine)
        found.given[wave.order.engine] = stamp
        found.bytes -= load.size

    def pending(self) -> str:
        """The text "a bulk copy" if a copy is in progress; otherwise an empty text."""
        return "a bulk copy" if any(found.loads for found in self._objects.values()) else ""


def _done(found: Mbarrier, wanted: Lanes, parity: bool) -> Lanes:
    if parity:
        return np.asarray(found.phase % 2 != wanted)
    return np.asarray(found.phase > wanted)


def _turn(found: Mbarrier) -> None:
    if found.pending == 0 and found.bytes == 0:
        found.phase += 1
        found.pending = found.count
