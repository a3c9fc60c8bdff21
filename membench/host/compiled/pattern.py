"""The contents of the arrays as closed forms, for kernels and for NumPy."""

from __future__ import annotations

from types import MappingProxyType

# Element i of the source with salt s: (((i + s) * FACTOR) >> SHIFT) & MASK, an integer below
# 2**20, so that float64 computes every kernel exactly, and no shifted or swapped array passes.
FACTOR = 0x9E3779B1  # Knuth's multiplicative hash: an odd number near 2**32 / golden ratio
SHIFT = 12
MASK = 0xFFFFF

SALT_A = 0
SALT_B = 7919
SCALAR = 3.0  # STREAM's

# The numbers by which compiled code knows the operations.
WRITE, COPY, SCALE, ADD, TRIAD = range(5)
CODES = MappingProxyType({"write": WRITE, "copy": COPY, "scale": SCALE, "add": ADD, "triad": TRIAD})

ARRAYS = MappingProxyType({"read": 1, "write": 1, "copy": 2, "scale": 2, "add": 3, "triad": 3})
"""Operation -> number of arrays that it touches once each: STREAM's counting of bytes."""

# Odd numbers below 2**63 with a good spectrum, after the multipliers of xorshift64* (Vigna, ACM
# TOMS 2016), of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014) and of PCG (O'Neill 2014).  Their
# low bits count: three rounds left strides that came back 20 times too often in large rings,
# four leave none.
RING_FACTORS = (
    0x2545F4914F6CDD1D,
    0x369DEA0F31A53F85,
    0x5851F42D4C957F2D,
    0x1E3779B97F4A7C15,
)

CHUNK = 16 * 1024  # bytes of traffic that are read or written as a whole
