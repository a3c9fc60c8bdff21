"""The machinery that touches hardware: the only room that may import cupy or numba."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from membench.errors import BackendUnavailable

if TYPE_CHECKING:
    from membench.backends.base import Backend
    from membench.backends.gpu import Gpu
    from membench.backends.scratch import Scratch
    from membench.machine import Machine

BACKENDS = ("cpu", "cuda", "storage", "cuda-storage")
"""The backends of this version, by the name that a bench asks for."""


def open_backend(
    name: str, machine: Machine, *, scratch: Scratch | None = None, gpu: int | None = None
) -> Backend:
    """A backend, opened in this process.

    Args:
        scratch: the file that `storage` works on.
        gpu: which of ``machine.gpus.devices`` `cuda` works on, alone or with `storage`; the
            first where None.

    Raises:
        BackendUnavailable: there is none of that name.
    """
    if name == "cpu":
        from membench.backends.cpu import CpuBackend

        return CpuBackend(machine)
    if name == "cuda":
        from membench.backends.cuda import open_cuda

        return open_cuda(machine, gpu or 0)
    if name == "storage":
        from membench.backends.storage import open_storage

        if scratch is None:
            raise BackendUnavailable("there is no scratch file to measure a disk with")
        return open_storage(machine, scratch)
    if name == "cuda-storage":
        from membench.backends.cuda import open_cuda
        from membench.backends.cuda_storage import CudaStorage
        from membench.backends.storage import open_storage

        storage = open_storage(machine, scratch) if scratch is not None else None
        return CudaStorage(cast("Gpu", open_cuda(machine, gpu or 0)), storage)
    raise BackendUnavailable(f"there is no backend '{name}'")
