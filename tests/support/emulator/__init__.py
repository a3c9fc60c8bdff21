"""A PTX emulator: executes the code that NVRTC compiled for a GPU, on a machine without one.

Every thread is a lane of NumPy arrays. While a kernel runs, its accesses are checked (bounds,
alignment, unwritten memory, races between barriers, missing waits) and counted (bytes, 32-byte
sectors, shared-memory wavefronts, atomics, executions of each opcode). Unknown instructions are
refused by name.

::

    gpu = EmulatedGpu(small(sms=4))
    kernel = gpu.kernel(Variant.of("stream.cu"), "stream_copy")
    gpu.launch(kernel, 8, 128, [target, source, np.uint64(count)])
    gpu.synchronize()
    gpu.counts["stream_copy"].loaded

It does not model time, caches, the order of memory accesses between blocks, and the translation of
PTX to machine code. Its clocks count executed steps.
"""

from __future__ import annotations

from asking_gpu import H100

from emulator.counters import Counts
from emulator.device import Loaded, Queues, execute, upload
from emulator.faults import (
    BadArgument,
    BarrierMisuse,
    Deadlock,
    EmulationError,
    FuelExhausted,
    Misaligned,
    MissingFence,
    MissingWait,
    OutOfBounds,
    Race,
    Uninitialised,
    UnknownInstruction,
)
from emulator.gpu import EmulatedGpu, small
from emulator.handles import Event, Ran
from emulator.machine import Machine

__all__ = [
    "H100",
    "BadArgument",
    "BarrierMisuse",
    "Counts",
    "Deadlock",
    "EmulatedGpu",
    "EmulationError",
    "Event",
    "FuelExhausted",
    "Loaded",
    "Machine",
    "Misaligned",
    "MissingFence",
    "MissingWait",
    "OutOfBounds",
    "Queues",
    "Race",
    "Ran",
    "Uninitialised",
    "UnknownInstruction",
    "execute",
    "small",
    "upload",
]
