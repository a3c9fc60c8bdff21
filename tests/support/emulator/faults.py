"""The errors of the emulator: each kind of mistake has a class, so that tests can expect it."""

from __future__ import annotations


class EmulationError(Exception):
    """A kernel violated a rule, or used something that is not emulated."""


class UnknownInstruction(EmulationError):
    """The emulator does not know this instruction, or this form of the instruction."""


class BadArgument(EmulationError):
    """Wrong arguments of a launch: number, sizes, grid, block or memory do not fit the kernel."""


class OutOfBounds(EmulationError):
    """An access outside all buffers, or beyond the end of a buffer."""


class Misaligned(EmulationError):
    """An access whose address is not a multiple of its size."""


class Uninitialised(EmulationError):
    """A read of memory that was never written."""


class Race(EmulationError):
    """Two threads access the same shared memory without order, and at least one thread writes."""


class MissingWait(EmulationError):
    """Use of memory that an asynchronous copy still reads or writes."""


class MissingFence(EmulationError):
    """A bulk copy that may not see earlier writes of threads, because a fence is missing."""


class BarrierMisuse(EmulationError):
    """A barrier was used before its initialisation, or too many threads arrived."""


class Deadlock(EmulationError):
    """Threads that wait for each other for ever."""


class FuelExhausted(EmulationError):
    """A launch took more than its allowed steps: an endless loop, or a flag that is never set."""
