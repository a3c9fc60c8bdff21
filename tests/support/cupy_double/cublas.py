"""A double of ``cupy.cuda.cublas``: gemmEx as in the cuBLAS manual, with column-major matrices."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt
from emulator.device import run_once
from emulator.scalars import bf16_to_f32, f32_to_bf16

from cupy_double.device import Double

_AS_IT_IS, _TRANSPOSED = 0, 1  # cublasOperation_t
_R_32F, _R_16BF = 0, 14  # cudaDataType_t
_COMPUTES = {68, 77}  # CUBLAS_COMPUTE_32F, _FAST_TF32
HANDLE = 0xB1A5


class Cublas:
    """The double of the module ``cupy.cuda.cublas``: `gemmEx` and `CUBLASError`."""

    class CUBLASError(RuntimeError):
        """The double of CuPy's class of the same name."""

    def __init__(self, double: Double) -> None:
        self._double = double

    def gemmEx(  # noqa: N802 - CuPy's name
        self,
        handle: int,
        transa: int,
        transb: int,
        m: int,
        n: int,
        k: int,
        alpha: int,
        a: int,
        atype: int,
        lda: int,
        b: int,
        btype: int,
        ldb: int,
        beta: int,
        c: int,
        ctype: int,
        ldc: int,
        compute: int,
        algorithm: int,
    ) -> None:
        """Queue C = alpha op(A) op(B) + beta C on the current stream.

        op(A) is m x k, op(B) is k x n.
        """
        if (
            handle != HANDLE
            or compute not in _COMPUTES
            or ctype not in (_R_32F, _R_16BF)
            or algorithm != -1
        ):
            raise self.CUBLASError("CUBLAS_STATUS_INVALID_VALUE")
        stream = self._double.current_stream
        assert stream, "without a stream it would be the one that waits for all others"
        scales = [ctypes.c_float.from_address(address).value for address in (alpha, beta)]

        def once() -> None:
            left = self._operand(a, atype, transa, (m, k), lda)
            right = self._operand(b, btype, transb, (k, n), ldb)
            size = (4 if ctype == _R_32F else 2) * ldc * n
            raw = self._double.memory.span(c, size, "product")
            assert not scales[1], "what was there before does not count"
            result = np.float32(scales[0]) * (left @ right)
            if ctype == _R_32F:
                raw.view(np.float32).reshape(n, ldc).T[:m] = result  # column-major
            else:
                raw.view(np.uint16).reshape(n, ldc).T[:m] = f32_to_bf16(result.astype(np.float32))
            self._double.memory.mark(c, size)
            self._double.pass_time(m * n)

        self._double.queue(stream, lambda: run_once(once))

    def _operand(
        self, address: int, kind: int, operation: int, shape: tuple[int, int], leading: int
    ) -> npt.NDArray[np.float32]:
        """The matrix at ``address`` after ``operation``, as f32.

        ``leading`` is the number of rows in memory.
        """
        rows, columns = shape if operation == _AS_IT_IS else shape[::-1]
        if leading < rows or operation not in (_AS_IT_IS, _TRANSPOSED):
            raise self.CUBLASError("CUBLAS_STATUS_INVALID_VALUE")
        stored: np.dtype[Any] = np.dtype({_R_32F: np.float32, _R_16BF: np.uint16}[kind])
        size = leading * columns * stored.itemsize
        raw = self._double.memory.span(address, size, "operand").view(stored)
        numbers = raw if kind == _R_32F else bf16_to_f32(raw)
        matrix = numbers.reshape(columns, leading).T[:rows]
        result: npt.NDArray[np.float32] = matrix if operation == _AS_IT_IS else matrix.T
        return result
