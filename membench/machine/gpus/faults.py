"""Faults of a GPU that answers: its compute mode, MPS, confidential computing, vGPU.

Source of names and numbers: nvml.h; the modes are read, never changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from membench.core.snapshot import GpuFault
from membench.machine.gpus.nvml import called
from membench.machine.gpus.state import computes_confidentially

_PROHIBITED, _EXCLUSIVE_PROCESS = 2, 3  # nvmlComputeMode_t
_VGPU = 2  # nvmlGpuVirtualizationMode_t: this machine is the guest


def faults_of(nvml: Any, handle: Any, index: int) -> Iterator[GpuFault]:
    """Faults of the GPU with NVML's index ``index``, those that prevent a measurement first."""
    mode = called(nvml, "nvmlDeviceGetComputeMode", handle)
    default = f"ask its owner for: sudo nvidia-smi -i {index} -c DEFAULT"
    if mode == _PROHIBITED:
        yield GpuFault(index, "its compute mode prohibits computing", default)
    if mode == _EXCLUSIVE_PROCESS:
        yield GpuFault(
            index,
            "its compute mode admits one process at a time: a case fails while another has it",
            default,
            shown=True,
        )
    if called(nvml, "nvmlDeviceGetMPSComputeRunningProcesses_v3", handle):
        yield GpuFault(
            index,
            "processes share it through an MPS server, which may cap threads and memory",
            "end them, then: echo quit | nvidia-cuda-mps-control",
            shown=True,
        )
    if computes_confidentially(nvml):
        yield GpuFault(
            index,
            "confidential computing is on: copies over the link are encrypted and slower",
            "compare with runs in this mode alone; who owns the host may switch it off",
            shown=True,
        )
    if called(nvml, "nvmlDeviceGetVirtualizationMode", handle) == _VGPU:
        yield GpuFault(
            index,
            "it is a vGPU: a share of a card, whose other guests take their turns",
            "compare with the same vGPU profile alone; nvidia-smi -q shows profile and licence",
            shown=True,
        )
