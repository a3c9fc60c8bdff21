"""Advises whether to restore or recompute KV cache, for one model on one machine."""
