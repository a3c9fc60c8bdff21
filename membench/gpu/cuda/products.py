"""Matrix products by cuBLAS, or by cublasLt for FP8 and FP4.

The products measure the compute peak and the layers of a decode step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from membench.core.errors import BackendUnavailable, MembenchError
from membench.gpu.cuda.cublaslt import CublasLt
from membench.gpu.protocol import Buffer

_AS_IT_IS, _TRANSPOSED, _ANY_ALGORITHM = 0, 1, -1  # cublasOperation_t, cublasGemmAlgo_t
_OUT = {"fp32": 0, "bf16": 14}  # cudaDataType_t of y
# Type of w and x, and type of the arithmetic: cudaDataType_t, cublasComputeType_t.
_GEMM = {"fp32": (0, 68), "tf32": (0, 77), "bf16": (14, 68)}

Shape = tuple[int, int, int]
"""The sizes (m, n, k) of y = x w': w is m x k, x is n x k, y is n x m, all in row-major order."""

Operands = tuple[Buffer, Buffer, Buffer]
"""The operands w and x, and the result y."""

NARROW_CAPABILITY = {"fp8": 89, "mxfp8": 100, "nvfp4": 100}
"""Format -> first compute capability on which cublasLt multiplies the format."""


def product(
    kind: str, shape: Shape, operands: Operands, queue: Any, out: str
) -> Callable[[], None]:
    """A function that queues one product y = x w' by cuBLAS; see `Shape` and `Operands`.

    ``kind`` is the format of w and x: ``fp32``, ``tf32`` or ``bf16``. ``out`` is the format of y.
    """
    w, x, y = operands
    cublas, handle = _cublas()
    m, n, k = shape
    stored, computed = _GEMM[kind]
    one, zero = np.ones(1, np.float32), np.zeros(1, np.float32)

    def once() -> None:
        # In cuBLAS's column-major order, w' is k x m and x' is k x n.
        arguments = (
            *(handle, _TRANSPOSED, _AS_IT_IS, m, n, k),
            *(one.ctypes.data, w.address, stored, k, x.address, stored, k),
            *(zero.ctypes.data, y.address, _OUT[out], m),
            *(computed, _ANY_ALGORITHM),
        )
        try:
            with queue:  # cuBLAS runs on CuPy's current stream
                cublas.gemmEx(*arguments)
        except cublas.CUBLASError as error:
            raise MembenchError(f"cuBLAS cannot multiply {m} x {n} x {k}: {error}") from error

    return once


def narrow_product(
    kind: str,
    shape: Shape,
    operands: Operands,
    queue: Any,
    workspace: Buffer,
    out: str,
    *,
    fast: bool,
    scales: tuple[Buffer, Buffer] | None = None,
) -> Callable[[], None]:
    """A function that queues one product y = x w' by cublasLt; see `CublasLt.product`.

    Args:
        workspace: `cublaslt.WORKSPACE_BYTES` bytes of device memory.
    """
    _cublas()  # finds and loads the libraries in pip's packages
    w, x, y = operands
    addresses = (w.address, x.address, y.address)
    places = None if scales is None else (scales[0].address, scales[1].address)
    library = CublasLt()
    at = (workspace.address, queue.ptr)
    return library.product(kind, shape, addresses, *at, out, fast=fast, scales=places)


def _cublas() -> tuple[Any, int]:
    try:
        from cupy.cuda import cublas, device
    except ImportError:
        raise BackendUnavailable(
            "cuBLAS is not installed: install the extra cuda12 or cuda13"
        ) from None
    return cublas, device.get_cublas_handle()
