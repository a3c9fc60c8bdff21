"""Paired runs, which measure two settings in turn."""
