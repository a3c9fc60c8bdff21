"""A device with a scripted clock: logs the queued work, and gives exact times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from membench.core.backend import Device, Edge, Stamps, Tick


@dataclass
class ScriptedDevice:
    """A `DeviceBackend` on which an iteration takes ``ns`` and an empty launch takes ``idle_ns``.

    Attributes:
        ghz: cycles per nanosecond.
        log: the requests, in order.
        on_work: called with the number of each iteration; may raise an error.
    """

    ns: float = 10_000.0
    idle_ns: float = 1_000.0
    resolution_ns: float = 500.0
    ghz: float = 1.5
    log: list[str] = field(default_factory=list)
    on_work: Callable[[int], None] = lambda _number: None
    overdue: bool = False
    held: bool = False
    timer: str = "scripted_event"
    kernel_digest: str = "0"
    closed: bool = False
    reclaimed: int = 0
    _now: float = 1e9
    _marks: dict[Edge, float] = field(default_factory=dict)
    _ticks: dict[Edge, Tick] = field(default_factory=dict)
    _done: int = 0

    def describe(self) -> Device:
        return Device("cuda", "a scripted GPU")

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            self._done += 1
            self.on_work(self._done)
            self._now += self.ns
            self.log.append("work")

    def flush(self) -> None:
        self.log.append("flush")
        self._now += 5_000

    def synchronize(self) -> None:
        assert not self.held, "the host waits for a queue that only the host can release"
        self.log.append("synchronize")

    def block(self) -> None:
        self.held = True
        self.log.append("block")

    def release(self) -> None:
        self.held = False
        self.log.append("release")

    def probe(self, edge: Edge) -> None:
        self._ticks[edge] = Tick(round(self._now), round(self._now * self.ghz))
        self.log.append(f"probe {edge.name.lower()}")

    def mark(self, edge: Edge) -> None:
        self._marks[edge] = self._now
        self.log.append(f"mark {edge.name.lower()}")

    def idle(self) -> None:
        self._now += self.idle_ns
        self.log.append("idle")

    def stamps(self) -> Stamps:
        assert self.log[-1] in ("synchronize", "release"), "the queue is not known to be empty"
        return Stamps(
            elapsed_ns=self._marks[Edge.AFTER] - self._marks[Edge.BEFORE],
            before=self._ticks[Edge.BEFORE],
            after=self._ticks[Edge.AFTER],
            overdue=self.overdue,
        )

    def reclaim(self) -> None:
        self.reclaimed += 1

    def close(self) -> None:
        self.closed = True
