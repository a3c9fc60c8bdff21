"""Prints the output of `membench compare`."""
