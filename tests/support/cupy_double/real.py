"""Pass calls to the installed CuPy on a machine without a driver.

CuPy checks the arguments and fails because the driver is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cupy

NO_DRIVER = 35  # cudaErrorInsufficientDriver
_NO_LIBRARY = "CuPy failed to load libcuda.so.1"

RuntimeFailure = cupy.cuda.runtime.CUDARuntimeError


class DriverFailure(RuntimeError):
    """Replaces CuPy's `CUDADriverError`, whose constructor needs a driver."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"CUDA_ERROR {status}")


def no_driver() -> bool:
    """Whether this machine has no CUDA driver. With a driver, calls would have effects."""
    return int(cupy.cuda.runtime.driverGetVersion()) == 0


def ask(function: Callable[..., Any], *args: Any) -> None:
    """Call a function of CuPy.

    The error that the driver is missing is ignored. Every other error is raised.
    """
    try:
        function(*args)
    except RuntimeFailure as failure:
        if failure.status != NO_DRIVER:
            raise
    except RuntimeError as failure:
        if _NO_LIBRARY not in str(failure):
            raise
    else:
        raise AssertionError(f"{function} needs no driver: is there one?")
