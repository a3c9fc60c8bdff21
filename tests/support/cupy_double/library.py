"""A double of ``libcuda.so.1``: the functions that the backend calls with ctypes, without CuPy."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from emulator.device import run_once

from cupy_double.device import Double
from cupy_double.multicast import MulticastEntries

UUIDS = tuple(bytes(range(16 * gpu, 16 * gpu + 16)) for gpu in range(8))
HANDLE = 40
"""The driver's handle of GPU 0; not 0, so that handles and ordinals are not confused."""

HOST = -1


class DriverLibrary(MulticastEntries):
    """The functions of ``libcuda.so.1``. Arguments are ctypes objects, as for a C library."""

    def __init__(self, double: Double) -> None:
        super().__init__()
        self._double = double
        self.places: list[int] = []
        """The requested locations of managed memory: `HOST`, or the handle of a GPU."""

    def cuDeviceGet(self, device: Any, ordinal: ctypes.c_int) -> int:  # noqa: N802 - its name
        if not 0 <= ordinal.value < self._double.gpus:
            return 101
        device._obj.value = HANDLE + ordinal.value
        return 0

    def cuDeviceGetUuid_v2(self, raw: Any, device: ctypes.c_int) -> int:  # noqa: N802
        raw[:] = UUIDS[device.value - HANDLE]
        return 0

    def cuOccupancyMaxActiveClusters(  # noqa: N802
        self, found: Any, function: ctypes.c_void_p, config: Any
    ) -> int:
        asked = config._obj
        size = asked.attributes[0].cluster[0]
        if size > 8 and function.value not in self._double.non_portable:
            return 912  # CUDA_ERROR_INVALID_CLUSTER_SIZE
        assert (asked.count, asked.attributes[0].id, asked.grid[0]) == (1, 4, size)
        found._obj.value = self._double.machine.clusters(size)
        return 0

    def cuMemPrefetchAsync(  # noqa: N802
        self,
        address: ctypes.c_uint64,
        size: ctypes.c_size_t,
        place: ctypes.c_int,
        stream: ctypes.c_void_p,
    ) -> int:
        self._double.memory.span(address.value, size.value, "prefetch")
        double, moved = self._double, size.value
        with double.lock:
            double.queue(stream.value or 0, lambda: run_once(lambda: double.pass_time(moved)))
        return self._lies(place)

    def cuMemAdvise(  # noqa: N802
        self,
        address: ctypes.c_uint64,
        size: ctypes.c_size_t,
        advice: ctypes.c_int,
        place: ctypes.c_int,
    ) -> int:
        self._double.memory.span(address.value, size.value, "advice")
        assert advice.value in (1, 3, 5)
        return self._lies(place)

    def _lies(self, place: ctypes.c_int) -> int:
        if place.value != HOST and not HANDLE <= place.value < HANDLE + self._double.gpus:
            return 101  # CUDA_ERROR_INVALID_DEVICE
        self.places.append(place.value)
        return 0


def batch_copy(double: Double) -> Callable[..., int]:
    """The double of the driver function ``cuMemcpyBatchAsync_v2``."""

    def words(pointer: ctypes.c_void_p, count: int) -> list[int]:
        assert pointer.value
        return list((ctypes.c_uint64 * count).from_address(pointer.value))

    def copy(
        dsts: ctypes.c_void_p,
        srcs: ctypes.c_void_p,
        sizes: ctypes.c_void_p,
        count: ctypes.c_size_t,
        _attributes: Any,
        _indices: Any,
        _how_many: Any,
        stream: ctypes.c_void_p,
    ) -> int:
        pieces = zip(*(words(each, count.value) for each in (dsts, srcs, sizes)), strict=True)
        with double.lock:
            for target, source, size in reversed(list(pieces)):  # the order is undefined
                double.queue_copy(stream.value or 0, target, source, size)
        return 0

    return copy
