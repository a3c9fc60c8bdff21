"""STREAM's kernels, independent of the engine: compiled code, or NumPy without a compiler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from membench.host.compiled.pattern import FACTOR, MASK, SALT_A, SALT_B, SCALAR, SHIFT
from membench.host.memory.thread_pool import ThreadSlot

Doubles = npt.NDArray[np.float64]


class Streams(Protocol):
    """An engine that runs, fills and checks arrays of float64.

    Arrays are 64-byte aligned and a multiple of 256 bytes long.

    Attributes:
        name: ``numba`` or ``numpy``.
        vector_bits: width of the vector registers that it uses, 0 if unknown.
    """

    name: str
    vector_bits: int

    def prepare(self, operation: str, stores: str) -> None:
        """Compile or load what ``run`` needs, before several threads meet in the barrier.

        Raises:
            Skip: this engine cannot do the operation honestly.
        """
        ...

    def run(
        self,
        slot: ThreadSlot,
        operation: str,
        stores: str,
        arrays: Sequence[Doubles],
        iterations: int,
    ) -> int:
        """Pass the barrier, do ``iterations`` over this thread's parts of the arrays, and stamp.

        The destination is the first array. Returns the wrapping sum of the 64-bit words that `read`
        saw, over all iterations, as an int64; 0 for the others.
        """
        ...

    def fill(self, array: Doubles, first: int, salt: int) -> None:
        """Write the closed form of `membench.host.compiled.pattern` from element ``first`` on."""
        ...

    def poison(self, array: Doubles) -> None:
        """Write NaN, which no kernel computes."""
        ...

    def check(self, operation: str, array: Doubles, first: int) -> int:
        """Index of the first element that ``operation`` cannot have written; -1 for none."""
        ...


def expected(operation: str, first: int, count: int) -> Doubles:
    """Elements ``first .. first + count`` of the destination that ``operation`` must produce.

    For `read` and sources: the closed form itself.
    """
    if operation == "write":
        return np.full(count, SCALAR)
    a = source(first, count, SALT_A)
    if operation in ("read", "copy"):
        return a
    if operation == "scale":
        return SCALAR * a
    b = source(first, count, SALT_B)
    return a + b if operation == "add" else a + SCALAR * b


def source(first: int, count: int, salt: int) -> Doubles:
    """Elements ``first .. first + count`` of the source with ``salt``."""
    index = np.arange(first + salt, first + salt + count, dtype=np.uint64)
    index *= np.uint64(FACTOR)
    index >>= np.uint64(SHIFT)
    index &= np.uint64(MASK)
    return index.astype(np.float64)
