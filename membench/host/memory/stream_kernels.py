"""Compiled STREAM kernels with plain and non-temporal stores; kernels to fill and check arrays.

Every kernel in `STREAM_KERNELS` has the parameters ``(block, slot, parties, iterations, address...,
count)``. The first three are for the barrier (`membench.host.compiled.barrier`). The destination
``d`` is the first array. The triad is d = a + `SCALAR` b.

The arrays contain float64 and are 64-byte aligned. ``count`` is the size of each array in bytes, a
multiple of 256.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic as _intrinsic

from membench.host.compiled.barrier import enter, leave
from membench.host.compiled.instructions import (
    drain,
    pass_add,
    pass_add_nt,
    pass_copy,
    pass_copy_nt,
    pass_poison_nt,
    pass_read,
    pass_scale,
    pass_scale_nt,
    pass_triad,
    pass_triad_nt,
    pass_write,
    pass_write_nt,
)
from membench.host.compiled.jit import helper, kernel
from membench.host.compiled.pattern import (
    ADD,
    COPY,
    FACTOR,
    MASK,
    SCALAR,
    SCALE,
    SHIFT,
    TRIAD,
    WRITE,
)

_ONE = "int64(int64, int64, int64, int64, int64, int64)"
_TWO = "int64(int64, int64, int64, int64, int64, int64, int64)"
_THREE = "int64(int64, int64, int64, int64, int64, int64, int64, int64)"


@kernel(_ONE)
def read(block: Any, slot: Any, parties: Any, iterations: Any, a: Any, count: Any) -> Any:
    """Read ``count`` bytes at ``a``, ``iterations`` times; return the sum of the int64 mod 2^64."""
    total = 0
    if enter(block, slot, parties):
        for _ in range(iterations):
            total += pass_read(a, count)
        leave(block, slot)
    return total


@kernel(_ONE)
def write(block: Any, slot: Any, parties: Any, iterations: Any, d: Any, count: Any) -> Any:
    if enter(block, slot, parties):
        for _ in range(iterations):
            pass_write(d, count)
        leave(block, slot)
    return 0


@kernel(_ONE)
def write_nt(block: Any, slot: Any, parties: Any, iterations: Any, d: Any, count: Any) -> Any:
    if enter(block, slot, parties):
        for _ in range(iterations):
            pass_write_nt(d, count)
        drain()
        leave(block, slot)
    return 0


@kernel(_TWO)
def copy(block: Any, slot: Any, parties: Any, iterations: Any, d: Any, a: Any, count: Any) -> Any:
    if enter(block, slot, parties):
        for _ in range(iterations):
            pass_copy(d, a, count)
        leave(block, slot)
    return 0


@kernel(_TWO)
def copy_nt(
    block: Any, slot: Any, parties: Any, iterations: Any, d: Any, a: Any, count: Any
) -> Any:
    if enter(block, slot, parties):
        for _ in range(iterations):
            pass_copy_nt(d, a, count)
        drain()
        leave(block, slot)
    return 0


@kernel(_TWO)
def scale(block: Any, slot: Any, parties: Any, iterations: Any, d: Any, a: Any, count: Any) -> Any:
    if enter(block, slot, parties):
        for _ in range(iterations):
            pass_scale(d, a, count)
        leave(block, slot)
    return 0


@kernel(_TWO)
def scale_nt(
    block: Any, slot: Any, parties: Any, iterations: Any, d: Any, a: Any, count: Any
) -> Any:
    if enter(block, slot, parties):
        for _ in range(iterations):
            pass_scale_nt(d, a, count)
        drain()
        leave(block, slot)
    return 0


@kernel(_THREE)
def add(
    block: Any, slot: Any, parties: Any, iterations: Any, d: Any, a: Any, b: Any, count: Any
) -> Any:
    if enter(block, slot, parties):
        for _ in range(iterations):
            pass_add(d, a, b, count)
        leave(block, slot)
    return 0


@kernel(_THREE)
def add_nt(
    block: Any, slot: Any, parties: Any, iterations: Any, d: Any, a: Any, b: Any, count: Any
) -> Any:
    if enter(block, slot, parties):
        for _ in range(iterations):
            pass_add_nt(d, a, b, count)
        drain()
        leave(block, slot)
    return 0


@kernel(_THREE)
def triad(
    block: Any, slot: Any, parties: Any, iterations: Any, d: Any, a: Any, b: Any, count: Any
) -> Any:
    if enter(block, slot, parties):
        for _ in range(iterations):
            pass_triad(d, a, b, count)
        leave(block, slot)
    return 0


@kernel(_THREE)
def triad_nt(
    block: Any, slot: Any, parties: Any, iterations: Any, d: Any, a: Any, b: Any, count: Any
) -> Any:
    if enter(block, slot, parties):
        for _ in range(iterations):
            pass_triad_nt(d, a, b, count)
        drain()
        leave(block, slot)
    return 0


def _view(typing: Any, address: Any) -> Any:
    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(types.CPointer(types.float64)))

    return types.CPointer(types.float64)(types.int64), emit


doubles: Any = _intrinsic(_view)


@helper
def source_value(index: Any, salt: Any) -> Any:
    """Element ``index`` of the source array with ``salt``."""
    return float((((index + salt) * FACTOR) >> SHIFT) & MASK)


@kernel("int64(int64, int64, int64, int64)")
def fill(address: Any, first: Any, count: Any, salt: Any) -> Any:
    """Write ``count`` elements of the source array with ``salt`` to ``address``.

    ``first`` is the index of the first written element in the source array.
    """
    values = doubles(address)
    for i in range(count):
        values[i] = source_value(first + i, salt)
    return 0


@kernel("int64(int64, int64)")
def poison(address: Any, count: Any) -> Any:
    """Write ``count`` NaN to ``address``; no kernel computes NaN."""
    pass_poison_nt(address, count * 8)
    drain()
    return 0


@helper
def _expected(code: Any, index: Any, salt_a: Any, salt_b: Any) -> Any:
    if code == WRITE:
        return SCALAR
    a = source_value(index, salt_a)
    if code == COPY:
        return a
    if code == SCALE:
        return SCALAR * a
    if code == ADD:
        return a + source_value(index, salt_b)
    if code == TRIAD:
        return a + SCALAR * source_value(index, salt_b)
    return np.nan


@helper
def _count_wrong(code: Any, values: Any, size: Any, first: Any, salt_a: Any, salt_b: Any) -> Any:
    # LLVM vectorises these loops. It would not vectorise a loop that selects the operation, or a
    # loop over an index that may be negative.
    wrong = 0
    if code == WRITE:
        for i in range(size):
            wrong += values[i] != SCALAR
    elif code in (COPY, SCALE):
        factor = SCALAR if code == SCALE else 1.0
        for i in range(size):
            wrong += values[i] != factor * source_value(first + i, salt_a)
    elif code in (ADD, TRIAD):
        factor = SCALAR if code == TRIAD else 1.0
        for i in range(size):
            a, b = source_value(first + i, salt_a), source_value(first + i, salt_b)
            wrong += values[i] != a + factor * b
    else:
        wrong = size
    return wrong


@kernel("int64(int64, int64, int64, int64, int64, int64)")
def check(code: Any, address: Any, first: Any, count: Any, salt_a: Any, salt_b: Any) -> Any:
    """Check that operation ``code`` can have written the ``count`` elements at ``address``.

    ``first`` is the index of the element at ``address`` in the pattern. Returns the index of the
    first wrong element in the pattern; -1 if all elements are right.
    """
    for begin in range(0, count, 4096):
        values, size = doubles(address + 8 * begin), min(4096, count - begin)
        if _count_wrong(code, values, size, first + begin, salt_a, salt_b):
            for i in range(size):
                if values[i] != _expected(code, first + begin + i, salt_a, salt_b):
                    return first + begin + i
    return -1
