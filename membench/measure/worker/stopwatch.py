"""Ways to time work: by stamps of its own kernels, or by events in a queue."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Protocol

from membench.core.backend import Backend, DeviceBackend, HostBackend
from membench.core.errors import MembenchError
from membench.core.work import Timed
from membench.measure.worker.span import Span, time_span

QUEUE_LIMIT = 64
"""Most launches behind a block: the host would wait for a full launch queue, and the queue for the
host.
"""

FLOOR_SAMPLES = 21
"""Empty launches over which the floor's median is taken."""


class Stopwatch(Protocol):
    """Times spans of one piece of work.

    Attributes:
        timer: name of the clock.
        step_ns: the shortest span that it can resolve.
        most: most iterations of one span.
    """

    @property
    def timer(self) -> str: ...

    @property
    def step_ns(self) -> float: ...

    @property
    def most(self) -> float: ...

    def warm(self) -> Span | None:
        """Run once, so that everything is loaded; returns the span if it is as good as another."""
        ...

    def span(self, iterations: int) -> Span:
        """Run ``iterations`` and time them."""
        ...


@dataclass(frozen=True)
class HostStopwatch:
    """The stamps of host kernels."""

    backend: HostBackend
    work: Timed

    @property
    def timer(self) -> str:
        return self.backend.timer

    @property
    def step_ns(self) -> float:
        """The resolution of the clock."""
        return self.backend.resolution_ns

    @property
    def most(self) -> float:
        """One, where the work cannot be batched."""
        return float("inf") if self.work.batchable else 1

    def warm(self) -> Span:
        return self.span(1)

    def span(self, iterations: int) -> Span:
        """The time between the first stamp and the last."""
        return Span(self.backend.elapsed_ns(self.work.run, iterations))


@dataclass(frozen=True)
class DeviceStopwatch:
    """Events in a device's queue, in the measuring order.

    Attributes:
        floor_ns: time of an empty launch between two events.
        may_hold: whether the queue may be held while the host fills it.
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
        """The resolution of the events, or an empty launch, whichever is longer."""
        return max(self.device.resolution_ns, self.floor_ns)

    @property
    def most(self) -> float:
        """One if every sample begins cold; the capacity of a held queue if it may be held."""
        if self.work.cold or not self.work.batchable:
            return 1
        if not self.work.may_block:
            return float("inf")
        return max(1, QUEUE_LIMIT // self.work.launches)

    def warm(self) -> None:
        """A first run, which must not be held: loading code waits for the device."""
        time_span(self.device, self.work.run, 1, hold=False)

    def span(self, iterations: int) -> Span:
        """The time between the two events."""
        fits = iterations * self.work.launches <= QUEUE_LIMIT
        return time_span(
            self.device,
            self.work.run,
            iterations,
            cold=self.work.cold,
            hold=self.may_hold and self.work.may_block and fits,
        )


class Stopwatches:
    """The stopwatches of one process; the launch floor of a device is measured once.

    Args:
        hold: hold a device's queue while it is filled. Under a tool that serialises launches
            (compute-sanitizer, ncu, CUDA_LAUNCH_BLOCKING) it would be held until its deadline.
    """

    def __init__(self, *, hold: bool = True) -> None:
        self._hold = hold
        self._floors: dict[int, float] = {}

    def stopwatch(self, backend: Backend, work: Timed) -> Stopwatch:
        """The stopwatch for ``work`` on ``backend``.

        Raises:
            MembenchError: the backend cannot time anything.
        """
        if isinstance(backend, DeviceBackend):
            return DeviceStopwatch(backend, work, self.floor_ns(backend), self._hold)
        if isinstance(backend, HostBackend):
            return HostStopwatch(backend, work)
        raise MembenchError(f"the backend {backend.describe().backend} has no clock")

    def floor_ns(self, device: DeviceBackend) -> float:
        """Median time of an empty launch, event to event, in a queue that is held if allowed."""
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
