"""What the measuring order needs of a backend, and nothing more.

Two kinds: a `HostBackend` stamps inside its own kernels, a `DeviceBackend` has
a queue into which the engine places flushes, blocks, probes and events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class Device:
    """What did the work: the columns `backend`, `device`, `driver` and `cuda` of a row.

    Attributes:
        measured: hardware did it.  What an emulation or a recording answers is never a result.
    """

    backend: str
    name: str
    driver: str = ""
    cuda: str = ""
    measured: bool = True


class Backend(Protocol):
    """A place where work is done."""

    @property
    def timer(self) -> str:
        """Name of the clock behind the samples."""
        ...

    @property
    def resolution_ns(self) -> float:
        """Smallest difference that this clock can show, in nanoseconds."""
        ...

    @property
    def kernel_digest(self) -> str:
        """Hex digest of the sources of the kernels that it runs."""
        ...

    def describe(self) -> Device:
        """The device that this backend works on."""
        ...

    def reclaim(self) -> None:
        """Take back whatever the last case was given and has not given back."""
        ...

    def close(self) -> None:
        """Give back buffers, threads and contexts.  May be called twice."""
        ...


@runtime_checkable
class HostBackend(Backend, Protocol):
    """A backend whose kernels stamp themselves."""

    def elapsed_ns(self, run: Callable[[int], None], iterations: int) -> float:
        """Run ``iterations`` and return the nanoseconds from their start to their end."""
        ...


@dataclass(frozen=True)
class Seating:
    """On which CPUs the threads of a case were, where that says something of its numbers.

    Attributes:
        detail: facts for the row's `detail`.
        flags: codes that it earns its row.
    """

    detail: Mapping[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()


@runtime_checkable
class SeatedBackend(Backend, Protocol):
    """A backend whose threads are meant to have CPUs of their own."""

    def seating(self) -> Seating:
        """Of the threads that were launched since the last `reclaim`."""
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
    """What is known of a timed span after the queue is empty.

    Attributes:
        elapsed_ns: between the two events.
        before, after: the clocks around them.
        overdue: the block gave up waiting before it was released: the sample is void.
    """

    elapsed_ns: float
    before: Tick
    after: Tick
    overdue: bool = False


@runtime_checkable
class DeviceBackend(Backend, Protocol):
    """A backend with a queue; every method but `synchronize` and `stamps` returns at once."""

    def flush(self) -> None:
        """Queue: replace the contents of the L2 cache by clean lines of nobody's."""
        ...

    def synchronize(self) -> None:
        """Wait until the queue is empty; raises what went wrong in it."""
        ...

    def block(self) -> None:
        """Queue: hold everything queued from now on until `release`, or until a deadline."""
        ...

    def release(self) -> None:
        """Let the queue go on.  Harmless where nothing is held; never fails."""
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
        """What the last span left.  Only after `synchronize`."""
        ...
