"""NVIDIA's driver by ctypes, for what CuPy does not wrap, or wraps so that it cannot be used."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from membench.core.errors import BackendUnavailable

LIBRARY = "libcuda.so.1"


def open_driver(library: str = LIBRARY) -> Any:
    """The driver's library.

    Raises:
        BackendUnavailable: there is none.
    """
    try:
        return ctypes.CDLL(library)
    except OSError as error:
        raise BackendUnavailable(f"the NVIDIA driver cannot be loaded: {error}") from error


def explainer(driver: Any) -> Callable[[int], str]:
    """What gives the name of a CUresult."""

    def explain(status: int) -> str:
        name = ctypes.c_char_p()
        ask = getattr(driver, "cuGetErrorName", None)
        if ask is None or ask(ctypes.c_int(status), ctypes.byref(name)) or name.value is None:
            return f"error {status}"
        return name.value.decode()

    return explain


def device_handle(driver: Any, ordinal: int) -> int | None:
    """The driver's handle of CUDA's device ``ordinal``; None where there is no such device."""
    device = ctypes.c_int()
    if driver.cuDeviceGet(ctypes.byref(device), ctypes.c_int(ordinal)):
        return None
    return device.value
