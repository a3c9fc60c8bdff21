"""FP8 and FP4 matrix products by cublasLt, called through ctypes because CuPy has no bindings.

Constants and structures are from cublasLt.h and library_types.h.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from membench.core.errors import BackendUnavailable, MembenchError

WORKSPACE_BYTES = 32 << 20
"""Bytes of workspace that NVIDIA recommends for Hopper (cuBLAS manual, "cublasLtMatmul").

The workspace is aligned to 256 bytes.
"""

_LIBRARIES = ("libcublasLt.so.13", "libcublasLt.so.12")
_R_32F, _R_8F_E4M3, _R_4F_E2M1 = 0, 28, 33  # cudaDataType_t
OUTPUTS = {"fp32": _R_32F, "fp16": 2, "bf16": 14}
"""Values of cudaDataType_t, by the format of a product's result."""

_COMPUTE_32F = 68  # cublasComputeType_t
_TRANSPOSED = 1  # cublasOperation_t
_DESC_TRANSA, _DESC_FAST_ACCUM = 3, 25  # cublasLtMatmulDescAttributes_t
_DESC_SCALE_POINTERS, _DESC_SCALE_MODES = (17, 18), (31, 32)  # of A and B
_PREF_MAX_WORKSPACE_BYTES = 1  # cublasLtMatmulPreferenceAttributes_t


