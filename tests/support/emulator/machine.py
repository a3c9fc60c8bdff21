"""What all launches of one emulated device share, and what one launch is."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import numpy as np

from emulator.memory import DeviceMemory
from emulator.scalars import Lanes

Triple = tuple[int, int, int]


@dataclass
class Machine:
    """A device under emulation.

    Attributes:
        sms, gpcs: SMs, and how many of them each GPC has: all in one where it is not said.
        resident: threads that one SM holds at the same time.
        ticks: steps executed so far, on the whole device: what the clocks show.  It grows
            with every instruction and is no measure of time at all.
        races: watch for races in shared memory.
        unwritten: refuse reads of global memory that nothing has written.
        patience: basic blocks that one group of threads may run while others wait.
    """

    memory: DeviceMemory = field(default_factory=DeviceMemory)
    sms: int = 4
    gpcs: tuple[int, ...] = ()
    resident: int = 2048
    shared_per_block: int = 232448
    ticks: int = 0
    races: bool = True
    unwritten: bool = True
    patience: int = 512

    def number_of(self, sm: Lanes) -> Lanes:
        """``%smid`` of the ``sm``-th SM: as on chips with SMs switched off, not all are there."""
        return 2 * sm + 1

    @property
    def numbers(self) -> int:
        """``%nsmid``: every ``%smid`` is below it, which is all that PTX promises."""
        return 2 * self.sms + 1

    def clusters(self, size: int, blocks_per_sm: int = 1) -> int:
        """Clusters of ``size`` blocks that are resident at once: none reaches over two GPCs."""
        return sum(gpc * blocks_per_sm // size for gpc in self.gpcs or (self.sms,))

    def seats(self, size: int) -> Lanes:
        """The SMs that blocks of clusters of ``size`` sit on, one block each, in their order."""
        ends = np.cumsum(self.gpcs or (self.sms,))
        firsts = ends - np.array(self.gpcs or (self.sms,))
        taken = [
            np.arange(first, first + (end - first) // size * size)
            for first, end in zip(firsts, ends, strict=True)
        ]
        return np.concatenate(taken) if any(one.size for one in taken) else np.arange(self.sms)


@dataclass(frozen=True)
class Shape:
    """How a kernel is launched.

    Attributes:
        cluster: blocks of a cluster, neighbours in x.
        shared: bytes of dynamic shared memory of a block.
    """

    grid: Triple
    block: Triple
    cluster: int = 1
    shared: int = 0

    @property
    def blocks(self) -> int:
        """Blocks of the grid."""
        return prod(self.grid)

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return prod(self.block)

    @property
    def warps(self) -> int:
        """Warps of a block, the last one perhaps not full."""
        return -(-self.threads // 32)
