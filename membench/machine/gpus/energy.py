"""The energy counter of a GPU, read through NVML."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from membench.core.errors import BackendUnavailable
from membench.machine.gpus.nvml import hashed, text


def energy_counter(uuid: str, nvml: Any = None) -> Callable[[], float]:
    """A function that returns the energy in joules that a GPU has used since its driver was loaded.

    The counter covers the whole board, including memory (nvmlDeviceGetTotalEnergyConsumption,
    supported since Volta). NVML updates it about ten times per second, so the energy over ten
    seconds has an error of about 1 %.

    Args:
        uuid: hash of the GPU's UUID, as in `GpuIdentity`.
        nvml: the bindings, which the function initialises; None to import pynvml.

    Raises:
        BackendUnavailable: nvidia-ml-py is not installed, NVML cannot be used, or this GPU has no
            energy counter.
    """
    if nvml is None:
        try:
            nvml = importlib.import_module("pynvml")
        except ImportError:
            raise BackendUnavailable("nvidia-ml-py is not installed") from None
    try:
        nvml.nvmlInit()
        handle = _handle(nvml, uuid)
        nvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except nvml.NVMLError as error:
        raise BackendUnavailable(
            f"NVML cannot read an energy counter of this GPU: {error}"
        ) from None
    return lambda: float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3


def _handle(nvml: Any, uuid: str) -> Any:
    for index in range(nvml.nvmlDeviceGetCount()):
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        if hashed(text(nvml.nvmlDeviceGetUUID(handle))) == uuid:
            return handle
    # NVML's list of GPUs contains no MIG instances. Only a whole board has an energy counter.
    raise BackendUnavailable(
        "NVML lists no GPU with this UUID; a MIG instance has no energy counter"
    )
