"""The host: memory and disks, measured by kernels that Numba compiles."""
