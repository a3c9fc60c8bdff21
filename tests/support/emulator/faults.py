"""The errors of the emulator: each kind of mistake has a class, so that tests can expect it."""

from __future__ import annotations


class EmulationError(Exception):
    """A kernel violated a rule, or used something that is not emulated."""


class UnknownInstruction(EmulationError):
    """An instruction, or a form of one, that is not emulated; its meaning is never guessed."""


class BadArgument(EmulationError):
    """The launch does not fit the kernel: number or size of arguments, grid, block, memory."""


class OutOfBounds(EmulationError):
    """An access outside every buffer, or beyond the end of one."""


class Misaligned(EmulationError):
    """An access whose address is not a multiple of its size."""


class Uninitialised(EmulationError):
    """A read of memory that was never written."""


class Race(EmulationError):
    """Two threads access one place in shared memory without order, and at least one writes."""


class MissingWait(EmulationError):
    """Use of memory that an asynchronous copy still reads or writes."""


class MissingFence(EmulationError):
    """A bulk copy that may not see earlier writes of threads, because a fence is missing."""


class BarrierMisuse(EmulationError):
    """A barrier used before its initialisation, or with more arrivals than it counts."""


class Deadlock(EmulationError):
    """Threads that wait for each other for ever."""


class FuelExhausted(EmulationError):
    """A launch took more than its allowed steps: an endless loop, or a flag that is never set."""
