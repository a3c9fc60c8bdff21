"""What the installed CuPy says to a call before it finds that there is no driver."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cupy

NO_DRIVER = 35  # cudaErrorInsufficientDriver
_NO_LIBRARY = "CuPy failed to load libcuda.so.1"

RuntimeFailure = cupy.cuda.runtime.CUDARuntimeError


class DriverFailure(RuntimeError):
    """In the place of CuPy's `CUDADriverError`, which asks the driver for the error's name."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"CUDA_ERROR {status}")


def no_driver() -> bool:
    """Whether this machine has none: else these calls would reach it."""
    return int(cupy.cuda.runtime.driverGetVersion()) == 0


def ask(function: Callable[..., Any], *args: Any) -> None:
    """Call CuPy itself; whatever it minds but the missing driver goes on to the caller."""
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
