"""The measurement of host memory: STREAM's kernels, pointer chases, and traffic."""
