"""NVIDIA GPUs as NVML and the kernel describe them."""
