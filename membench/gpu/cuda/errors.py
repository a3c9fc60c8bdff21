"""The CUDA errors that make a process unusable, and hints for errors of the first CUDA call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cupy

from membench.core.errors import BackendUnavailable, DeviceLost, MembenchError
from membench.core.installing import install_extra

# Values of cudaError_t that make a context unusable (driver_types.h: "leaves the process in an
# inconsistent state").
_STICKY = frozenset({214, 220, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 721, 999})

# Hints by cudaError_t (driver_types.h), for errors that show that CUDA does not work on this
# machine.
_UNUSABLE = {
    35: "the driver is older than CuPy's CUDA: update the driver, or {cuda12}",
    100: "no device is visible: check CUDA_VISIBLE_DEVICES and the container's devices",
    101: "the device number does not exist: check CUDA_VISIBLE_DEVICES",
    46: "another process uses the GPU exclusively: end that process, or "
    "run 'sudo nvidia-smi -c DEFAULT'",
    802: "the fabric manager is not ready yet: wait a minute, or read the fabric manager's log",
    803: "the driver's library and its kernel module have different versions: reboot the machine",
    804: "this GPU cannot run a CUDA version that is newer than its driver: {cuda12}",
}


@contextmanager
def explained(what: str) -> Iterator[None]:
    """A context that converts CuPy's exceptions to `MembenchError`; ``what`` begins the message.

    Raises:
        DeviceLost: the CUDA context is unusable.
        MembenchError: any other CUDA error.
    """
    try:
        yield
    except (cupy.cuda.runtime.CUDARuntimeError, cupy.cuda.driver.CUDADriverError) as error:
        if error.status in _STICKY:
            raise DeviceLost(f"{what}: {error}") from error
        raise MembenchError(f"{what}: {error}") from error


def check(status: int) -> None:
    """Raise CuPy's exception if the CUresult ``status`` is an error."""
    if status:
        raise cupy.cuda.driver.CUDADriverError(status)


def unusable(error: cupy.cuda.runtime.CUDARuntimeError) -> BackendUnavailable:
    """The exception to raise if the first CUDA call fails with ``error``; includes a hint."""
    told = _UNUSABLE.get(error.status, "run 'membench doctor' and nvidia-smi for details")
    hint = told.format(cuda12=install_extra("cuda12"))
    return BackendUnavailable(f"CUDA cannot be used: {error}", hint)
