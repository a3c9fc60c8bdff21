"""Measurement of host memory and disks with kernels that Numba compiles."""
