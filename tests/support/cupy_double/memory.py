"""Emulated memory at real addresses, so that the host can access it through pointers."""

from __future__ import annotations

import ctypes
import mmap
from functools import cache

import numpy as np
import numpy.typing as npt
from emulator.memory import BASE, DeviceMemory
from emulator.scalars import RAW

CAPACITY = 1 << 30
_FIXED_NOREPLACE = 0x100000  # Linux, <linux/mman.h>
_NORESERVE = 0x4000

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = (
    *(ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int),
    *(ctypes.c_int, ctypes.c_long),
)
_libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


@cache
def _mapped() -> npt.NDArray[np.uint8]:
    """`CAPACITY` bytes mapped at `BASE`.

    The mapping remains until the process ends, because views may remain.
    """
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NORESERVE | _FIXED_NOREPLACE
    found = _libc.mmap(BASE, CAPACITY, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)
    if found != BASE:
        raise OSError(ctypes.get_errno(), f"no memory can be mapped at 0x{BASE:x}")
    return np.ctypeslib.as_array((ctypes.c_uint8 * CAPACITY).from_address(BASE))


class TrueMemory(DeviceMemory):
    """The emulator's memory at real addresses. A process may have only one instance at a time."""

    _taken = False

    def __init__(self) -> None:
        assert not TrueMemory._taken, "another one is in use"
        super().__init__(CAPACITY)
        TrueMemory._taken = True
        self._data = _mapped()
        self.cells = {n: self._data.view(kind) for n, kind in RAW.items()}

    def owns(self, address: int) -> bool:
        """Whether ``address`` is in the emulated memory."""
        return BASE <= address < BASE + CAPACITY

    def close(self) -> None:
        """Allow another `TrueMemory` to be created."""
        _libc.madvise(BASE, CAPACITY, mmap.MADV_DONTNEED)
        TrueMemory._taken = False
