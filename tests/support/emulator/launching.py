"""A launch: checks the arguments and runs the blocks in waves of resident blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from emulator.access import SHARED_START
from emulator.counters import Counts
from emulator.faults import BadArgument, FuelExhausted
from emulator.machine import Machine, Shape
from emulator.program import Program
from emulator.source import Entry
from emulator.wave import Wave

MOST_LANES = 1 << 16
"""Maximum number of threads in a wave. Further blocks wait."""


def bind(entry: Entry, arguments: Sequence[Any]) -> bytes:
    """Pack ``arguments`` to the bytes of a kernel's parameters.

    Args:
        arguments: NumPy scalars of exactly the parameters' sizes, or objects with an ``address``.

    Raises:
        BadArgument: the number of arguments, a type or a size is wrong.
    """
    if len(arguments) != len(entry.parameters):
        raise BadArgument(
            f"{entry.name}: {len(arguments)} arguments, the kernel takes {len(entry.parameters)}"
        )
    data = b""
    for index, (argument, parameter) in enumerate(zip(arguments, entry.parameters, strict=True)):
        value = argument
        if hasattr(argument, "address"):
            value = np.uint64(argument.address)
        if not isinstance(value, np.generic):
            kind = type(argument).__name__
            raise BadArgument(f"{entry.name}: argument {index} is no NumPy scalar but {kind}")
        if value.nbytes != parameter.size:
            raise BadArgument(
                f"{entry.name}: argument {index} is {value.nbytes} bytes, "
                f"the kernel takes {parameter.size}"
            )
        data = data.ljust(-(-len(data) // parameter.align) * parameter.align, b"\0")
        data += value.tobytes()
    return data


class Launch:
    """One kernel launch in progress.

    Args:
        parameters: result of `bind`.
        fuel: maximum number of steps; a step is one instruction of one group of threads.

    Raises:
        BadArgument: the device cannot launch the kernel with these settings.
    """

    def __init__(
        self,
        program: Program,
        machine: Machine,
        shape: Shape,
        parameters: bytes,
        fuel: int = 1_000_000,
    ) -> None:
        self.program = program
        self.shape = shape
        self.counts = Counts()
        self._machine = machine
        self._parameters = parameters
        self._fuel = fuel
        self._next = 0
        self._wave: Wave | None = None
        self._check()

    def _check(self) -> None:
        shape, name = self.shape, self.program.name
        if not 0 < shape.threads <= 1024:
            raise BadArgument(f"{name}: a block of {shape.threads} threads")
        if shape.blocks <= 0:
            raise BadArgument(f"{name}: a grid of {shape.blocks} blocks")
        if shape.grid[0] % shape.cluster:
            raise BadArgument(f"{name}: {shape.grid[0]} blocks in clusters of {shape.cluster}")
        if self.program.entry.cluster not in (0, shape.cluster):
            raise BadArgument(f"{name}: it prescribes clusters of {self.program.entry.cluster}")
        used = self.program.shared_bytes - SHARED_START + shape.shared
        if used > self._machine.shared_per_block:
            raise BadArgument(f"{name}: {used} bytes of shared memory in a block")

    def again(self) -> Launch:
        """A new launch of the same kernel with the same settings."""
        return Launch(self.program, self._machine, self.shape, self._parameters, self._fuel)

    @property
    def _together(self) -> int:
        """Number of blocks in a wave: limited by residency and by `MOST_LANES`."""
        shape, machine = self.shape, self._machine
        each = max(1, machine.resident // (32 * shape.warps))
        resident = machine.clusters(shape.cluster, each) * shape.cluster
        together = min(resident, max(1, MOST_LANES // shape.threads))
        return max(1, together // shape.cluster) * shape.cluster

    def advance(self, budget: int) -> bool:
        """Execute about ``budget`` steps. True means that all blocks have ended.

        Raises:
            EmulationError: the kernel violated a rule.
        """
        with np.errstate(all="ignore"):
            while budget > 0:
                if self._wave is None:
                    if self._next >= self.shape.blocks:
                        return True
                    blocks = min(self._together, self.shape.blocks - self._next)
                    self._wave = Wave(
                        self.program,
                        self._machine,
                        self.shape,
                        self._parameters,
                        self._next,
                        blocks,
                        self.counts,
                    )
                    self._next += blocks
                spent = self._wave.run(min(budget, self._fuel))
                budget -= spent
                self._fuel -= spent
                if self._wave.finished:
                    self._wave.finish()
                    self._wave = None
                elif self._fuel <= 0:
                    raise FuelExhausted(
                        f"{self.program.name}: fuel exhausted: {self._wave.position()}"
                    )
        return self._wave is None and self._next >= self.shape.blocks
