"""Device memory: one address range with a gap after every buffer, and which bytes were written.

All buffers are in one sparse mapping, so that lanes can read from several buffers at once. Each
buffer starts at a multiple of 256 bytes, and an unused gap follows each buffer. So the emulator
detects every access beyond the end of a buffer.
"""

from __future__ import annotations

import mmap
from bisect import bisect_right, insort
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator.faults import EmulationError, Misaligned, OutOfBounds
from emulator.scalars import RAW, Lanes
from membench.core.errors import MembenchError

BASE = 0x1000_0000_0000  # an address that no process uses
ALIGN = 256
GAP = 4096
POISON = 0xA5
_MAP_NORESERVE = 0x4000  # Linux; Python's mmap has no name for this flag before 3.13


@dataclass(eq=False)
class Allocation:
    """Device memory or page-locked host memory. Host and device use the same address.

    Attributes:
        written: whether every byte was written.
        array: the bytes, for access by the host.
    """

    address: int
    size: int
    name: str
    array: npt.NDArray[np.uint8]
    written: bool = False

    @property
    def end(self) -> int:
        """The first address after the buffer."""
        return self.address + self.size


class AccessFault(Exception):
    """An invalid access by lane ``lane``. `Wave` adds block and thread to the error."""

    def __init__(self, kind: type[EmulationError], message: str, lane: int) -> None:
        super().__init__(message)
        self.kind = kind
        self.lane = lane


