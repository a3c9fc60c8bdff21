"""The round in the worker process: build, time and verify cases."""
