"""A ring of pointers in memory, as the benches use it."""

from __future__ import annotations

from dataclasses import dataclass, field

from membench.core.errors import VerificationFailed, skip
from membench.host.memory import chase_kernels as host_chase
from membench.host.memory.arena import Bytes
from membench.host.memory.thread_pool import Job, ThreadSlot


@dataclass(frozen=True)
class HostRing:
    """One cycle through ``2**bits`` lines, ``stride`` bytes apart, from ``base`` on.

    It keeps its memory, because the pointers in it are seen by nobody else.
    """

    base: int
    bits: int
    stride: int
    memory: Bytes = field(repr=False, compare=False)

    @classmethod
    def over(cls, memory: Bytes, stride: int) -> HostRing:
        """The ring that fills ``memory``, not linked yet.

        Raises:
            Skip: the lines are not a power of two, or hold no pointer.
        """
        lines = memory.size // stride
        if lines < 2 or lines & (lines - 1) or stride % 8:
            skip(
                f"{memory.size} bytes hold no ring of lines {stride} bytes apart: "
                "it takes a power of two"
            )
        _ = host_chase.link.entry  # compiled here, not on several threads at once
        return cls(int(memory.ctypes.data), lines.bit_length() - 1, stride, memory)

    @property
    def lines(self) -> int:
        """Pointers in the ring."""
        return 1 << self.bits

    def address(self, hops: int) -> int:
        """Where a chase is after ``hops`` loads from its start."""
        line = host_chase.place.entry(hops % self.lines, self.bits)
        return self.base + int(line) * self.stride

    def link(self) -> None:
        """Write the pointers, on the CPU that will follow them.

        Lines that another CPU has written may lie dirty in its caches, all of a ring in the
        many caches of a large server: a chase would time transfers between caches.
        """
        host_chase.link.entry(self.base, self.bits, self.stride, 0, self.lines)

    def verify(self, address: int, hops: int) -> None:
        """Raise `VerificationFailed` where a chase of ``hops`` loads did not end at ``address``."""
        expected = self.address(hops)
        if address != expected:
            raise VerificationFailed(
                f"after {hops} loads the chase is at byte {address - self.base} of its ring, "
                f"not at {expected - self.base}"
            )


class Walk:
    """A chase through a linked ring that goes on where it stopped.

    Attributes:
        at: address of the pointer that comes next.
        loads: followed so far.
    """

    def __init__(self, ring: HostRing) -> None:
        self.ring = ring
        self.at = ring.address(0)
        self.loads = 0
        self._chase = host_chase.chase.entry

    def job(self, loads: int) -> Job:
        """Follow ``loads`` pointers (a multiple of 32)."""

        def walk(slot: ThreadSlot) -> None:
            self.moved(self._chase(*slot.barrier, self.at, loads), loads)

        return walk

    def moved(self, address: int, loads: int) -> None:
        """Note that somebody walked ``loads`` loads and arrived at ``address``."""
        self.at = address
        self.loads += loads

    def verify(self) -> None:
        """Raise `VerificationFailed` unless the walk is where that many loads lead."""
        self.ring.verify(self.at, self.loads)
