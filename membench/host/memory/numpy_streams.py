"""The engine for STREAM's kernels that does not need Numba.

Every kernel writes into an existing array (``out=``), because an expression with a temporary array
moves more data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from membench.core.errors import skip
from membench.host.compiled.pattern import SCALAR
from membench.host.memory.streams import Doubles, expected, source
from membench.host.memory.thread_pool import ThreadSlot

TRIAD_BLOCK = 128 * 1024
"""Elements per block of the triad: 1 MiB, so that the scratch array stays in the cache.

A call on one block takes long enough to hide the cost of the interpreter.
"""

_PIECE = 1 << 16  # elements per fill or check, few enough to stay in the caches


class NumpyStreams:
    """Implements `membench.host.memory.streams.Streams` with NumPy."""

    name = "numpy"
    vector_bits = 0

    def prepare(self, operation: str, stores: str) -> None:
        if stores != "plain":
            skip(
                f"stores={stores} needs compiled kernels, but Numba is not installed or is "
                "switched off"
            )
        if operation not in ("read", "write", "copy", "scale", "add", "triad"):
            skip(
                f"{operation} needs compiled kernels, but Numba is not installed or is switched off"
            )

    def run(
        self,
        slot: ThreadSlot,
        operation: str,
        stores: str,
        arrays: Sequence[Doubles],
        iterations: int,
    ) -> int:
        once = _once(operation, arrays)
        sums: list[Any] = [0] * iterations

        def work() -> None:
            for iteration in range(iterations):
                sums[iteration] = once()

        slot.timed(work)
        return _wrap(sum(map(int, sums))) if operation == "read" else 0

    def fill(self, array: Doubles, first: int, salt: int) -> None:
        for begin in range(0, array.size, _PIECE):
            piece = array[begin : begin + _PIECE]
            piece[:] = source(first + begin, piece.size, salt)

    def poison(self, array: Doubles) -> None:
        array.fill(np.nan)

    def check(self, operation: str, array: Doubles, first: int) -> int:
        for begin in range(0, array.size, _PIECE):
            piece = array[begin : begin + _PIECE]
            wrong = piece != expected(operation, first + begin, piece.size)
            if wrong.any():
                return first + begin + int(wrong.argmax())
        return -1


def _once(operation: str, arrays: Sequence[Doubles]) -> Callable[[], Any]:
    d = arrays[0]
    if operation == "read":
        words = d.view(np.uint64)
        return lambda: np.add.reduce(words)
    if operation == "write":
        return lambda: d.fill(SCALAR)
    a = arrays[1]
    if operation == "copy":
        return lambda: np.copyto(d, a)
    if operation == "scale":
        return lambda: np.multiply(a, SCALAR, out=d)
    b = arrays[2]
    if operation == "add":
        return lambda: np.add(a, b, out=d)
    # Over whole arrays, a multiplication and an addition would move five arrays. Three count.
    scratch = np.empty(min(TRIAD_BLOCK, d.size))
    blocks = [slice(at, at + TRIAD_BLOCK) for at in range(0, d.size, TRIAD_BLOCK)]
    pieces = [(d[block], a[block], b[block], scratch[: d[block].size]) for block in blocks]

    def triad() -> None:
        for to, x, y, product in pieces:
            np.multiply(y, SCALAR, out=product)
            np.add(x, product, out=to)

    return triad


def _wrap(total: int) -> int:
    """``total`` wrapped to an int64, as in compiled code."""
    return (total + 2**63) % 2**64 - 2**63
