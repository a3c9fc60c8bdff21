"""The GPU interface that benches use, its CUDA backend, and the verification of results."""
