"""Records the clock readings of a real device, so that tests can replay them on any machine.

If the environment has ``MEMBENCH_RECORDING=FILE``, a worker appends a line of JSON to FILE
whenever it has timed a case on a device.
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
"""Environment variable with the path of the recording."""

SCHEMA = "membench.recording/1"


@dataclass(frozen=True)
class Declared:
    """The attributes of a `Timed` that a replay needs."""

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
    """One line of a recording. Some ``stamps`` are from the warm-up or from the launch floor."""

    request: RoundRequest
    unit: CaseResult
    work: Declared
    resolution_ns: float
    stamps: tuple[Stamps, ...]


class RecordingDevice:
    """A device backend that also records the stamps that it returns."""

    def __init__(self, device: DeviceBackend) -> None:
        self._device = device
        self.work: Declared | None = None
        self.taken: list[Stamps] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._device, name)

    def stamps(self) -> Stamps:
        stamps = self._device.stamps()
        self.taken.append(stamps)
        return stamps


# Since Python 3.12, isinstance checks of protocols ignore `__getattr__`.
DeviceBackend.register(RecordingDevice)


def recorded(backend: Backend, environ: Mapping[str, str] = os.environ) -> Backend:
    """``backend``, wrapped to record its stamps if it is a device and recording is on."""
    if VARIABLE in environ and isinstance(backend, DeviceBackend):
        return RecordingDevice(backend)
    return backend


def remember(backend: Backend, work: Timed) -> None:
    """If ``backend`` records, record the attributes of ``work``, which will be timed next."""
    if isinstance(backend, RecordingDevice):
        backend.work = Declared(**{one.name: getattr(work, one.name) for one in fields(Declared)})


def keep(
    request: RoundRequest,
    unit: CaseResult,
    backend: Backend,
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Append a line for ``unit`` to the recording if ``backend`` recorded timed work."""
    if not isinstance(backend, RecordingDevice):
        return
    stamps, work = tuple(backend.taken), backend.work
    backend.taken.clear()
    backend.work = None
    if work is None:  # the work timed itself, or ended before the timing
        return
    line = dump(Recorded(request, unit, work, backend.resolution_ns, stamps))
    with Path(environ[VARIABLE]).open("a", encoding="ascii") as file:
        file.write(json.dumps({"schema": SCHEMA, **line}, separators=(",", ":")) + "\n")
