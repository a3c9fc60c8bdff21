"""Prints the output of `membench history`."""
