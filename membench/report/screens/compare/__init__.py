"""The output of `membench compare`."""
