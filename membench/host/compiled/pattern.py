"""Compute the known contents of arrays from the index, in kernels and in NumPy."""

from __future__ import annotations

from types import MappingProxyType

# Element i of the source array with salt s is (((i + s) * FACTOR) >> SHIFT) & MASK. This integer is
# below 2**20, so float64 computes every kernel exactly. A shifted or swapped array fails the check.
FACTOR = 0x9E3779B1  # Knuth's multiplicative hash: an odd number near 2**32 / golden ratio
SHIFT = 12
MASK = 0xFFFFF

SALT_A = 0
SALT_B = 7919
SCALAR = 3.0  # as in STREAM

# Numbers of the operations in compiled code.
WRITE, COPY, SCALE, ADD, TRIAD = range(5)
CODES = MappingProxyType({"write": WRITE, "copy": COPY, "scale": SCALE, "add": ADD, "triad": TRIAD})

ARRAYS = MappingProxyType({"read": 1, "write": 1, "copy": 2, "scale": 2, "add": 3, "triad": 3})
"""Operation -> number of arrays that the operation reads or writes once."""

STREAM_KERNELS = MappingProxyType(
    {
        **{(operation, "plain"): operation for operation in ARRAYS},
        **{(operation, "nt"): f"{operation}_nt" for operation in CODES},
    }
)
"""(operation, kind of store) -> name of the kernel in `membench.host.memory.stream_kernels`."""

# Odd multipliers below 2**63 with good spectral properties, derived from xorshift64* (Vigna, ACM
# TOMS 2016), SplitMix64 (Steele, Lea, Flood, OOPSLA 2014) and PCG (O'Neill 2014). The hash has four
# rounds: with three, some strides occurred 20 times too often in large rings.
RING_FACTORS = (
    0x2545F4914F6CDD1D,
    0x369DEA0F31A53F85,
    0x5851F42D4C957F2D,
    0x1E3779B97F4A7C15,
)

CHUNK = 16 * 1024  # bytes; each chunk of traffic is either read or written as a whole
