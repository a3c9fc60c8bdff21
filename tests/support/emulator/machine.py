"""What all launches of one emulated device share, and what one launch is."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from emulator.memory import DeviceMemory

Triple = tuple[int, int, int]


@dataclass
class Machine:
    """A device under emulation.

    Attributes:
        resident: threads that one SM holds at the same time.
        ticks: steps executed so far, on the whole device: what the clocks show.  It grows
            with every instruction and is no measure of time at all.
        races: watch for races in shared memory.
        unwritten: refuse reads of global memory that nothing has written.
        patience: basic blocks that one group of threads may run while others wait.
    """

    memory: DeviceMemory = field(default_factory=DeviceMemory)
    sms: int = 4
    resident: int = 2048
    shared_per_block: int = 232448
    ticks: int = 0
    races: bool = True
    unwritten: bool = True
    patience: int = 512


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
