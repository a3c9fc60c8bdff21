"""Multiply-add with a single rounding, like the fma instruction.

For f32 the product is exact in f64. The sum is rounded to odd in f64, so that the second rounding
to f32 is correct (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", IEEE Trans.
Computers 57(4), 2008). For f64, Dekker's algorithm computes the exact product as a pair of numbers,
and the algorithm of Boldo and Melquiond adds the pair.
"""

from __future__ import annotations

import numpy as np

from emulator.scalars import Lanes

_SPLIT = 134217729.0  # 2**27 + 1


def _two_sum(a: Lanes, b: Lanes) -> tuple[Lanes, Lanes]:
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _two_product(a: Lanes, b: Lanes) -> tuple[Lanes, Lanes]:
    product = a * b
    a_high = _SPLIT * a - (_SPLIT * a - a)
    b_high = _SPLIT * b - (_SPLIT * b - b)
    a_low, b_low = a - a_high, b - b_high
    rest = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
    return product, rest


def _odd_sum(a: Lanes, b: Lanes) -> Lanes:
    """The sum rounded to odd: the last bit of an inexact sum is 1."""
    total, rest = _two_sum(a, b)
    total = np.array(total, ndmin=1, copy=True)
    bits = total.view(np.int64)
    nudge = (rest != 0) & ((bits & 1) == 0) & np.isfinite(total)
    outwards = (rest > 0) == (total > 0)
    bits += np.where(nudge, np.where(outwards, 1, -1), 0)
    return total


def fma_f32(a: Lanes, b: Lanes, c: Lanes) -> Lanes:
    """``a * b + c`` in f32, rounded once."""
    product = a.astype(np.float64) * b.astype(np.float64)
    return _odd_sum(product, c.astype(np.float64)).astype(np.float32)


def fma_odd(a: Lanes, b: Lanes, c: Lanes) -> Lanes:
    """``a * b + c`` in f32 rounded to odd, so that a further rounding to 16 bits is correct."""
    product = a.astype(np.float64) * b.astype(np.float64)
    exact = _odd_sum(product, c.astype(np.float64))
    near = exact.astype(np.float32)
    bits = near.view(np.int32)
    rest = exact - near
    nudge = (rest != 0) & ((bits & 1) == 0) & np.isfinite(near)
    bits += np.where(nudge, np.where((rest > 0) == (near > 0), 1, -1), 0).astype(np.int32)
    return near


def fma_f64(a: Lanes, b: Lanes, c: Lanes) -> Lanes:
    """``a * b + c`` in f64, rounded once, or twice if a term is near the limits of f64."""
    plain = np.asarray(a * b + c)
    high, low = _two_product(a, b)
    total_high, total_low = _two_sum(c, low)
    value_high, value_low = _two_sum(high, total_high)
    exact = value_high + _odd_sum(total_low, value_low)
    size = np.abs(high)
    safe = np.isfinite(exact) & (((size > 1e-270) & (size < 1e270)) | (high == 0))
    safe &= (np.abs(a) < 1e290) & (np.abs(b) < 1e290)
    # Zero plus zero has the sign that IEEE 754 defines.
    return np.where(safe & (exact != 0), exact, plain)
