"""Times work with clocks that host kernels read, or with events in a device's queue."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Protocol

from membench.core.backend import Backend, DeviceBackend, HostBackend
from membench.core.errors import MembenchError
from membench.core.work import Timed
from membench.measure.worker.span import Span, time_span

QUEUE_LIMIT = 64
"""Maximum number of launches in a stopped queue.

If a stopped queue were full, the host and the queue would wait for each other.
"""

FLOOR_SAMPLES = 21
"""Number of empty launches whose median is the launch floor."""


class Stopwatch(Protocol):
    """Times spans of one piece of work.

    Attributes:
        timer: name of the clock.
        step_ns: the shortest span in nanoseconds that the stopwatch can resolve.
        most: maximum number of iterations per span.
    """

    @property
    def timer(self) -> str: ...

    @property
    def step_ns(self) -> float: ...

    @property
    def most(self) -> float: ...

    def warm(self) -> Span | None:
        """Run the work once, so that code is loaded and caches are warm.

        Returns the span if calibration may use it, otherwise None.
        """
        ...

    def span(self, iterations: int) -> Span:
        """Run ``iterations`` iterations and time them."""
        ...


@dataclass(frozen=True)
class HostStopwatch:
    """A stopwatch that uses the clock reads of host kernels."""

    backend: HostBackend
    work: Timed

    @property
    def timer(self) -> str:
        return self.backend.timer

    @property
    def step_ns(self) -> float:
        return self.backend.resolution_ns

    @property
    def most(self) -> float:
        return float("inf") if self.work.batchable else 1

    def warm(self) -> Span:
        return self.span(1)

    def span(self, iterations: int) -> Span:
        """The time from the first thread's start to the last thread's end."""
        return Span(self.backend.elapsed_ns(self.work.run, iterations))


@dataclass(frozen=True)
class DeviceStopwatch:
    """A stopwatch that uses events in a device's queue; see `membench.measure.worker.span`.

    Attributes:
        floor_ns: nanoseconds of an empty launch between two events.
    """

    device: DeviceBackend
    work: Timed
    floor_ns: float
    may_hold: bool = True

    @property
    def timer(self) -> str:
        return self.device.timer

    @property
    def step_ns(self) -> float:
        return max(self.device.resolution_ns, self.floor_ns)

    @property
    def most(self) -> float:
        if self.work.cold or not self.work.batchable:
            return 1
        if not self.work.may_block:
            return float("inf")
        return max(1, QUEUE_LIMIT // self.work.launches)

    def warm(self) -> None:
        """Run the work once without stopping the queue.

        The first run loads code and waits for the device. A stopped queue would then reach its
        deadline.
        """
        time_span(self.device, self.work.run, 1, hold=False)

    def span(self, iterations: int) -> Span:
        fits = iterations * self.work.launches <= QUEUE_LIMIT
        return time_span(
            self.device,
            self.work.run,
            iterations,
            cold=self.work.cold,
            hold=self.may_hold and self.work.may_block and fits,
        )


class Stopwatches:
    """The stopwatches of one process.

    Args:
        hold: whether a device starts only after all its work is queued. It must be False under a
            tool that serialises launches (compute-sanitizer, ncu, CUDA_LAUNCH_BLOCKING). Otherwise
            the device would wait until the deadline.
    """

    def __init__(self, *, hold: bool = True) -> None:
        self._hold = hold
        self._floors: dict[int, float] = {}

    def stopwatch(self, backend: Backend, work: Timed) -> Stopwatch:
        """The stopwatch for ``work`` on ``backend``.

        Raises:
            MembenchError: the backend has no clock.
        """
        if isinstance(backend, DeviceBackend):
            return DeviceStopwatch(backend, work, self.floor_ns(backend), self._hold)
        if isinstance(backend, HostBackend):
            return HostStopwatch(backend, work)
        raise MembenchError(f"the backend {backend.describe().backend} has no clock")

    def floor_ns(self, device: DeviceBackend) -> float:
        """Median nanoseconds of an empty launch between two events."""
        if id(device) not in self._floors:

            def empty(iterations: int) -> None:
                for _ in range(iterations):
                    device.idle()

            time_span(device, empty, 1, hold=False)
            spans = [
                time_span(device, empty, 1, hold=self._hold).elapsed_ns
                for _ in range(FLOOR_SAMPLES)
            ]
            self._floors[id(device)] = median(spans)
        return self._floors[id(device)]
