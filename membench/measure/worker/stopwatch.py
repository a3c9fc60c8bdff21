"""Ways to time work: with stamps from its own kernels, or with events in a queue."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Protocol

from membench.core.backend import Backend, DeviceBackend, HostBackend
from membench.core.errors import MembenchError
from membench.core.work import Timed
from membench.measure.worker.span import Span, time_span

QUEUE_LIMIT = 64
"""Maximum launches behind a block.

With a full launch queue, the host would wait for the queue, and the queue for the host.
"""

FLOOR_SAMPLES = 21
"""Number of empty launches from which the median launch floor is computed."""


class Stopwatch(Protocol):
    """Times spans of one piece of work.

    Attributes:
        timer: name of the clock.
        step_ns: the shortest span that it can resolve, in nanoseconds.
        most: maximum iterations per span.
    """

    @property
    def timer(self) -> str: ...

    @property
    def step_ns(self) -> float: ...

    @property
    def most(self) -> float: ...

    def warm(self) -> Span | None:
        """Run once to load everything; return the span if it is as valid as later ones."""
        ...

    def span(self, iterations: int) -> Span:
        """Run ``iterations`` iterations and time them."""
        ...


@dataclass(frozen=True)
class HostStopwatch:
    """A stopwatch that uses the time stamps of host kernels."""

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
        """1 if the work cannot be batched, else unlimited."""
        return float("inf") if self.work.batchable else 1

    def warm(self) -> Span:
        return self.span(1)

    def span(self, iterations: int) -> Span:
        """The time between the first stamp and the last."""
        return Span(self.backend.elapsed_ns(self.work.run, iterations))


@dataclass(frozen=True)
class DeviceStopwatch:
    """A stopwatch that uses events in a device's queue; see `span`.

    Attributes:
        floor_ns: nanoseconds of an empty launch between two events.
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
        """The resolution of the events, or the time of an empty launch, whichever is longer."""
        return max(self.device.resolution_ns, self.floor_ns)

    @property
    def most(self) -> float:
        """1 if every sample begins cold; the capacity of the held queue if it may be held."""
        if self.work.cold or not self.work.batchable:
            return 1
        if not self.work.may_block:
            return float("inf")
        return max(1, QUEUE_LIMIT // self.work.launches)

    def warm(self) -> None:
        """Run once without holding the queue.

        The first run loads code, which waits for the device: with a held queue it would never end.
        """
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
        hold: whether to hold a device's queue while it is filled. Switch it off under a tool that
            serialises launches (compute-sanitizer, ncu, CUDA_LAUNCH_BLOCKING), because the queue
            would be held until its deadline.
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
        """Median nanoseconds of an empty launch between two events, in a held queue if allowed."""
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
