"""Benches of host memory."""
