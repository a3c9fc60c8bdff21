"""Calls of NVIDIA's driver through ctypes, where CuPy's wrapper is missing or not suitable."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from membench.core.errors import BackendUnavailable

LIBRARY = "libcuda.so.1"

_CLUSTER_DIMENSION = 4  # CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION


class _Attribute(ctypes.Structure):
    """The driver's ``CUlaunchAttribute``; the union of 64 bytes contains cluster dimensions."""

    _fields_ = (
        ("id", ctypes.c_int),
        ("pad", ctypes.c_char * 4),
        ("cluster", ctypes.c_uint * 3),
        ("rest", ctypes.c_char * 52),
    )


class _Config(ctypes.Structure):
    _fields_ = (
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared", ctypes.c_uint),
        ("stream", ctypes.c_void_p),
        ("attributes", ctypes.POINTER(_Attribute)),
        ("count", ctypes.c_uint),
    )


def open_driver(library: str = LIBRARY) -> Any:
    """Load the driver's library.

    Raises:
        BackendUnavailable: there is no driver library.
    """
    try:
        return ctypes.CDLL(library)
    except OSError as error:
        raise BackendUnavailable(f"the NVIDIA driver cannot be loaded: {error}") from error


def explainer(driver: Any) -> Callable[[int], str]:
    """A function that returns the name of a CUresult, such as ``CUDA_ERROR_INVALID_VALUE``."""

    def explain(status: int) -> str:
        name = ctypes.c_char_p()
        ask = getattr(driver, "cuGetErrorName", None)
        if ask is None or ask(ctypes.c_int(status), ctypes.byref(name)) or name.value is None:
            return f"error {status}"
        return name.value.decode()

    return explain


def resident_clusters(driver: Any, function: int, size: int, block: int, shared: int) -> int:
    """How many clusters of ``size`` blocks, each with ``block`` threads, the device runs at once.

    Args:
        function: a ``CUfunction``.
        shared: dynamic shared memory per block in bytes.

    Raises:
        BackendUnavailable: the driver is older than CUDA 11.8, or cannot place such clusters.
    """
    ask = getattr(driver, "cuOccupancyMaxActiveClusters", None)
    if ask is None:
        raise BackendUnavailable(
            "the driver does not support clusters (cuOccupancyMaxActiveClusters)"
        )
    attribute = _Attribute(id=_CLUSTER_DIMENSION, cluster=(size, 1, 1))
    config = _Config(
        grid=(size, 1, 1),
        block=(block, 1, 1),
        shared=shared,
        attributes=ctypes.pointer(attribute),
        count=1,
    )
    found = ctypes.c_int(0)
    status = ask(ctypes.byref(found), ctypes.c_void_p(function), ctypes.byref(config))
    if status:
        raise BackendUnavailable(
            f"the driver cannot place clusters of {size} blocks: {explainer(driver)(status)}"
        )
    return found.value


def device_handle(driver: Any, ordinal: int) -> int | None:
    """The driver's handle for CUDA's device ``ordinal``; None if there is no such device."""
    device = ctypes.c_int()
    if driver.cuDeviceGet(ctypes.byref(device), ctypes.c_int(ordinal)):
        return None
    return device.value
