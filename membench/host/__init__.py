"""Measures the host's memory and disks by kernels that Numba compiles."""
