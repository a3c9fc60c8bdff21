"""The energy counter of a GPU, read from a stand-in for NVML."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from membench.core.errors import BackendUnavailable
from membench.machine.gpus.energy import energy_counter


class Nvml:
    """Two GPUs. Only the second GPU has an energy counter."""

    class NVMLError(Exception):
        pass

    def __init__(self) -> None:
        self.millijoules = 5_000

    def nvmlInit(self) -> None: ...  # noqa: N802 - NVML's names

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetUUID(self, handle: int) -> str | bytes:  # noqa: N802
        return b"GPU-b" if handle else "GPU-a"

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:  # noqa: N802
        if not handle:
            raise self.NVMLError("Not Supported")
        return self.millijoules


def hashed(uuid: str) -> str:
    return hashlib.sha256(uuid.encode()).hexdigest()[:12]


def test_joules_are_read_anew_each_time() -> None:
    nvml = Nvml()
    joules = energy_counter(hashed("GPU-b"), nvml)
    assert joules() == 5.0
    nvml.millijoules += 1_500
    assert joules() == 6.5


@pytest.mark.parametrize(
    ("uuid", "said"), [("GPU-a", "Not Supported"), ("MIG-c", "a MIG instance")]
)
def test_where_there_is_none_the_reason_is_said(uuid: str, said: str) -> None:
    with pytest.raises(BackendUnavailable, match=said):
        energy_counter(hashed(uuid), Nvml())


def test_a_library_that_does_not_start_is_said() -> None:
    class Dead(Nvml):
        def nvmlInit(self) -> None:  # noqa: N802
            raise self.NVMLError("Driver Not Loaded")

    nvml: Any = Dead()
    with pytest.raises(BackendUnavailable, match="Driver Not Loaded"):
        energy_counter(hashed("GPU-b"), nvml)
