"""Many hosts at once, on Dask distributed.  Nothing here schedules: Dask does."""
