"""A PTX emulator: executes the code that NVRTC compiled for a GPU, on the CPU.

Every GPU thread is one element (a lane) of NumPy arrays. While a kernel runs, the emulator checks
every access: bounds, alignment, unwritten memory, races between barriers, missing waits. The
emulator counts bytes, 32-byte sectors, shared-memory wavefronts, atomics and the executions of each
opcode. At an unknown instruction, the emulator raises an error that names the instruction.

::

    gpu = EmulatedGpu(small(sms=4))
    kernel = gpu.kernel(KernelVariant.of("stream.cu"), "stream_copy")
    gpu.launch(kernel, 8, 128, [target, source, np.uint64(count)])
    gpu.synchronize()
    gpu.counts["stream_copy"].loaded

The emulator models no time, no caches, no memory order between blocks, and no machine code. Its
clocks count executed steps.
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