class DeviceMemory:
    """The memory of one device.

    Args:
        capacity: bytes of address space. Only used pages take real memory.
    """

    def __init__(self, capacity: int = 1 << 31) -> None:
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
        self._data = np.frombuffer(mmap.mmap(-1, capacity, flags=flags), np.uint8)
        self._known = np.frombuffer(mmap.mmap(-1, capacity, flags=flags), np.uint8)
        self.cells: dict[int, Lanes] = {n: self._data.view(raw) for n, raw in RAW.items()}
        self.known: dict[int, Lanes] = {n: self._known.view(raw) for n, raw in RAW.items()}
        self._capacity = capacity
        self._top = 0
        self._multicasts: list[tuple[int, int, tuple[Allocation, ...]]] = []
        self._starts: list[int] = []
        self._by_start: dict[int, Allocation] = {}
        self._unwritten = 0

    @property
    def buffers(self) -> list[Allocation]:
        """The allocated buffers, ordered by address."""
        return [self._by_start[start] for start in self._starts]

    @property
    def has_unwritten(self) -> bool:
        """Whether any buffer has bytes that were never written."""
        return self._unwritten > 0

    def allocate(self, size: int, name: str = "") -> Allocation:
        """Allocate ``size`` bytes, filled with poison and marked as unwritten.

        Raises:
            MembenchError: not enough memory is free.
        """
        if size <= 0:
            raise MembenchError(f"an allocation of {size} bytes")
        span = -(-(size + GAP) // ALIGN) * ALIGN
        if self._top + span > self._capacity:
            raise MembenchError(f"out of device memory: {size} bytes do not fit")
        start = self._top
        self._top += span
        array = self._data[start : start + size]
        array[:] = POISON
        self._known[start : start + size] = 0
        made = Allocation(BASE + start, size, name or f"buffer {len(self._starts)}", array)
        insort(self._starts, made.address)
        self._by_start[made.address] = made
        self._unwritten += 1
        return made

    def free(self, buffer: Allocation) -> None:
        """Free ``buffer``. Any later access to ``buffer`` is out of bounds."""
        if self._by_start.pop(buffer.address, None) is None:
            raise MembenchError(f"{buffer.name} is freed twice")
        self._starts.remove(buffer.address)
        self._unwritten -= not buffer.written

    def multicast(self, each: tuple[Allocation, ...], address: int = 0) -> int:
        """An address for multimem instructions that accesses all buffers of ``each``.

        Args:
            address: an unused address; by default, an address after all memory.
        """
        size = min(one.size for one in each)
        behind = BASE + 2 * self._capacity + sum(span + GAP for _, span, _ in self._multicasts)
        start = address or behind
        self._multicasts.append((start, size, each))
        return start

    def replicas(self, addresses: Lanes, size: int) -> list[Lanes]:
        """For multicast ``addresses``, the addresses in each of the underlying memories.

        Raises:
            AccessFault: the addresses are not all in the same multicast object.
        """
        low, high = int(addresses.min()), int(addresses.max())
        for start, span, each in self._multicasts:
            if start <= low and high + size <= start + span:
                return [addresses - start + one.address for one in each]
        lane = int(np.argmin(addresses))
        message = (
            f"{size}-byte multimem access to 0x{int(addresses[lane]):x}, which is no multicast"
        )
        raise AccessFault(OutOfBounds, message, lane)

    def find(self, address: int) -> Allocation | None:
        """The buffer that contains ``address``; None without such a buffer."""
        place = bisect_right(self._starts, address)
        if not place:
            return None
        buffer = self._by_start[self._starts[place - 1]]
        return buffer if address < buffer.end else None

    def span(self, address: int, size: int, what: str) -> npt.NDArray[np.uint8]:
        """The ``size`` bytes at ``address``.

        Raises:
            OutOfBounds: the bytes are not within one buffer.
        """
        buffer = self.find(address)
        if buffer is None or address + size > buffer.end:
            raise OutOfBounds(f"{what} of {size} bytes out of bounds at {self.where(address)}")
        start = address - BASE
        return self._data[start : start + size]

    def is_known(self, address: int, size: int) -> bool:
        """Whether all ``size`` bytes at ``address`` were written."""
        start = address - BASE
        return bool(self._known[start : start + size].all())

    def mark(self, address: int, size: int) -> None:
        """Mark ``size`` bytes at ``address`` as written. The bytes must be within one buffer."""
        buffer = self.find(address)
        if buffer is None or buffer.written:
            return
        start = address - BASE
        self._known[start : start + size] = 0xFF
        if size == buffer.size:
            self._complete(buffer)

    def mark_as(self, target: int, source: int, size: int) -> None:
        """For each of ``size`` bytes, copy the mark "written" from ``source`` to ``target``."""
        buffer = self.find(target)
        to, of = target - BASE, source - BASE
        if self.is_known(source, size):
            self.mark(target, size)
        elif buffer is not None:
            if buffer.written:
                buffer.written = False
                self._unwritten += 1
            self._known[to : to + size] = self._known[of : of + size]

    def settle(self) -> None:
        """Find completely written buffers. Reads of these buffers need no further checks."""
        for buffer in self._by_start.values():
            if not buffer.written and self.is_known(buffer.address, buffer.size):
                self._complete(buffer)

    def _complete(self, buffer: Allocation) -> None:
        buffer.written = True
        self._unwritten -= 1

    def offsets(self, addresses: Lanes, size: int) -> tuple[Lanes, Allocation | None]:
        """Checked offsets into `cells` for one access of ``size`` bytes per lane.

        Returns:
            The offsets, and the buffer that contains all accesses; None for several buffers.

        Raises:
            AccessFault: an access is misaligned, or out of bounds.
        """
        low, high = int(addresses.min()), int(addresses.max())
        if size > 1 and (addresses & (size - 1)).any():
            lane = int(np.flatnonzero(addresses & (size - 1))[0])
            message = f"misaligned {size}-byte access at {self.where(int(addresses[lane]))}"
            raise AccessFault(Misaligned, message, lane)
        buffer = self.find(low)
        if buffer is None or high + size > buffer.end:
            buffer = None
            self._check_each(addresses, size)
        return addresses - BASE, buffer

    def _check_each(self, addresses: Lanes, size: int) -> None:
        starts = np.array(self._starts or [0], np.int64)
        ends = np.array([buffer.end for buffer in self.buffers] or [0], np.int64)
        place = np.searchsorted(starts, addresses, side="right") - 1
        good = (place >= 0) & (addresses + size <= ends[np.maximum(place, 0)])
        if not good.all():
            lane = int(np.flatnonzero(~good)[0])
            where = self.where(int(addresses[lane]))
            raise AccessFault(OutOfBounds, f"{size}-byte access out of bounds at {where}", lane)

    @staticmethod
    def address_of(offset: int) -> int:
        """The address of the byte at ``offset`` in `cells`."""
        return BASE + offset

    def where(self, address: int) -> str:
        """``address`` as text, with the buffer that contains or precedes the address."""
        place = bisect_right(self._starts, address)
        if not place:
            return f"0x{address:x}, before every buffer"
        buffer = self._by_start[self._starts[place - 1]]
        offset = address - buffer.address
        if offset < buffer.size:
            return f"0x{address:x}, byte {offset} of {buffer.name} ({buffer.size} bytes)"
        return (
            f"0x{address:x}, {offset - buffer.size} bytes behind the end of {buffer.name}"
            f" ({buffer.size} bytes)"
        )


def raw_bytes(data: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """The bytes of an array, in memory order."""
    return np.ascontiguousarray(data).reshape(-1).view(np.uint8)
