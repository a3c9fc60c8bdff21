"""Host memory: arrays, threads, streams, pointer chases, traffic."""
