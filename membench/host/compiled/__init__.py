"""Compilation of host kernels, and code that all kernels share."""
