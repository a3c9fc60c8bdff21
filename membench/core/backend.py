"""The interface between the measuring order and a backend.

Two kinds: a `HostBackend` stamps inside its own kernels, a `DeviceBackend` has a queue into which
the engine places flushes, blocks, probes and events.
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
        measured: False for an emulation or a recording, whose answers are never results.
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
        """Name of the clock that the samples are taken with."""
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
        """Run ``iterations`` and return the nanoseconds from their start to their end."""
        ...


@dataclass(frozen=True)
class Seating:
    """The CPUs that the threads of a case ran on, if that affects its numbers.

    Attributes:
        detail: facts for the row's `detail`.
        flags: codes for the row.
    """

    detail: Mapping[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()


@runtime_checkable
class SeatedBackend(Backend, Protocol):
    """A backend that pins each thread to a CPU of its own."""

    def seating(self) -> Seating:
        """The CPUs of the threads that were launched since the last `reclaim`."""
        ...


class Edge(Enum):
    """The two ends of a timed span."""

    BEFORE = 0
    AFTER = 1


@dataclass(frozen=True)
class Tick:
    """One SM's two clocks at one moment: nanoseconds of the global timer, SM cycles."""

    global_ns: int
    cycles: int


@dataclass(frozen=True)
class Stamps:
    """The time stamps of a span, readable once the queue is empty.

    Attributes:
        elapsed_ns: between the two events.
        before, after: the clocks around them.
        overdue: the block timed out before it was released, so the sample is void.
    """

    elapsed_ns: float
    before: Tick
    after: Tick
    overdue: bool = False


@runtime_checkable
class DeviceBackend(Backend, Protocol):
    """A backend with a queue; every method but `synchronize` and `stamps` returns at once."""

    def flush(self) -> None:
        """Queue: fill the L2 cache with clean lines that no case uses."""
        ...

    def synchronize(self) -> None:
        """Wait until the queue is empty; raise the error of any queued work."""
        ...

    def block(self) -> None:
        """Queue: hold everything queued from now on until `release` or a deadline."""
        ...

    def release(self) -> None:
        """Let the queue continue. Does nothing if nothing is held; never fails."""
        ...

    def probe(self, edge: Edge) -> None:
        """Queue: read the clocks of one SM."""
        ...

    def mark(self, edge: Edge) -> None:
        """Queue: an event."""
        ...

    def idle(self) -> None:
        """Queue: a kernel that does nothing."""
        ...

    def stamps(self) -> Stamps:
        """The time stamps of the last span. Call `synchronize` first."""
        ...
