"""A ring of pointers in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from membench.core.errors import VerificationFailed, skip
from membench.host.memory.arena import Bytes
from membench.host.memory.kernels import host_chase
from membench.host.memory.thread_pool import Job, ThreadSlot


@dataclass(frozen=True)
class HostRing:
    """One cycle of pointers through ``2**bits`` lines, ``stride`` bytes apart, from ``base`` on."""

    base: int
    bits: int
    stride: int
    memory: Bytes = field(repr=False, compare=False)  # keeps the memory allocated

    @classmethod
    def over(cls, memory: Bytes, stride: int) -> HostRing:
        """A ring, not linked yet, that fills ``memory`` with lines of ``stride`` bytes.

        Raises:
            Skip: the number of lines is below 2 or not a power of two, or ``stride`` is not a
                multiple of 8 bytes.
        """
        lines = memory.size // stride
        if lines < 2 or lines & (lines - 1) or stride % 8:
            skip(
                f"{memory.size} B cannot hold a ring: the number of lines of {stride} B must be a "
                "power of two and at least 2"
            )
        _ = host_chase.link  # compile now, on one thread
        return cls(int(memory.ctypes.data), lines.bit_length() - 1, stride, memory)

    @property
    def lines(self) -> int:
        return 1 << self.bits

    def address(self, hops: int) -> int:
        """The address of the pointer that a chase reaches after ``hops`` loads."""
        line = host_chase.place(hops % self.lines, self.bits)
        return self.base + int(line) * self.stride

    def link(self) -> None:
        """Write the pointers. Call this method on the CPU that will follow the pointers.

        Lines that another CPU wrote may still be dirty in that CPU's caches, and the chase would
        then time transfers between caches.
        """
        host_chase.link(self.base, self.bits, self.stride, 0, self.lines)

    def verify(self, address: int, hops: int) -> None:
        """Raise `VerificationFailed` if a chase of ``hops`` loads cannot end at ``address``."""
        expected = self.address(hops)
        if address != expected:
            raise VerificationFailed(
                f"after {hops} loads, the pointer chase is at byte {address - self.base} of its "
                f"ring, not at byte {expected - self.base}"
            )


class Walk:
    """A pointer chase through a linked ring. Each run continues where the previous run ended.

    Attributes:
        at: address of the next pointer.
        loads: number of loads so far.
    """

    def __init__(self, ring: HostRing) -> None:
        self.ring = ring
        self.at = ring.address(0)
        self.loads = 0
        self._chase = host_chase.chase

    def job(self, loads: int) -> Job:
        """A job that follows ``loads`` pointers (a multiple of 32)."""

        def walk(slot: ThreadSlot) -> None:
            self.moved(self._chase(*slot.barrier, self.at, loads), loads)

        return walk

    def moved(self, address: int, loads: int) -> None:
        """Record that a kernel followed ``loads`` pointers and arrived at ``address``."""
        self.at = address
        self.loads += loads

    def verify(self) -> None:
        """Raise `VerificationFailed` if `at` is not the position after `loads` loads."""
        self.ring.verify(self.at, self.loads)
