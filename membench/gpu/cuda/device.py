"""Find a CUDA device by UUID, and read the device's properties from the driver."""

from __future__ import annotations

import ctypes
import hashlib
import uuid
from typing import Any

import cupy

from membench.core.errors import BackendUnavailable
from membench.gpu.cuda.driver import device_handle, open_driver
from membench.gpu.cuda.errors import unusable
from membench.gpu.protocol import Properties


def ordinal_of(uuid_hash: str) -> int:
    """CUDA's ordinal of the device whose hashed UUID in the snapshot is ``uuid_hash``.

    Raises:
        BackendUnavailable: CUDA does not list the device, or this process cannot use CUDA.
    """
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise unusable(error) from error
    for ordinal in range(count):
        if uuid_hash in uuid_hashes(ordinal):
            return ordinal
    raise BackendUnavailable(
        "CUDA does not list the GPU that NVML reports",
        "compare CUDA_VISIBLE_DEVICES with the list of 'nvidia-smi -L'",
    )


def uuid_hashes(ordinal: int) -> tuple[str, ...]:
    """Two hashes of a device's UUID in NVML's form: as a GPU, and as a MIG instance.

    The result is empty if the driver does not report the UUID.
    """
    # CuPy's getDeviceProperties cuts a UUID at the first zero byte.
    driver, raw = open_driver(), (ctypes.c_uint8 * 16)()
    device = device_handle(driver, ordinal)
    if device is None or driver.cuDeviceGetUuid_v2(raw, ctypes.c_int(device)):
        return ()
    text = str(uuid.UUID(bytes=bytes(raw)))
    return tuple(
        hashlib.sha256(f"{kind}-{text}".encode()).hexdigest()[:12] for kind in ("GPU", "MIG")
    )


def properties_of(ordinal: int) -> Properties:
    found: dict[str, Any] = cupy.cuda.runtime.getDeviceProperties(ordinal)
    return Properties(
        name=found["name"].decode(),
        arch=f"{found['major']}{found['minor']}",
        sms=found["multiProcessorCount"],
        l2_bytes=found["l2CacheSize"],
        shared_per_block=found["sharedMemPerBlockOptin"],
        shared_per_sm=found["sharedMemPerMultiprocessor"],
        threads_per_sm=found["maxThreadsPerMultiProcessor"],
        memory_bytes=found["totalGlobalMem"],
        memory_khz=found["memoryClockRate"],
        bus_bits=found["memoryBusWidth"],
        sm_khz=found["clockRate"],
        concurrent_managed=bool(found["concurrentManagedAccess"]),
        pageable_access=bool(found["pageableMemoryAccess"]),
        host_page_tables=bool(found["pageableMemoryAccessUsesHostPageTables"]),
    )
