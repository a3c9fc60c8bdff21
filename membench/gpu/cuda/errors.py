"""The meaning of CUDA's errors: which of them end a process, and what to do about the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cupy

from membench.core.errors import BackendUnavailable, DeviceLost, MembenchError
from membench.core.installing import install_extra

# cudaError_t after which a context answers nothing any more (driver_types.h: "leaves the process
# in an inconsistent state").
_STICKY = frozenset({214, 220, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 721, 999})

# cudaError_t of a machine that CUDA cannot work on, and what to do (driver_types.h).
_UNUSABLE = {
    35: "the driver is older than CuPy's CUDA: update it, or {cuda12}",
    100: "no device is visible: look at CUDA_VISIBLE_DEVICES and at the container's devices",
    101: "the device number does not exist: look at CUDA_VISIBLE_DEVICES",
    46: "another process has the GPU for itself: end it, or ask for the mode 'default'",
    802: "the fabric manager is not ready yet: wait, or see its log",
    803: "the driver's library and its kernel module differ: reboot",
    804: "this GPU cannot use a newer CUDA than its driver: {cuda12}",
}


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Convert CuPy's exceptions to ours; an error that spoils the process becomes `DeviceLost`."""
    try:
        yield
    except (cupy.cuda.runtime.CUDARuntimeError, cupy.cuda.driver.CUDADriverError) as error:
        if error.status in _STICKY:
            raise DeviceLost(f"{what}: {error}") from error
        raise MembenchError(f"{what}: {error}") from error


def check(status: int) -> None:
    """Raise CuPy's own exception if a CUresult is an error."""
    if status:
        raise cupy.cuda.driver.CUDADriverError(status)


def unusable(error: cupy.cuda.runtime.CUDARuntimeError) -> BackendUnavailable:
    """The error if CUDA's first answer was ``error``, with a hint if one is known."""
    told = _UNUSABLE.get(error.status, "see what 'membench doctor' and nvidia-smi say")
    hint = told.format(cuda12=install_extra("cuda12"))
    return BackendUnavailable(f"CUDA cannot be used: {error}", hint)
