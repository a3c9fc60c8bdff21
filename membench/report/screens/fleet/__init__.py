"""Output of `membench fleet run` and `membench fleet report`."""
