"""Facts about NVIDIA GPUs, from NVML and the kernel."""
