"""Modes of a GPU that prevent or distort measurements, such as MPS and confidential computing.

Source of names and numbers: nvml.h.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from membench.core.snapshot import GpuFault
from membench.machine.gpus.nvml import called
from membench.machine.gpus.state import computes_confidentially

_PROHIBITED, _EXCLUSIVE_PROCESS = 2, 3  # values of nvmlComputeMode_t
_VGPU = 2  # value of nvmlGpuVirtualizationMode_t for a guest that uses a vGPU


def faults_of(nvml: Any, handle: Any, index: int) -> Iterator[GpuFault]:
    """Faults of the GPU with NVML's index ``index``; those that prevent measurements come first."""
    mode = called(nvml, "nvmlDeviceGetComputeMode", handle)
    default = f"ask an administrator to run: sudo nvidia-smi -i {index} -c DEFAULT"
    if mode == _PROHIBITED:
        yield GpuFault(index, "the compute mode prohibits all compute processes", default)
    if mode == _EXCLUSIVE_PROCESS:
        yield GpuFault(
            index,
            "the compute mode admits one process at a time: a case fails while another process "
            "uses the GPU",
            default,
            shown=True,
        )
    if called(nvml, "nvmlDeviceGetMPSComputeRunningProcesses_v3", handle):
        yield GpuFault(
            index,
            "processes share the GPU through an MPS server, which may limit threads and memory",
            "end these processes, then run: echo quit | nvidia-cuda-mps-control",
            shown=True,
        )
    if computes_confidentially(nvml):
        yield GpuFault(
            index,
            "confidential computing is on: copies over the link are encrypted and slower",
            "compare only with runs in this mode; an administrator may switch the mode off",
            shown=True,
        )
    if called(nvml, "nvmlDeviceGetVirtualizationMode", handle) == _VGPU:
        yield GpuFault(
            index,
            "the GPU is a vGPU: other guests may use the same card",
            "compare only with the same vGPU profile; nvidia-smi -q shows profile and licence",
            shown=True,
        )
