"""Many hosts at once, on Dask distributed, which does all scheduling."""
