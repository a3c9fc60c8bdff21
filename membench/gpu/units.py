"""Sizes in which GPU kernels access memory."""

VECTOR = 16
"""Bytes that a thread reads or writes with one access."""

LINE = 128
"""Bytes of a cache line of every NVIDIA GPU, and the distance of two pointers of a chase."""
