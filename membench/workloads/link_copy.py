"""Copies between two addresses by copy engine or kernel, and filling of any kind of memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from membench.gpu.protocol import Buffer, Gpu, Stream

BLOCK = 512
UNROLL = 8


def copies(
    gpu: Gpu, engine: str, target: int, source: int, size: int, grid: int = 0
) -> Callable[[Stream | None], None]:
    """A function that queues one copy, by copy engine (``ce``) or kernel (``sm``).

    Args:
        grid: thread blocks of the kernel; 0 for one on each SM.
    """
    import numpy as np

    from membench.gpu.protocol import KernelVariant

    if engine == "ce":
        return lambda stream: gpu.copy(target, source, size, stream)
    kernel = gpu.kernel(KernelVariant.of("link.cu", UNROLL=UNROLL), "link_copy")
    args = (np.uint64(target), np.uint64(source), np.uint64(size // 16))
    blocks = grid or gpu.properties.sms
    return lambda stream: gpu.launch(kernel, blocks, BLOCK, args, stream=stream)


def host_fill(gpu: Gpu, device: Buffer, host: Buffer, fill: Callable[[Buffer], None]) -> None:
    """Fill ``host`` (any kind of memory) with what ``fill`` writes into ``device``."""
    fill(device)
    gpu.copy(host.address, device.address, host.size)
    gpu.synchronize()
