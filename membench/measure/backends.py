"""Opens backends. Backends that need CuPy or Numba are imported only in this module."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from membench.core.errors import BackendUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from membench.core.backend import Backend
    from membench.core.snapshot import Machine
    from membench.gpu.protocol import Gpu
    from membench.host.memory.backend import CpuBackend
    from membench.host.storage.scratch import ScratchHandle

BACKENDS = ("cpu", "cuda", "storage", "cuda-storage")
"""The names by which benches request a backend."""


def open_backend(
    name: str,
    machine: Machine,
    *,
    scratch: ScratchHandle | None = None,
    gpu: int | None = None,
    benches: Iterable[str] = (),
    host: CpuBackend | None = None,
) -> Backend:
    """Open the backend ``name`` in this process.

    Args:
        gpu: index in ``machine.gpus.devices``; None for the first GPU.
        benches: names of benches. `cuda` and `cuda-storage` compile their kernels now, in parallel.
        host: an open backend whose threads and memory `storage` shares; None to share nothing.

    Raises:
        BackendUnavailable: there is no backend with this name, or it cannot be used here.
        MembenchError: an operation on the GPU failed.
    """
    if name == "cpu":
        from membench.host.memory.backend import CpuBackend

        return CpuBackend(machine)
    if name == "cuda":
        from membench.gpu.cuda.backend import open_cuda

        return open_cuda(machine, gpu or 0, benches)
    if name == "storage":
        from membench.host.storage.backend import open_storage

        if scratch is None:
            raise BackendUnavailable("a disk cannot be measured without a scratch file")
        return open_storage(machine, scratch, host)
    if name == "cuda-storage":
        from membench.gpu.cuda.backend import open_cuda
        from membench.host.storage.backend import open_storage
        from membench.workloads.gpu_disk import CudaStorage

        storage = open_storage(machine, scratch) if scratch is not None else None
        return CudaStorage(cast("Gpu", open_cuda(machine, gpu or 0, benches)), storage)
    raise BackendUnavailable(f"there is no backend '{name}'")
