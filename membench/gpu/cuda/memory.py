"""Memory from CUDA's allocators, not from CuPy's pools.

CuPy's pools round sizes up, and reuse memory whose lines may still be in a cache.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cached_property

import cupy
import numpy as np
import numpy.typing as npt

from membench.core.units import about_size
from membench.gpu.cuda.errors import explained
from membench.gpu.protocol import Buffer

HOST_FLAGS = {"pinned": 2, "wc": 6}
"""Kind of host memory -> flags of cudaHostAlloc: Mapped, and WriteCombined for ``wc``."""


@dataclass(frozen=True)
class DeviceMemory:
    address: int
    size: int


@dataclass(frozen=True)
class HostMemory:
    """Page-locked host memory. The device uses the same address as the host."""

    address: int
    size: int

    @cached_property
    def array(self) -> npt.NDArray[np.uint8]:
        return np.ctypeslib.as_array((ctypes.c_uint8 * self.size).from_address(self.address))


def device_memory(size: int) -> DeviceMemory:
    with explained(f"{about_size(size)} of GPU memory cannot be allocated"):
        return DeviceMemory(cupy.cuda.runtime.malloc(size), size)


def host_memory(size: int, kind: str) -> HostMemory:
    """``size`` bytes of page-locked host memory; ``kind`` is one of `HOST_FLAGS`."""
    with explained(f"{about_size(size)} of host memory ({kind}) cannot be allocated"):
        return HostMemory(cupy.cuda.runtime.hostAlloc(size, HOST_FLAGS[kind]), size)


def give_back(memory: DeviceMemory | HostMemory) -> None:
    kind = "host" if isinstance(memory, HostMemory) else "GPU"
    with explained(f"{kind} memory cannot be freed"):
        if isinstance(memory, HostMemory):
            cupy.cuda.runtime.freeHost(memory.address)
        else:
            cupy.cuda.runtime.free(memory.address)


def copy_and_wait(target: int, source: int, size: int, what: str) -> None:
    """Copy between addresses of host or device, and wait; ``what`` begins an error message."""
    with explained(what):
        cupy.cuda.runtime.memcpy(target, source, size, cupy.cuda.runtime.memcpyDefault)


def check_within(buffer: Buffer, offset: int, size: int) -> None:
    """Raise `ValueError` if ``size`` bytes at ``offset`` are not within ``buffer``."""
    if offset < 0 or offset + size > buffer.size:
        raise ValueError(
            f"{size} bytes at offset {offset} are not within a buffer of {buffer.size} bytes"
        )
