"""The interface between the measuring engine and a backend.

A `HostBackend` stamps inside its own kernels. A `DeviceBackend` has a queue into which the engine
places flushes, blocks, probes and events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class Device:
    """The device that did the work: the columns `backend`, `device`, `driver` and `cuda` of a row.

    Attributes:
        measured: False for an emulation or a recording; their numbers are never reported as
            results.
    """

    backend: str
    name: str
    driver: str = ""
    cuda: str = ""
    measured: bool = True


class Backend(Protocol):
    """Runs the work of cases: the host's memory, a disk or a GPU."""

    @property
    def timer(self) -> str:
        """Name of the clock that times the samples."""
        ...

    @property
    def resolution_ns(self) -> float:
        """Smallest difference that this clock can show, in nanoseconds."""
        ...

    @property
    def kernel_digest(self) -> str:
        """Hex digest of the sources of the kernels that this backend runs."""
        ...

    def describe(self) -> Device:
        """The device that this backend works on."""
        ...

    def reclaim(self) -> None:
        """Free everything that the last case allocated and did not free."""
        ...

    def close(self) -> None:
        """Free buffers, threads and contexts. May be called twice."""
        ...


@runtime_checkable
class HostBackend(Backend, Protocol):
    """A backend whose kernels take the time stamps themselves."""

    def elapsed_ns(self, run: Callable[[int], None], iterations: int) -> float:
        """Run ``iterations`` iterations and return the nanoseconds that they took together."""
        ...


@dataclass(frozen=True)
class Seating:
    """The CPUs that the threads of a case ran on, as far as they affect its numbers.

    Attributes:
        detail: facts for the row's `detail`.
        flags: codes for the row.
    """

    detail: Mapping[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()


@runtime_checkable
class SeatedBackend(Backend, Protocol):
    """A backend that pins each thread to a separate CPU."""

    def seating(self) -> Seating:
        """The CPUs of the threads that were launched since the last `reclaim`."""
        ...


class Edge(Enum):
    """The two ends of a timed span."""

    BEFORE = 0
    AFTER = 1


@dataclass(frozen=True)
class Tick:
    """One reading of the global timer (ns) and of the cycle counter of an SM."""

    global_ns: int
    cycles: int


@dataclass(frozen=True)
class Stamps:
    """The time stamps of a timed span, readable once the queue is empty.

    Attributes:
        elapsed_ns: nanoseconds between the two events that enclose the span.
        before, after: readings of an SM's clocks before the first event and after the second.
        overdue: the block timed out before it was released, so the sample is void.
    """

    elapsed_ns: float
    before: Tick
    after: Tick
    overdue: bool = False


@runtime_checkable
class DeviceBackend(Backend, Protocol):
    """A backend with a queue; every method except `synchronize` and `stamps` returns at once."""

    def flush(self) -> None:
        """Queue a fill of the L2 cache with clean lines that no case uses."""
        ...

    def synchronize(self) -> None:
        """Wait until the queue is empty; raise the error of any queued work."""
        ...

    def block(self) -> None:
        """Queue a block: it holds all later entries until `release` or a deadline."""
        ...

    def release(self) -> None:
        """Let the queue continue. Does nothing if nothing is held; never fails."""
        ...

    def probe(self, edge: Edge) -> None:
        """Queue a reading of one SM's clocks."""
        ...

    def mark(self, edge: Edge) -> None:
        """Queue an event."""
        ...

    def idle(self) -> None:
        """Queue a kernel that does nothing."""
        ...

    def stamps(self) -> Stamps:
        """The time stamps of the last timed span. Call `synchronize` first."""
        ...
