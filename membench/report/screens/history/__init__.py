"""The output of `membench history`."""
