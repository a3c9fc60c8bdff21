"""GPU memory sizes that NVML does not report, read from CUDA's driver in a child process.

The child process is needed because a process that has initialised CUDA keeps the driver's memory
allocated, and its forked children cannot use CUDA.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace

from membench.core.snapshot import Gpus
from membench.machine.gpus.nvml import hashed

DRIVER = "libcuda.so.1"
DEADLINE_S = 20.0
"""Maximum seconds that the child process may take; the driver initialises every GPU."""

# cuInit and queries create no CUDA context.
_ASK = """
import ctypes, json, sys, uuid
cuda = ctypes.CDLL(sys.argv[1])
found, count = [], ctypes.c_int()
if not cuda.cuInit(0) and not cuda.cuDeviceGetCount(ctypes.byref(count)):
    for number in range(count.value):
        device, size, raw = ctypes.c_int(), ctypes.c_size_t(), (ctypes.c_uint8 * 16)()
        if (
            not cuda.cuDeviceGet(ctypes.byref(device), number)
            and not cuda.cuDeviceGetUuid_v2(raw, device)
            and not cuda.cuDeviceTotalMem_v2(ctypes.byref(size), device)
        ):
            found.append([str(uuid.UUID(bytes=bytes(raw))), size.value])
print(json.dumps(found))
"""


def with_sizes_of_cuda(gpus: Gpus, driver: str = DRIVER) -> Gpus:
    """A copy of ``gpus`` in which CUDA supplies the memory sizes that NVML did not report."""
    if all(gpu.memory is not None for gpu in gpus.devices):
        return gpus
    sizes = _sizes(driver)
    return replace(
        gpus,
        devices=tuple(
            replace(gpu, memory=sizes.get(gpu.uuid)) if gpu.memory is None else gpu
            for gpu in gpus.devices
        ),
    )


def _sizes(driver: str) -> dict[str, int]:
    """Map the hashed UUID of each device to its memory size in bytes; empty if the query fails."""
    import json  # imported here because most machines need no child process
    import subprocess

    found: dict[str, int] = {}
    with suppress(OSError, ValueError, subprocess.SubprocessError):
        ran = subprocess.run(
            [sys.executable, "-I", "-c", _ASK, driver],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=DEADLINE_S,
            check=True,
        )
        for uuid, size in json.loads(ran.stdout):
            found |= {hashed(f"{kind}-{uuid}"): int(size) for kind in ("GPU", "MIG") if size}
    return found
