"""Benches of the links around a GPU."""
