"""Compilation of host kernels, and the code that all of them share."""
