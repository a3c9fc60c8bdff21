"""A backend that replays the recorded answers of a device."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from membench.core.backend import Device, Edge, Stamps
from membench.core.case import Bench
from membench.core.plain import load
from membench.core.work import Timed
from membench.measure.recording import SCHEMA, Recorded
from membench.measure.rounds.protocol import RoundRequest
from membench.results.case_result import CaseResult


def read_recording(path: Path) -> tuple[Recorded, ...]:
    """The records in a file. The name of a compressed file ends with ``.gz``."""
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("ascii")
    lines = [json.loads(line) for line in text.splitlines()]
    assert {line.pop("schema") for line in lines} == {SCHEMA}
    return tuple(load(Recorded, line) for line in lines)


class ReplayBackend:
    """A `DeviceBackend` that measures nothing. The time stamps come from a recording, in order.

    A request raises an error if the recording does not contain the request next.
    """

    timer = "replay"
    kernel_digest = "0"

    def __init__(self, recording: Iterable[Recorded]) -> None:
        recording = tuple(recording)
        self.resolution_ns = recording[0].resolution_ns
        self._device = recording[0].unit.device
        self._stamps = iter([stamps for line in recording for stamps in line.stamps])

    def describe(self) -> Device:
        return Device("replay", self._device)

    def stamps(self) -> Stamps:
        found = next(self._stamps, None)
        assert found is not None, "the recording ends here"
        return found

    def flush(self) -> None: ...
    def synchronize(self) -> None: ...
    def block(self) -> None: ...
    def release(self) -> None: ...
    def probe(self, edge: Edge) -> None: ...
    def mark(self, edge: Edge) -> None: ...
    def idle(self) -> None: ...
    def reclaim(self) -> None: ...
    def close(self) -> None: ...


def bench_of(recorded: Recorded, like: Bench) -> Bench:
    """A bench that declares the recorded work and does nothing."""
    declared: dict[str, Any] = dict(vars(recorded.work))

    def function(_backend: Any, **_params: Any) -> Timed:
        return Timed(run=lambda _iterations: None, **declared)

    function.__module__ = like.function.__module__
    return Bench(**{**vars(like), "name": recorded.request.case.bench, "function": function})


def replayed(
    recording: Iterable[Recorded], answer: Callable[..., CaseResult], like: Bench
) -> list[CaseResult]:
    """Send each recorded request to the engine again, and return the results."""
    from membench.measure.worker.stopwatch import Stopwatches

    recording = tuple(recording)
    backend, stopwatches = ReplayBackend(recording), Stopwatches()
    units = []
    for line in recording:
        benches = {line.request.case.bench: bench_of(line, like)}
        request: RoundRequest = line.request
        units.append(answer(request, benches, lambda _case: backend, stopwatches))
    return units
