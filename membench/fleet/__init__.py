"""Measurements on many hosts at once; Dask distributed does the scheduling."""
