"""The interface to STREAM's kernels for two engines: compiled code, or NumPy without a compiler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from membench.host.compiled.pattern import FACTOR, MASK, SALT_A, SALT_B, SCALAR, SHIFT
from membench.host.memory.thread_pool import ThreadSlot

Doubles = npt.NDArray[np.float64]


class Streams(Protocol):
    """An engine that fills arrays of float64, runs STREAM's kernels on them and checks them.

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
            Skip: this engine cannot measure the operation correctly.
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
        """Do ``iterations`` over this thread's parts of the arrays, from the barrier to the stamp.

        The first array is the destination. Returns the sum modulo 2^64, as an int64, of the words
        that `read` loaded in all iterations; 0 for other operations.
        """
        ...

    def fill(self, array: Doubles, first: int, salt: int) -> None:
        """Write the pattern of `membench.host.compiled.pattern` from element ``first`` on."""
        ...

    def poison(self, array: Doubles) -> None:
        """Write NaN, which no kernel computes."""
        ...

    def check(self, operation: str, array: Doubles, first: int) -> int:
        """The first index whose value ``operation`` cannot have written; -1 if all are right."""
        ...


def expected(operation: str, first: int, count: int) -> Doubles:
    """The ``count`` elements from ``first`` on that ``operation`` must leave in its destination.

    For `read` and for sources, this is the pattern itself.
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
    """The ``count`` elements from ``first`` on of the source array with ``salt``."""
    index = np.arange(first + salt, first + salt + count, dtype=np.uint64)
    index *= np.uint64(FACTOR)
    index >>= np.uint64(SHIFT)
    index &= np.uint64(MASK)
    return index.astype(np.float64)
