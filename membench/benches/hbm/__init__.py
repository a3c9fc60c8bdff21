"""Benches of GPU memory."""
