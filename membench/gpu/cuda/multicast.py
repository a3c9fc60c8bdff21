"""Map memory of several GPUs to one address by the driver's multicast functions.

CuPy does not wrap these functions, so the module uses ctypes. The steps are:

1. Create a multicast object and add the devices to the object.
2. Bind memory of each device to the object.
3. Map the object, and each device's memory, to addresses that all devices may use.

Source: "Multicast Object Management" and "Virtual Memory Management" in the driver's manual.
Structures and constants are from cuda.h of CUDA 12 and 13.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import lcm
from typing import Any

from membench.core.errors import BackendUnavailable
from membench.gpu.cuda.driver import device_handle, explainer

_MULTICAST_SUPPORTED = 132  # CU_DEVICE_ATTRIBUTE_MULTICAST_SUPPORTED
_PINNED = 1  # CU_MEM_ALLOCATION_TYPE_PINNED
_ON_DEVICE = 1  # CU_MEM_LOCATION_TYPE_DEVICE
_READ_WRITE = 3  # CU_MEM_ACCESS_FLAGS_PROT_READWRITE
_RECOMMENDED = 1  # CU_MULTICAST_GRANULARITY_RECOMMENDED, CU_MEM_ALLOC_GRANULARITY_RECOMMENDED


class _Location(ctypes.Structure):
    _fields_ = (("type", ctypes.c_int), ("id", ctypes.c_int))


class _Allocation(ctypes.Structure):
    """The driver's ``CUmemAllocationProp``."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("handle_types", ctypes.c_int),
        ("location", _Location),
        ("win32", ctypes.c_void_p),
        ("flags", ctypes.c_ubyte * 8),
    )


class _Object(ctypes.Structure):
    """The driver's ``CUmulticastObjectProp``."""

    _fields_ = (
        ("devices", ctypes.c_uint),
        ("size", ctypes.c_size_t),
        ("handle_types", ctypes.c_ulonglong),
        ("flags", ctypes.c_ulonglong),
    )


class _Access(ctypes.Structure):
    """The driver's ``CUmemAccessDesc``."""

    _fields_ = (("location", _Location), ("flags", ctypes.c_int))


@dataclass(frozen=True)
class MulticastMemory:
    """Memory on several GPUs with one common address.

    Attributes:
        address: address of the multicast object, for multimem instructions only.
        each: the separate address of each GPU's memory, in the order of the request.
        size: mapped bytes per GPU, at least the requested size.
    """

    address: int
    each: tuple[int, ...]
    size: int
    free: Callable[[], None]


def multicast_memory(driver: Any, ordinals: Sequence[int], size: int) -> MulticastMemory:
    """``size`` bytes on each of CUDA's devices ``ordinals``, with one common address.

    Raises:
        BackendUnavailable: the driver or a device does not support multicast, or a step fails.
    """
    return _Maker(driver, ordinals).make(size)


class _Maker:
    """Builds one multicast object, and can undo the steps in reverse order."""

    def __init__(self, driver: Any, ordinals: Sequence[int]) -> None:
        self._driver = driver
        self._explain = explainer(driver)
        self._undo: list[Callable[[], None]] = []
        if getattr(driver, "cuMulticastCreate", None) is None:
            raise BackendUnavailable("the driver has no multicast objects (cuMulticastCreate)")
        self._devices = [self._device(ordinal) for ordinal in ordinals]

    def _device(self, ordinal: int) -> int:
        device = device_handle(self._driver, ordinal)
        found = ctypes.c_int(0)
        if device is not None:
            self._call(
                "cuDeviceGetAttribute",
                *(ctypes.byref(found), ctypes.c_int(_MULTICAST_SUPPORTED), ctypes.c_int(device)),
            )
        if device is None or not found.value:
            raise BackendUnavailable(
                f"GPU {ordinal} does not support multicast: multicast needs an NVLink switch"
            )
        return device

    def make(self, size: int) -> MulticastMemory:
        """Build the object with ``size`` bytes per GPU. If a step fails, undo the earlier steps."""
        try:
            wished = _Object(devices=len(self._devices), size=size)
            grain = lcm(
                self._grain("cuMulticastGetGranularity", wished),
                *(self._grain("cuMemGetAllocationGranularity", _on(one)) for one in self._devices),
            )
            wished.size = -(-size // grain) * grain
            shared = self._handle("cuMulticastCreate", ctypes.byref(wished))
            for device in self._devices:
                self._call("cuMulticastAddDevice", shared, ctypes.c_int(device))
            each = [self._bound(shared, one, wished.size, grain) for one in self._devices]
            address = self._mapped(shared, wished.size, grain)
        except BackendUnavailable:
            self._free()
            raise
        return MulticastMemory(address, tuple(each), wished.size, self._free)

    def _grain(self, function: str, properties: ctypes.Structure) -> int:
        found = ctypes.c_size_t(0)
        self._call(
            function,
            *(ctypes.byref(found), ctypes.byref(properties), ctypes.c_int(_RECOMMENDED)),
        )
        return found.value or 1

    def _bound(self, shared: ctypes.c_ulonglong, device: int, size: int, grain: int) -> int:
        """Bind new memory of ``device`` to the multicast object; return the memory's address."""
        memory = self._handle(
            "cuMemCreate",
            *(ctypes.c_size_t(size), ctypes.byref(_on(device)), ctypes.c_ulonglong(0)),
        )
        whole = (ctypes.c_size_t(0), ctypes.c_size_t(size))
        self._call(
            "cuMulticastBindMem",
            *(shared, whole[0], memory, *whole, ctypes.c_ulonglong(0)),
        )
        self._later("cuMulticastUnbind", shared, ctypes.c_int(device), *whole)
        return self._mapped(memory, size, grain)

    def _mapped(self, handle: ctypes.c_ulonglong, size: int, grain: int) -> int:
        """Map ``handle`` and return an address that every device may use."""
        address, length, none = ctypes.c_ulonglong(0), ctypes.c_size_t(size), ctypes.c_ulonglong(0)
        self._call(
            "cuMemAddressReserve",
            *(ctypes.byref(address), length, ctypes.c_size_t(grain), none, none),
        )
        self._later("cuMemAddressFree", address, length)
        self._call("cuMemMap", address, length, ctypes.c_size_t(0), handle, none)
        self._later("cuMemUnmap", address, length)
        allowed = (_Access * len(self._devices))(
            *(_Access(_Location(_ON_DEVICE, device), _READ_WRITE) for device in self._devices)
        )
        self._call("cuMemSetAccess", address, length, allowed, ctypes.c_size_t(len(self._devices)))
        return address.value

    def _handle(self, function: str, *arguments: Any) -> ctypes.c_ulonglong:
        made = ctypes.c_ulonglong(0)
        self._call(function, ctypes.byref(made), *arguments)
        self._later("cuMemRelease", made)
        return made

    def _later(self, function: str, *arguments: Any) -> None:
        self._undo.append(lambda: self._call(function, *arguments))

    def _free(self) -> None:
        while self._undo:
            self._undo.pop()()

    def _call(self, function: str, *arguments: Any) -> None:
        if status := getattr(self._driver, function)(*arguments):
            raise BackendUnavailable(f"{function} failed: {self._explain(status)}")


def _on(device: int) -> _Allocation:
    return _Allocation(type=_PINNED, location=_Location(_ON_DEVICE, device))
