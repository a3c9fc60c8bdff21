"""Compiled kernels that link rings of pointers, follow one or several chains, and gather elements.

A ring links ``2**bits`` lines in the order of a bijective hash: line hash(i) points to line hash(i
+ 1). So the ring is one cycle, and a formula gives the position after any number of loads.

The parameters ``block``, ``slot`` and ``parties`` are for the barrier
(`membench.host.compiled.barrier`).
"""

from __future__ import annotations

from typing import Any

from membench.host.compiled.barrier import enter, leave
from membench.host.compiled.instructions import (
    CHASE_LOADS,
    chains_1,
    chains_2,
    chains_4,
    chains_8,
    chains_12,
    gather_words,
    hops,
    store,
)
from membench.host.compiled.jit import helper, kernel
from membench.host.compiled.pattern import RING_FACTORS

_F0, _F1, _F2, _F3 = RING_FACTORS


@helper
def ring_line(index: Any, bits: Any) -> Any:
    """The line at position ``index`` of a ring of ``2**bits`` lines."""
    # Multiplications by odd factors and xorshifts are bijections modulo a power of two. The shifts
    # move the well mixed upper bits down.
    mask = (1 << bits) - 1
    half, third = (bits + 1) // 2, (bits + 2) // 3
    x = index & mask
    x = (x * _F0 + 1) & mask
    x ^= x >> half
    x = (x * _F1 + 2) & mask
    x ^= x >> third
    x = (x * _F2 + 3) & mask
    x ^= x >> half
    x = (x * _F3 + 4) & mask
    return x ^ (x >> third)


@kernel("int64(int64, int64, int64, int64, int64)")
def link(base: Any, bits: Any, stride: Any, first: Any, last: Any) -> Any:
    """Write the address of the next line into the lines at positions ``first`` to ``last - 1``.

    The ring begins at address ``base`` and has ``2**bits`` lines of ``stride`` bytes.
    """
    here = base + ring_line(first, bits) * stride
    for index in range(first, last):
        there = base + ring_line(index + 1, bits) * stride
        store(here, there)
        here = there
    return 0


@kernel("int64(int64, int64)")
def place(index: Any, bits: Any) -> Any:
    return ring_line(index, bits)


@kernel("int64(int64, int64, int64, int64, int64)")
def chase(block: Any, slot: Any, parties: Any, start: Any, loads: Any) -> Any:
    """Follow ``loads`` pointers (a multiple of 32) from ``start``, and return the last pointer."""
    at = start
    if enter(block, slot, parties):
        for _ in range(loads // CHASE_LOADS):
            at = hops(at)
        leave(block, slot)
    return at


@kernel("int64(int64, int64, int64, int64, int64, int64)")
def chains(block: Any, slot: Any, parties: Any, heads: Any, count: Any, steps: Any) -> Any:
    """Follow ``count`` pointer chains at once, ``steps`` loads each.

    Args:
        heads: address of the chains' current pointers. The kernel updates these pointers.
        count: 1, 2, 4, 8 or 12. With another value, the kernel does nothing.
        steps: a multiple of 8.
    """
    if enter(block, slot, parties):
        if count == 1:
            chains_1(heads, steps)
        elif count == 2:
            chains_2(heads, steps)
        elif count == 4:
            chains_4(heads, steps)
        elif count == 8:
            chains_8(heads, steps)
        elif count == 12:
            chains_12(heads, steps)
        leave(block, slot)
    return 0


@kernel("int64(int64, int64, int64, int64, int64, int64, int64, int64)")
def gather(
    block: Any,
    slot: Any,
    parties: Any,
    iterations: Any,
    out: Any,
    table: Any,
    indices: Any,
    count: Any,
) -> Any:
    """Compute out[i] = table[indices[i]] for ``count`` int64, ``iterations`` times.

    ``out``, ``table`` and ``indices`` are addresses. ``count`` is a multiple of 4.
    """
    if enter(block, slot, parties):
        for _ in range(iterations):
            gather_words(out, table, indices, count)
        leave(block, slot)
    return 0
