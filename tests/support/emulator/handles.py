"""The objects of the emulated GPU: kernels, streams, events, completed launches."""

from __future__ import annotations

from dataclasses import dataclass

from emulator.counters import Counts
from emulator.device import Loaded
from membench.gpu.cuda.compile import Resources
from membench.gpu.protocol import KernelVariant


@dataclass(frozen=True)
class Event:
    """A logged request to the device, such as ``launch stream_copy``."""

    kind: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.detail}".strip()


@dataclass(frozen=True)
class Ran:
    """One completed launch: kernel, configuration and counts."""

    entry: str
    grid: int
    block: int
    shared: int
    counts: Counts


@dataclass(frozen=True, eq=False)
class EmulatedKernel:
    """An implementation of `Kernel`: a decoded entry with its module and resources."""

    entry: str
    variant: KernelVariant
    module: Loaded
    resources: Resources

    @property
    def registers(self) -> int:
        """Registers per thread, as reported by the assembler."""
        return self.resources.registers

    @property
    def shared_bytes(self) -> int:
        """Bytes of static shared memory per block."""
        return self.resources.shared_bytes


@dataclass(frozen=True)
class EmulatedStream:
    """An implementation of `Stream`. Urgent streams have no priority in the emulator."""

    number: int
    urgent: bool
