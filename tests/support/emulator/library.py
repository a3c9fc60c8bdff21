"""The matrix product of the vendor's library, computed with NumPy.

So the tests can run the bench that calls the library. The library itself is not tested.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator.memory import DeviceMemory
from emulator.scalars import f32_to_bf16
from membench.gpu.protocol import Buffer
from membench.gpu.verify.content import values

_STORED = {
    "fp32": np.uint32,
    "tf32": np.uint32,
    "bf16": np.uint16,
    "fp8": np.uint8,
    "mxfp8": np.uint8,
    "nvfp4": np.uint8,  # one byte contains two numbers
}


def _stored(kind: str, numbers: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
    if kind == "bf16":
        return f32_to_bf16(numbers)
    return numbers.astype(np.float16) if kind == "fp16" else numbers


def product(
    memory: DeviceMemory,
    kind: str,
    shape: tuple[int, int, int],
    operands: tuple[Buffer, Buffer, Buffer],
    out: str = "fp32",
) -> Callable[[], None]:
    """A function that computes y = x w' and stores y as type ``out``."""
    m, n, k = shape
    w, x, y = operands

    def matrix(buffer: Buffer, rows: int) -> npt.NDArray[np.float32]:
        stored = np.dtype(_STORED[kind])
        size = rows * k * stored.itemsize // (2 if kind == "nvfp4" else 1)
        raw = memory.span(buffer.address, size, "operand").copy()
        return values(kind, raw.view(stored)).reshape(rows, k)

    def once() -> None:
        result = _stored(out, (matrix(x, n) @ matrix(w, m).T).astype(np.float32))
        memory.span(y.address, result.nbytes, "product")[:] = result.reshape(-1).view(np.uint8)
        memory.mark(y.address, result.nbytes)

    return once
