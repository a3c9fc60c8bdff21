"""Allocation of GPU memory that skips the case if too little memory is free."""

from __future__ import annotations

from typing import TYPE_CHECKING

from membench.core.errors import skip
from membench.core.units import about_size

if TYPE_CHECKING:
    from membench.gpu.protocol import Buffer, Gpu


def room_for(gpu: Gpu, size: int) -> Buffer:
    """Allocate ``size`` bytes of device memory.

    Raises:
        Skip: the GPU has too little free memory.
    """
    free = gpu.links.free_bytes()
    if size > free:
        skip(f"needs {about_size(size)} of GPU memory, but only {about_size(free)} are free")
    return gpu.allocate(size)
