"""Control the placement of managed memory by the driver's prefetch and advice functions.

CuPy for CUDA 13 cannot select the host as a target: ``memPrefetchAsync`` and ``memAdvise`` of CuPy
treat every location as a GPU (runtime.pyx of CuPy 14.0 to 14.2). So this module calls two functions
that every driver has since CUDA 8.0::

    cuMemPrefetchAsync(CUdeviceptr, size_t, CUdevice, CUstream)
    cuMemAdvise(CUdeviceptr, size_t, CUmem_advise, CUdevice)
"""

from __future__ import annotations

import ctypes
from typing import Any

from membench.core.errors import BackendUnavailable
from membench.gpu.cuda.driver import device_handle, open_driver

ADVICE = {"read-mostly": 1, "prefer-host": 3, "accessed-by": 5}
"""Values of CUmem_advise, by the name of the advice."""

_HOST = -1  # CU_DEVICE_CPU


class ManagedMemory:
    """Prefetch and advice for managed memory, between one GPU and the host.

    Args:
        ordinal: CUDA's ordinal of the GPU.

    Raises:
        BackendUnavailable: there is no driver, or no GPU with this ordinal.
    """

    def __init__(self, ordinal: int, driver: Any = None) -> None:
        self._driver = driver or open_driver()
        device = device_handle(self._driver, ordinal)
        if device is None:
            raise BackendUnavailable(f"the driver does not list GPU {ordinal}")
        self._device = device

    def prefetch(self, address: int, size: int, stream: int, *, to_host: bool) -> int:
        """Queue on ``stream`` a move of ``size`` bytes at ``address`` to the host or to the GPU.

        Returns a CUresult.
        """
        return int(
            self._driver.cuMemPrefetchAsync(
                ctypes.c_uint64(address),
                ctypes.c_size_t(size),
                ctypes.c_int(_HOST if to_host else self._device),
                ctypes.c_void_p(stream),
            )
        )

    def advise(self, address: int, size: int, advice: str) -> int:
        """Apply one of `ADVICE` to ``size`` bytes at ``address`` immediately.

        Returns a CUresult.
        """
        return int(
            self._driver.cuMemAdvise(
                ctypes.c_uint64(address),
                ctypes.c_size_t(size),
                ctypes.c_int(ADVICE[advice]),
                ctypes.c_int(_HOST if advice == "prefer-host" else self._device),
            )
        )
