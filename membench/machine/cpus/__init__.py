"""Processors: topology and names."""
