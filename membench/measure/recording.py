"""Keeping what a device really answered, so that the engine can be tested on it anywhere.

With ``MEMBENCH_RECORDING=FILE`` in the environment a worker appends one line
of JSON to FILE for each case that it timed on a device: the request, the unit
that came of it, and every `Stamps` in between, the launch floor's and the
warm-up's included.  Whoever plays it back gets the same unit, and an answer
that calls itself `replay`, which no results file takes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from membench.core.backend import Backend, DeviceBackend, Stamps
from membench.core.plain import dump
from membench.core.terms import BytesConvention, Metric
from membench.core.work import Timed
from membench.measure.rounds.protocol import RoundRequest
from membench.results.case_result import CaseResult

VARIABLE = "MEMBENCH_RECORDING"
"""Environment variable that names the file."""

SCHEMA = "membench.recording/1"


@dataclass(frozen=True)
class Declared:
    """What a `Timed` says of itself, beside what it does."""

    size_bytes: int
    metric: Metric
    bytes_moved: int
    operations: int
    bytes_convention: BytesConvention | None
    batchable: bool
    samples: int
    stop: str
    min_sample_s: float
    cold: bool
    may_block: bool
    launches: int


@dataclass(frozen=True)
class Recorded:
    """One line: a request, what it came to, and what that came from."""

    request: RoundRequest
    unit: CaseResult
    work: Declared
    resolution_ns: float
    stamps: tuple[Stamps, ...]


class RecordingDevice:
    """A device backend, and a note of all its stamps."""

    def __init__(self, device: DeviceBackend) -> None:
        self._device = device
        self.work: Declared | None = None
        self.taken: list[Stamps] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._device, name)

    def stamps(self) -> Stamps:
        """Those of the device, kept."""
        stamps = self._device.stamps()
        self.taken.append(stamps)
        return stamps


# From Python 3.12 on a protocol does not ask `__getattr__` what an object has.
DeviceBackend.register(RecordingDevice)


def recorded(backend: Backend, environ: Mapping[str, str] = os.environ) -> Backend:
    """``backend``, listened to if it is a device and somebody asked for a recording."""
    if VARIABLE in environ and isinstance(backend, DeviceBackend):
        return RecordingDevice(backend)
    return backend


def remember(backend: Backend, work: Timed) -> None:
    """Note what is about to be timed, if ``backend`` is listened to."""
    if isinstance(backend, RecordingDevice):
        backend.work = Declared(**{one.name: getattr(work, one.name) for one in fields(Declared)})


def keep(
    request: RoundRequest,
    unit: CaseResult,
    backend: Backend,
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Append the recording of ``unit``, if its ``backend`` was listened to."""
    if not isinstance(backend, RecordingDevice):
        return
    stamps, work = tuple(backend.taken), backend.work
    backend.taken.clear()
    backend.work = None
    if work is None:  # it timed itself, or did not come so far
        return
    line = dump(Recorded(request, unit, work, backend.resolution_ns, stamps))
    with Path(environ[VARIABLE]).open("a", encoding="ascii") as file:
        file.write(json.dumps({"schema": SCHEMA, **line}, separators=(",", ":")) + "\n")
