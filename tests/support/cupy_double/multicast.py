"""The driver's multicast objects on the double: one address for the memory of several GPUs."""

from __future__ import annotations

import ctypes
from typing import Any

from emulator.memory import Allocation

from cupy_double.device import Double

GRAIN = 4096


class MulticastEntries:
    """The driver functions for multicast.

    A reserved address is emulated memory; a mapping replaces this memory.
    """

    _double: Double

    def __init__(self) -> None:
        self._memories: dict[int, Allocation | None] = {}
        self._bound: list[int] = []
        self._reserved: dict[int, Allocation] = {}

    def cuDeviceGetAttribute(  # noqa: N802 - its name
        self, found: Any, attribute: ctypes.c_int, _device: ctypes.c_int
    ) -> int:
        assert attribute.value == 132
        found._obj.value = 1
        return 0

    def cuMulticastGetGranularity(self, found: Any, *_: Any) -> int:  # noqa: N802
        found._obj.value = GRAIN
        return 0

    cuMemGetAllocationGranularity = cuMulticastGetGranularity  # noqa: N815

    def cuMulticastCreate(self, handle: Any, _properties: Any) -> int:  # noqa: N802
        self._bound.clear()
        handle._obj.value = 1
        return 0

    def cuMulticastAddDevice(self, _handle: Any, _device: Any) -> int:  # noqa: N802
        return 0

    def cuMemCreate(self, handle: Any, *_: Any) -> int:  # noqa: N802
        handle._obj.value = number = 2 + len(self._memories)
        self._memories[number] = None
        return 0

    def cuMulticastBindMem(  # noqa: N802
        self, _object: Any, _at: Any, memory: ctypes.c_ulonglong, *_: Any
    ) -> int:
        self._bound.append(memory.value)
        return 0

    def cuMulticastUnbind(self, *_: Any) -> int:  # noqa: N802
        return 0

    def cuMemAddressReserve(self, address: Any, size: ctypes.c_size_t, *_: Any) -> int:  # noqa: N802
        made = self._double.memory.allocate(size.value, "memory behind a multicast")
        self._reserved[made.address] = made
        address._obj.value = made.address
        return 0

    def cuMemMap(  # noqa: N802
        self,
        address: ctypes.c_ulonglong,
        _size: Any,
        _offset: Any,
        handle: ctypes.c_ulonglong,
        _flags: Any,
    ) -> int:
        here = self._reserved[address.value]
        if handle.value in self._memories:
            self._memories[handle.value] = here
            return 0
        each = tuple(one for one in map(self._memories.get, self._bound) if one is not None)
        assert len(each) == self._double.gpus
        self._double.memory.free(self._reserved.pop(address.value))  # no plain accesses allowed
        self._double.memory.multicast(each, address.value)
        return 0

    def cuMemSetAccess(self, *_: Any) -> int:  # noqa: N802
        return 0

    def cuMemUnmap(self, *_: Any) -> int:  # noqa: N802
        return 0

    def cuMemAddressFree(self, address: ctypes.c_ulonglong, _size: Any) -> int:  # noqa: N802
        if (made := self._reserved.pop(address.value, None)) is not None:
            self._double.memory.free(made)
        return 0

    def cuMemRelease(self, _handle: Any) -> int:  # noqa: N802
        return 0
