"""Benches of a GPU's links to the host and to other GPUs."""
