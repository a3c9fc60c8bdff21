"""What the emulator refuses: each kind of mistake has a class, so that a test can name it."""

from __future__ import annotations


class EmulationError(Exception):
    """A kernel did what no kernel may do, or what is not emulated."""


class UnknownInstruction(EmulationError):
    """An instruction, or a form of one, that is not emulated: it is never guessed."""


class BadArgument(EmulationError):
    """The launch does not fit the kernel: number or size of arguments, grid, block, memory."""


class OutOfBounds(EmulationError):
    """An access outside of every buffer, or beyond the end of one."""


class Misaligned(EmulationError):
    """An access whose address is no multiple of its size."""


class Uninitialised(EmulationError):
    """A read of memory that nothing has written."""


class Race(EmulationError):
    """Two threads' accesses to one place in shared memory, one a write, with no order between."""


class MissingWait(EmulationError):
    """Use of what an asynchronous copy still reads or writes."""


class MissingFence(EmulationError):
    """A bulk copy that may not see what threads wrote before it."""


class BarrierMisuse(EmulationError):
    """A barrier used before its initialisation, or beyond what it counts."""


class Deadlock(EmulationError):
    """Threads that wait for each other and will for ever."""


class FuelExhausted(EmulationError):
    """More steps than the launch may have: a loop that does not end, or a flag that never comes."""
