"""Measurements on many hosts at once, scheduled by Dask distributed."""
