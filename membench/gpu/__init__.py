"""The GPU: the interface for benches, and the verification of results."""
