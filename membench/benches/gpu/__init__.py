"""Benches of GPU caches, compute and decode steps."""
