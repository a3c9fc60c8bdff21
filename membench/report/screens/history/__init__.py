"""Output of `membench history`."""
