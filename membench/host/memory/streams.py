"""The interface to STREAM's kernels. Two engines implement it: compiled code, and NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from membench.host.compiled.pattern import FACTOR, MASK, SALT_A, SALT_B, SCALAR, SHIFT
from membench.host.memory.thread_pool import ThreadSlot

Doubles = npt.NDArray[np.float64]


class Streams(Protocol):
    """An engine that fills arrays of float64, runs STREAM's kernels on the arrays and checks them.

    Arrays are 64-byte aligned. Their size is a multiple of 256 bytes.

    Attributes:
        name: ``numba`` or ``numpy``.
        vector_bits: bits of the engine's vector registers; 0 if unknown.
    """

    name: str
    vector_bits: int

    def prepare(self, operation: str, stores: str) -> None:
        """Compile or load the code for ``run``, before several threads meet in the barrier.

        Args:
            operation: name of a kernel, such as ``triad``.
            stores: kind of store, ``plain`` or ``nt`` (non-temporal).

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
        """Wait at the barrier, run ``operation`` ``iterations`` times, and time the work.

        ``arrays`` are this thread's shares: the destination, then the sources; `read` has only a
        source. For `read` the result is the sum modulo 2^64, as an int64, of the words loaded in
        all iterations. For other operations the result is 0.
        """
        ...

    def fill(self, array: Doubles, first: int, salt: int) -> None:
        """Write the pattern of `membench.host.compiled.pattern` into ``array``.

        ``first`` is the index of the array's first element in the pattern.
        """
        ...

    def poison(self, array: Doubles) -> None:
        """Fill ``array`` with NaN, which no kernel computes."""
        ...

    def check(self, operation: str, array: Doubles, first: int) -> int:
        """Check that ``operation`` can have written every value of ``array``.

        ``first`` is the index of the array's first value in the pattern. Returns the index of the
        first wrong value in the pattern; -1 if all values are right.
        """
        ...


def expected(operation: str, first: int, count: int) -> Doubles:
    """Elements ``first`` to ``first + count - 1`` of the destination after ``operation``.

    For `read` the result is the pattern of the source array.
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
    """Elements ``first`` to ``first + count - 1`` of the source array with ``salt``."""
    index = np.arange(first + salt, first + salt + count, dtype=np.uint64)
    index *= np.uint64(FACTOR)
    index >>= np.uint64(SHIFT)
    index &= np.uint64(MASK)
    return index.astype(np.float64)
