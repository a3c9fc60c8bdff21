"""The state shared by all launches of one emulated device, and the settings of one launch."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import numpy as np

from emulator.memory import DeviceMemory
from emulator.scalars import Lanes

Triple = tuple[int, int, int]


@dataclass
class Machine:
    """An emulated device.

    Attributes:
        sms, gpcs: number of SMs, and number of SMs of each GPC; by default, one GPC has all SMs.
        resident: maximum number of resident threads per SM.
        ticks: number of steps executed so far on the whole device. The clocks return this number.
            A step is not a time.
        races: whether to check for races in shared memory.
        unwritten: whether to refuse reads of global memory that was never written.
        patience: number of basic blocks that one group of threads may run while others wait.
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
        """``%smid`` of the ``sm``-th SM, always an odd number.

        The numbers have gaps, because real chips have disabled SMs.
        """
        return 2 * sm + 1

    @property
    def numbers(self) -> int:
        """``%nsmid``. PTX guarantees only that ``%nsmid`` is larger than every ``%smid``."""
        return 2 * self.sms + 1

    def clusters(self, size: int, blocks_per_sm: int = 1) -> int:
        """Number of resident clusters of ``size`` blocks. A cluster must be within one GPC."""
        return sum(gpc * blocks_per_sm // size for gpc in self.gpcs or (self.sms,))

    def seats(self, size: int) -> Lanes:
        """The SMs for the blocks of clusters of ``size`` blocks, one SM per block, in order."""
        ends = np.cumsum(self.gpcs or (self.sms,))
        firsts = ends - np.array(self.gpcs or (self.sms,))
        taken = [
            np.arange(first, first + (end - first) // size * size)
            for first, end in zip(firsts, ends, strict=True)
        ]
        return np.concatenate(taken) if any(one.size for one in taken) else np.arange(self.sms)


@dataclass(frozen=True)
class Shape:
    """The launch configuration of a kernel.

    Attributes:
        cluster: blocks per cluster, neighbours in x.
        shared: bytes of dynamic shared memory per block.
    """

    grid: Triple
    block: Triple
    cluster: int = 1
    shared: int = 0

    @property
    def blocks(self) -> int:
        return prod(self.grid)

    @property
    def threads(self) -> int:
        return prod(self.block)

    @property
    def warps(self) -> int:
        """Number of warps per block. The last warp may be partial."""
        return -(-self.threads // 32)