@dataclass(frozen=True)
class OperandScales:
    """The scales of an operand. Each scale is one byte.

    Attributes:
        mode: value of cublasLtMatmulMatrixScale_t.
        numbers: how many consecutive numbers of a row share one scale.
        one: the byte that encodes the scale 1.
    """

    mode: int
    numbers: int
    one: int

    def bytes_of(self, rows: int, k: int) -> int:
        """Bytes of the scales of an operand with ``rows`` rows and ``k`` numbers per row.

        The library stores the scales in tiles of 128 rows by 4 scales.
        """
        return -(-rows // 128) * 128 * (-(-k // self.numbers // 4) * 4)


SCALES = {
    # VEC32_UE8M0: a byte b encodes 2^(b - 127)
    "mxfp8": OperandScales(mode=2, numbers=32, one=0x7F),
    "nvfp4": OperandScales(
        mode=1, numbers=16, one=0x38
    ),  # VEC16_UE4M3: exponent field 7, with bias 7
}
"""The scales of an operand, by format, for the formats with scales."""

_STORED = {"fp8": _R_8F_E4M3, "mxfp8": _R_8F_E4M3, "nvfp4": _R_4F_E2M1}


class _Heuristic(ctypes.Structure):
    _fields_ = (
        ("algo", ctypes.c_uint64 * 8),
        ("workspace", ctypes.c_size_t),
        ("state", ctypes.c_int),
        ("waves", ctypes.c_float),
        ("reserved", ctypes.c_int * 4),
    )


class CublasLt:
    """The loaded cublasLt library with one handle.

    Raises:
        BackendUnavailable: cublasLt is not installed.
        MembenchError: cublasLt cannot be initialised.
    """

    def __init__(self, library: Any = None) -> None:
        self._library = library or _load()
        self._handle = ctypes.c_void_p()
        self._call("cublasLtCreate", ctypes.byref(self._handle))

    def product(
        self,
        kind: str,
        shape: tuple[int, int, int],
        operands: tuple[int, int, int],
        workspace: int,
        stream: int,
        out: str = "fp32",
        *,
        fast: bool = False,
        scales: tuple[int, int] | None = None,
    ) -> Callable[[], None]:
        """A function that queues y = x w' on ``stream``, where w' is the transpose of w.

        Sums are in single precision.

        Args:
            kind: format of w and x: ``fp8``, or one of `SCALES`.
            shape: m, n, k. w is m x k, x is n x k, and y is n x m, all in row-major order.
            operands: addresses of w, x and y.
            workspace: address of `WORKSPACE_BYTES` bytes.
            out: format of y, one of `OUTPUTS`.
            fast: whether the hardware may keep partial sums with fewer bits.
            scales: addresses of the scales of w and x, for formats with scales.

        Raises:
            BackendUnavailable: the library has no algorithm for this product on this device.
        """
        m, n, k = shape
        description = self._made("cublasLtMatmulDescCreate", _COMPUTE_32F, _R_32F)
        transposed = ctypes.c_int32(_TRANSPOSED)
        self._call(
            "cublasLtMatmulDescSetAttribute",
            *(description, _DESC_TRANSA, ctypes.byref(transposed), ctypes.c_size_t(4)),
        )
        wished: list[tuple[int, Any]] = [(_DESC_FAST_ACCUM, ctypes.c_int8(1))] if fast else []
        if scales is not None:
            wished += [(one, ctypes.c_int32(SCALES[kind].mode)) for one in _DESC_SCALE_MODES]
            addresses = (ctypes.c_void_p(address) for address in scales)
            wished += zip(_DESC_SCALE_POINTERS, addresses, strict=True)
        for attribute, value in wished:
            self._call(
                "cublasLtMatmulDescSetAttribute",
                *(
                    description,
                    attribute,
                    ctypes.byref(value),
                    ctypes.c_size_t(ctypes.sizeof(value)),
                ),
            )
        w, x, y = (ctypes.c_void_p(address) for address in operands)
        layouts = [
            self._layout(_STORED[kind], k, m),
            self._layout(_STORED[kind], k, n),
            self._layout(OUTPUTS[out], m, n),
        ]
        a, b, c = layouts
        found = self._heuristic(kind, description, layouts)
        one, zero = ctypes.c_float(1), ctypes.c_float(0)
        arguments = (
            *(self._handle, description, ctypes.byref(one), w, a, x, b),
            *(ctypes.byref(zero), y, c, y, c, ctypes.byref(found.algo)),
            *(ctypes.c_void_p(workspace), ctypes.c_size_t(WORKSPACE_BYTES)),
            ctypes.c_void_p(stream),
        )
        return lambda: self._call("cublasLtMatmul", *arguments)

    def _layout(self, kind: int, rows: int, columns: int) -> ctypes.c_void_p:
        sizes = (ctypes.c_uint64(rows), ctypes.c_uint64(columns), ctypes.c_int64(rows))
        return self._made("cublasLtMatrixLayoutCreate", kind, *sizes)

    def _heuristic(
        self, kind: str, description: ctypes.c_void_p, layouts: list[ctypes.c_void_p]
    ) -> Any:
        preference = self._made("cublasLtMatmulPreferenceCreate")
        most = ctypes.c_uint64(WORKSPACE_BYTES)
        self._call(
            "cublasLtMatmulPreferenceSetAttribute",
            *(preference, _PREF_MAX_WORKSPACE_BYTES, ctypes.byref(most), ctypes.c_size_t(8)),
        )
        found, count = _Heuristic(), ctypes.c_int(0)
        a, b, c = layouts
        status = self._library.cublasLtMatmulAlgoGetHeuristic(
            *(self._handle, description, a, b, c, c, preference, 1),
            *(ctypes.byref(found), ctypes.byref(count)),
        )
        if status or not count.value:
            raise BackendUnavailable(
                f"cublasLt has no {kind.upper()} product for this device (cublasStatus_t {status})"
            )
        return found

    def _made(self, function: str, *arguments: Any) -> ctypes.c_void_p:
        made = ctypes.c_void_p()
        self._call(function, ctypes.byref(made), *arguments)
        return made

    def _call(self, function: str, *arguments: Any) -> None:
        if status := getattr(self._library, function)(*arguments):
            raise MembenchError(f"{function} failed with cublasStatus_t {status}")


def _load() -> Any:
    for name in _LIBRARIES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise BackendUnavailable(f"cublasLt is not installed: found neither {' nor '.join(_LIBRARIES)}")
