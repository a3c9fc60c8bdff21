"""Facts about NVIDIA GPUs, from NVML, CUDA's driver, Linux and environment variables."""
