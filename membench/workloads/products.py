"""Computes matrix products with the GPU vendor's library, and checks the results."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import numpy.typing as npt

from membench.core.errors import VerificationFailed
from membench.gpu.protocol import Gpu
from membench.gpu.verify.content import random_numbers, repeat, values
from membench.gpu.verify.pattern import POISON

TILE = 1_048_583
"""Elements (NVFP4: pairs) after which an operand repeats; a prime, so that all rows differ."""

BITS: Mapping[str, int] = {"fp32": 32, "tf32": 32, "bf16": 16, "fp8": 8, "mxfp8": 8, "nvfp4": 4}
"""Bits of one number in memory, by format."""

STORED: Mapping[str, npt.DTypeLike] = {"fp32": np.uint32, "bf16": np.uint16, "fp16": np.uint16}
"""NumPy type with as many bits as an element of a result, by the format of the result."""

_ROUNDED = {"fp32": 0.0, "bf16": 2**-8, "fp16": 2**-10}
"""Upper bound of the relative rounding error, by the format of a result."""

CHECKED = 16
"""Number of elements of a result that the host recomputes for verification."""

# Maximum error of a sum of k products of numbers below 1, in units of sqrt(k). The causes are
# rounded operands (tf32) and rounded sums (for FP8, tensor cores keep fewer bits). A wrong sum has
# an error of about sqrt(k) / 2.
_TOLERANCE = {
    "fp32": 2**-12,
    "tf32": 2**-8,
    "bf16": 2**-10,
    "fp8": 2**-5,
    "mxfp8": 2**-5,
    "nvfp4": 2**-3,  # operands up to 1.5
}


def bytes_of(kind: str, numbers: int) -> int:
    return numbers * BITS[kind] // 8


class Product:
    """The product y = x wᵀ by `Gpu.gemm`, with random operands w (m x k) and x (n x k).

    Args:
        kind: format of the operands, a key of `BITS`.
        shape: (m, n, k).
        out, fast: the arguments of `Gpu.gemm` with these names.

    Attributes:
        weight_bytes: bytes of w.
        once: function that queues the product.

    Raises:
        Skip: the library does not support this product on this device.
    """

    def __init__(
        self,
        gpu: Gpu,
        kind: str,
        shape: tuple[int, int, int],
        seed: int,
        out: str = "fp32",
        *,
        fast: bool = False,
    ) -> None:
        m, n, k = shape
        self._out = out
        self._gpu, self._kind, self._shape = gpu, kind, shape
        self._tiles = tuple(random_numbers(kind, TILE, seed + part) for part in range(2))
        self.weight_bytes = bytes_of(kind, m * k)
        w, x = gpu.allocate(self.weight_bytes), gpu.allocate(bytes_of(kind, n * k))
        self._y = gpu.allocate(np.dtype(STORED[out]).itemsize * m * n)
        for operand, tile in zip((w, x), self._tiles, strict=True):
            repeat(gpu, operand, tile)
        self.once = gpu.gemm(kind, shape, w, x, self._y, out=out, fast=fast)
        gpu.fill(self._y, POISON)

    def verify(self) -> None:
        """Raise `VerificationFailed` if a sampled element of y is wrong."""
        m, n, k = self._shape
        limit = _TOLERANCE[self._kind] * k**0.5
        places = np.random.default_rng(m + n + k)
        for _ in range(CHECKED):
            row, column = int(places.integers(n)), int(places.integers(m))
            must = float(self._row(1, row) @ self._row(0, column))
            stored = np.dtype(STORED[self._out])
            place = stored.itemsize * (row * m + column)
            bits = self._gpu.download(self._y, stored, 1, place)
            found = float(values(self._out, bits)[0])
            if not abs(found - must) <= limit + _ROUNDED[self._out] * abs(must):
                raise VerificationFailed(
                    f"{self._kind} product {m} x {n} x {k}: "
                    f"element ({row}, {column}) is {found:.6g} instead of {must:.6g}"
                )

    @cached_property
    def _numbers(self) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ...]:
        return tuple(values(self._kind, tile).astype(np.float64) for tile in self._tiles)

    def _row(self, operand: int, row: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        k, repeated = self._shape[2], self._numbers[operand]
        taken: np.ndarray[tuple[int], np.dtype[np.float64]] = repeated[
            np.arange(row * k, (row + 1) * k) % repeated.size
        ]
        return taken
