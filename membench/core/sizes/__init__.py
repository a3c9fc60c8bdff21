"""Which CPUs a case runs on, which caches they reach, and how large its arrays must be."""
