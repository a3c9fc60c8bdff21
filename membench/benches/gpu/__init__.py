"""Benches of GPU caches, shared memory, compute, launches, energy and decode steps."""
