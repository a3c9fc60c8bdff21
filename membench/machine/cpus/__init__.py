"""The processors: topology, caches and names."""
