"""Advice on restoring or recomputing KV cache, for one model and one machine's measurements."""
