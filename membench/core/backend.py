"""The interface between the measuring engine and a backend (CPU, disk or GPU).

A `HostBackend` times its work itself. A `DeviceBackend` has a queue, to which the engine adds the
work, cache flushes, clock readings, events and blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class Device:
    """The device that did the work, for the columns `backend`, `device`, `driver` and `cuda`.

    Attributes:
        backend: ``cpu``, ``cuda`` or ``storage``. A results file cannot contain the name of an
            emulator.
        driver: version of the driver; empty if the device has no driver.
        cuda: version of CUDA; empty if the backend does not use CUDA.
    """

    backend: str
    name: str
    driver: str = ""
    cuda: str = ""


class Backend(Protocol):
    """Runs the work of cases on a device: host memory, a disk or a GPU."""

    @property
    def timer(self) -> str:
        """Name of the clock that times the samples."""
        ...

    @property
    def resolution_ns(self) -> float:
        """Smallest difference that the clock of the samples can show, in nanoseconds."""
        ...

    @property
    def kernel_digest(self) -> str:
        """Hex digest of the sources of the kernels that this backend runs."""
        ...

    def describe(self) -> Device:
        """The device that this backend works on."""
        ...

    def reclaim(self) -> None:
        """Take back the resources of the last case. The backend may keep memory for later cases."""
        ...

    def close(self) -> None:
        """Free buffers and threads at the end of the process; a second call does nothing."""
        ...


@runtime_checkable
class HostBackend(Backend, Protocol):
    """A backend whose kernels take the time stamps themselves."""

    def elapsed_ns(self, run: Callable[[int], None], iterations: int) -> float:
        """Call ``run(iterations)``; return the time of the iterations in nanoseconds."""
        ...


@dataclass(frozen=True)
class Seating:
    """Entries for the row of a case, about the CPUs on which its threads ran.

    Attributes:
        detail: entries for the column `detail`.
        flags: codes for the column `flags`.
    """

    detail: Mapping[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()


@runtime_checkable
class SeatedBackend(Backend, Protocol):
    """A backend that pins each thread to a separate CPU."""

    def seating(self) -> Seating:
        """Entries about the CPUs of the threads that were launched since the last `reclaim`."""
        ...


class Edge(Enum):
    """The two ends of a timed span."""

    BEFORE = 0
    AFTER = 1


@dataclass(frozen=True)
class Tick:
    """A simultaneous reading of two GPU clocks: the global timer (ns) and an SM's cycle counter."""

    global_ns: int
    cycles: int


@dataclass(frozen=True)
class Stamps:
    """The time stamps of a timed span of the queue.

    Attributes:
        elapsed_ns: nanoseconds from the event before the span to the event after it.
        before, after: readings of one SM's clocks, before the first and after the second event;
            all numbers are 0 if no SM was read both times.
        overdue: whether the queue's block ended at its deadline because `release` came too late;
            the sample is then invalid.
    """

    elapsed_ns: float
    before: Tick
    after: Tick
    overdue: bool = False


@runtime_checkable
class DeviceBackend(Backend, Protocol):
    """A backend with a queue.

    Of the methods that this class adds, only `synchronize` and `stamps` may wait for the queue.
    """

    def flush(self) -> None:
        """Queue work that fills the L2 cache with clean lines that no case uses."""
        ...

    def synchronize(self) -> None:
        """Wait until the queue is empty; raise the error of any queued work."""
        ...

    def block(self) -> None:
        """Queue a block, which stops all later queue entries until `release` or a deadline."""
        ...

    def release(self) -> None:
        """End the `block`, if there is one; never fails."""
        ...

    def probe(self, edge: Edge) -> None:
        """Queue a reading of the SMs' clocks, before or after the timed span."""
        ...

    def mark(self, edge: Edge) -> None:
        """Queue the event before or after the timed span."""
        ...

    def idle(self) -> None:
        """Queue a kernel that does nothing."""
        ...

    def stamps(self) -> Stamps:
        """The time stamps of the last timed span; call `synchronize` first."""
        ...
