"""Allocation of GPU memory, part of which other programs may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from membench.core.errors import skip
from membench.core.units import about_size

if TYPE_CHECKING:
    from membench.gpu.protocol import Buffer, Gpu


def room_for(gpu: Gpu, size: int) -> Buffer:
    """``size`` bytes of device memory.

    Raises:
        Skip: there is not enough free memory.
    """
    free = gpu.links.free_bytes()
    if size > free:
        skip(f"needs {about_size(size)} of GPU memory, but only {about_size(free)} are free")
    return gpu.allocate(size)
