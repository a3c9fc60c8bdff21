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
"""Flags of cudaHostAlloc, by kind of host memory.

All kinds have cudaHostAllocMapped. ``wc`` also has cudaHostAllocWriteCombined.
"""


@dataclass(frozen=True)
class DeviceMemory:
    """An allocation of device memory, valid until membench frees the memory."""

    address: int
    size: int


@dataclass(frozen=True)
class HostMemory:
    """Page-locked host memory, valid until membench frees the memory.

    The device uses the same address as the host.
    """

    address: int
    size: int

    @cached_property
    def array(self) -> npt.NDArray[np.uint8]:
        """The memory as a NumPy array on the host."""
        return np.ctypeslib.as_array((ctypes.c_uint8 * self.size).from_address(self.address))


def device_memory(size: int) -> DeviceMemory:
    """A separate allocation of ``size`` bytes of device memory."""
    with explained(f"{about_size(size)} of GPU memory cannot be allocated"):
        return DeviceMemory(cupy.cuda.runtime.malloc(size), size)


def host_memory(size: int, kind: str) -> HostMemory:
    """A separate allocation of ``size`` bytes of host memory; ``kind`` is one of `HOST_FLAGS`."""
    with explained(f"{about_size(size)} of {kind} memory cannot be allocated"):
        return HostMemory(cupy.cuda.runtime.hostAlloc(size, HOST_FLAGS[kind]), size)


def give_back(memory: DeviceMemory | HostMemory) -> None:
    with explained("GPU memory cannot be freed"):
        if isinstance(memory, HostMemory):
            cupy.cuda.runtime.freeHost(memory.address)
        else:
            cupy.cuda.runtime.free(memory.address)


def copy_and_wait(target: int, source: int, size: int, what: str) -> None:
    """Copy ``size`` bytes between addresses of host or device, and wait for the end of the copy.

    ``what`` begins the message of an error.
    """
    with explained(what):
        cupy.cuda.runtime.memcpy(target, source, size, cupy.cuda.runtime.memcpyDefault)


def check_within(buffer: Buffer, offset: int, size: int) -> None:
    """Raise `ValueError` if ``size`` bytes at ``offset`` are not within ``buffer``."""
    if offset < 0 or offset + size > buffer.size:
        raise ValueError(
            f"{size} bytes at offset {offset} are not within a buffer of {buffer.size} bytes"
        )
