"""What the emulated GPU gives out and notes: kernels, streams, events, launches that ended."""

from __future__ import annotations

from dataclasses import dataclass

from emulator.counters import Counts
from emulator.device import Loaded
from membench.gpu.cuda.compile import Resources
from membench.gpu.protocol import KernelVariant


@dataclass(frozen=True)
class Event:
    """Something that was asked of the device, in its order: ``launch stream_copy``."""

    kind: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.detail}".strip()


@dataclass(frozen=True)
class Ran:
    """One launch that has ended."""

    entry: str
    grid: int
    block: int
    shared: int
    counts: Counts


@dataclass(frozen=True, eq=False)
class EmulatedKernel:
    """A `Kernel`."""

    entry: str
    variant: KernelVariant
    module: Loaded
    resources: Resources

    @property
    def registers(self) -> int:
        """Registers a thread, as the assembler reports them."""
        return self.resources.registers

    @property
    def shared_bytes(self) -> int:
        """Static shared memory of a block."""
        return self.resources.shared_bytes


@dataclass(frozen=True)
class EmulatedStream:
    """A `Stream`; an urgent one has no advantage here."""

    number: int
    urgent: bool
