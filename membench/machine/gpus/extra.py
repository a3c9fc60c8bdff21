"""Print the extra for this machine's driver: ``python3 -m membench.machine.gpus.extra``.

The output is ``[cuda12]``, ``[cuda13]``, or nothing if no GPU can be used. It completes a
requirement: ``pip install ".$(python3 -m membench.machine.gpus.extra)"``. The module runs before
any package is installed, so it uses only the standard library.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator

from membench.machine.gpus.cuda_stack import Version, wanted_extra

_LIBRARY = "libnvidia-ml.so.1"
_OK = 0


def found_extra() -> str:
    """The extra for the GPUs of this machine, such as ``cuda13``; empty if no GPU can be used."""
    try:
        nvml = ctypes.CDLL(_LIBRARY)
    except OSError:
        return ""
    if nvml.nvmlInitWithFlags(0) != _OK:
        return ""
    try:
        count = _count(nvml)
        return wanted_extra("", _cuda(nvml), list(_capabilities(nvml, count))) if count else ""
    finally:
        nvml.nvmlShutdown()


def _cuda(nvml: ctypes.CDLL) -> Version | None:
    number = ctypes.c_int()
    if nvml.nvmlSystemGetCudaDriverVersion(ctypes.byref(number)) != _OK:
        return None
    return number.value // 1000, number.value % 1000 // 10


def _count(nvml: ctypes.CDLL) -> int:
    count = ctypes.c_uint()
    return 0 if nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) != _OK else count.value


def _capabilities(nvml: ctypes.CDLL, count: int) -> Iterator[Version]:
    for index in range(count):
        device, major, minor = ctypes.c_void_p(), ctypes.c_int(), ctypes.c_int()
        if nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device)) == _OK:
            found = ctypes.byref(major), ctypes.byref(minor)
            if nvml.nvmlDeviceGetCudaComputeCapability(device, *found) == _OK:
                yield major.value, minor.value


if __name__ == "__main__":
    extra = found_extra()
    sys.stdout.write(f"[{extra}]\n" if extra else "")
