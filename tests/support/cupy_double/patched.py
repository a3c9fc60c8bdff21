"""Runs the CUDA backend on the CuPy double."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import patch

from cupy_double.classes import classes
from cupy_double.cublas import HANDLE, Cublas
from cupy_double.device import Double
from cupy_double.driver import driver
from cupy_double.library import UUIDS, DriverLibrary, batch_copy
from cupy_double.runtime import runtime
from membench.core.snapshot import GpuIdentity, Gpus, Machine
from membench.gpu.cuda import backend as cuda
from membench.gpu.cuda import device as cuda_device
from membench.gpu.cuda import errors as cuda_errors
from membench.gpu.cuda import links as cuda_links
from membench.gpu.cuda import managed
from membench.gpu.cuda import memory as cuda_memory
from membench.gpu.cuda import products as cuda_product
from membench.gpu.cuda.batch_copy import BatchCopy
from membench.machine import snapshot

_MODULES = (cuda, cuda_device, cuda_errors, cuda_links, cuda_memory)


def machine_of(double: Double) -> Machine:
    """The snapshot of this machine, with the GPUs of ``double``."""

    def gpu(index: int) -> GpuIdentity:
        text = f"GPU-{uuid.UUID(bytes=UUIDS[index])}"
        hashed = hashlib.sha256(text.encode()).hexdigest()[:12]
        return GpuIdentity(index, "NVIDIA H100 of the tests", hashed, 80 << 30, "9.0")

    devices = tuple(gpu(index) for index in range(double.gpus))
    return replace(snapshot(), gpus=Gpus("580.1", "13.0", devices))


@contextmanager
def patched(
    sms: int = 2, gpus: int = 2, ns_per_step: int = 1
) -> Iterator[tuple[Double, Machine, DriverLibrary]]:
    """Replace CuPy by the double in the backend; yields the double, a machine and the driver."""
    double = Double(sms, gpus, ns_per_step)
    library = DriverLibrary(double)
    cupy = SimpleNamespace(
        cuda=SimpleNamespace(**classes(double), runtime=runtime(double), driver=driver(double))
    )
    with ExitStack() as stack:
        stack.callback(double.close)
        for module in _MODULES:
            stack.enter_context(patch.object(module, "cupy", cupy))
        stack.enter_context(patch.object(cuda, "compile_source", double.compile))
        for module in (cuda, cuda_device, cuda_links, managed):
            stack.enter_context(patch.object(module, "open_driver", lambda: library))
        library_of_products = (Cublas(double), HANDLE)
        stack.enter_context(patch.object(cuda_product, "_cublas", lambda: library_of_products))
        found = BatchCopy(13000, batch_copy(double), str)
        stack.enter_context(patch.object(cuda_links, "find_batch_copy", lambda: found))
        yield double, machine_of(double), library
