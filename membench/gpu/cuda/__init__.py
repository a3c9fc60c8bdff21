"""The CUDA backend: device, memory, links, compiler and libraries."""
