"""The CUDA backend: device, memory, links, compiler, and calls of NVIDIA's libraries."""
