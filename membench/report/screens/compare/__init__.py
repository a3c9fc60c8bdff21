"""Output of `membench compare`."""
