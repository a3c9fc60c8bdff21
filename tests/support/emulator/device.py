"""Modules, queues and launches of one emulated device."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from emulator.faults import EmulationError
from emulator.launching import Launch, bind
from emulator.machine import Machine, Shape, Triple
from emulator.memory import raw_bytes
from emulator.program import Program, decode
from emulator.source import Module, parse

Work = Callable[[int], bool]
"""Queued work.

The argument is the number of steps to execute; True means that the work is complete.
"""


class Loaded:
    """A loaded module with its variables in memory. Kernels are decoded at first use."""

    def __init__(self, machine: Machine, ptx: str) -> None:
        self._module: Module = parse(ptx)
        self._programs: dict[str, Program] = {}
        self.addresses: dict[str, int] = {}
        for variable in self._module.variables:
            if variable.space in ("global", "const"):
                made = machine.memory.allocate(max(1, variable.size), f"variable {variable.name}")
                made.array[:] = 0
                if variable.values:
                    made.array[:] = np.frombuffer(variable.values, np.uint8)
                machine.memory.mark(made.address, made.size)
                self.addresses[variable.name] = made.address

    @property
    def entries(self) -> tuple[str, ...]:
        """The names of the kernels in the module."""
        return tuple(self._module.entries)

    def program(self, entry: str) -> Program:
        """The kernel ``entry``, decoded.

        Raises:
            EmulationError: no entry has this name, or it contains unknown instructions.
        """
        if entry not in self._programs:
            if entry not in self._module.entries:
                known = ", ".join(self._module.entries)
                raise EmulationError(f"there is no kernel '{entry}' (there are: {known})")
            written = self._module.entries[entry]
            self._programs[entry] = decode(self._module, written, self.addresses)
        return self._programs[entry]


class Queues:
    """Streams. The work of one stream runs in order; the work of several streams is interleaved.

    Attributes:
        between: function that is called between slices of work; plays the host that runs in
            parallel.
        quantum: number of steps in one slice if several queues have work.
    """

    def __init__(self, quantum: int = 200) -> None:
        self.between: Callable[[], None] | None = None
        self.quantum = quantum
        self._queues: dict[int, deque[Work]] = {}

    def add(self, queue: int, work: Work) -> None:
        self._queues.setdefault(queue, deque()).append(work)

    def drain(self, queue: int | None = None) -> None:
        """Execute until ``queue`` is empty; None means every queue. An error empties all queues."""
        try:
            while waiting := [key for key, works in self._queues.items() if works]:
                if queue is not None and queue not in waiting:
                    return
                alone = len(waiting) == 1 and self.between is None
                for key in waiting:
                    works = self._queues[key]
                    if works[0](1 << 40 if alone else self.quantum):
                        works.popleft()
                if self.between is not None:
                    self.between()
        except BaseException:
            self._queues.clear()
            raise


def run_once(action: Callable[[], None]) -> Work:
    """Work that is complete after one call."""

    def work(_budget: int) -> bool:
        action()
        return True

    return work


def execute(
    machine: Machine,
    module: Loaded,
    entry: str,
    grid: int | Triple,
    block: int | Triple,
    arguments: Sequence[Any],
    *,
    shared: int = 0,
    cluster: int = 0,
    fuel: int = 1_000_000,
) -> Launch:
    """Launch one kernel and run the kernel to its end."""
    launch = prepare(machine, module, entry, grid, block, arguments, shared, cluster, fuel)
    launch.advance(1 << 40)
    return launch


def prepare(
    machine: Machine,
    module: Loaded,
    entry: str,
    grid: int | Triple,
    block: int | Triple,
    arguments: Sequence[Any],
    shared: int,
    cluster: int,
    fuel: int,
) -> Launch:
    """A launch that runs later. The arguments are read now."""
    program = module.program(entry)
    shape = Shape(_triple(grid), _triple(block), cluster or program.entry.cluster or 1, shared)
    return Launch(program, machine, shape, bind(program.entry, arguments), fuel)


def _triple(extent: int | Triple) -> Triple:
    return (extent, 1, 1) if isinstance(extent, int) else extent


def upload(machine: Machine, data: Any, name: str = "") -> Any:
    """A new buffer with the content ``data``."""
    raw = raw_bytes(np.asarray(data))
    made = machine.memory.allocate(raw.size, name)
    made.array[:] = raw
    machine.memory.mark(made.address, made.size)
    return made
