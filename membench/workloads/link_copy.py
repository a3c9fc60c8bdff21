"""Copies data over the host link, with a copy engine or with a kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from membench.gpu.bulk import require_bulk

if TYPE_CHECKING:
    from membench.gpu.protocol import Buffer, Gpu, Stream

BLOCK = 512
UNROLL = 8

TMA_BLOCK = 32
TMA_BYTES = 64 << 10
"""Bytes of shared memory per thread block of the kernel with bulk copies."""


def copies(
    gpu: Gpu, engine: str, target: int, source: int, size: int, grid: int = 0
) -> Callable[[Stream | None], None]:
    """A function that queues one copy of ``size`` bytes from ``source`` to ``target``.

    The argument of the function is a stream; None means the measured queue.

    Args:
        engine: the copy engine (``ce``), a kernel with loads and stores (``sm``), or a kernel with
            bulk copies through shared memory (``tma``).
        target, source: addresses that the GPU can access.
        size: a multiple of 16 bytes.
        grid: number of SMs; 0 for all SMs. With ``sm``, the kernel gets one thread block per SM.
            With ``tma``, each SM gets as many thread blocks as fit. ``ce`` ignores the number.

    Raises:
        Skip: the engine is ``tma``, but the GPU has no bulk copies.
    """
    import numpy as np

    from membench.gpu.protocol import KernelVariant

    if engine == "ce":
        return lambda stream: gpu.copy(target, source, size, stream)
    if engine == "tma":
        require_bulk(gpu)
        bulk = gpu.kernel(KernelVariant.of("tma.cu"), "tma_copy")
        each = gpu.occupancy(bulk, TMA_BLOCK, TMA_BYTES)
        ends = (np.uint64(target), np.uint64(source), np.uint64(size // 16 * 16))
        sms = grid or gpu.properties.sms
        return lambda stream: gpu.launch(
            bulk, each * sms, TMA_BLOCK, ends, shared=TMA_BYTES, stream=stream
        )
    kernel = gpu.kernel(KernelVariant.of("link.cu", UNROLL=UNROLL), "link_copy")
    args = (np.uint64(target), np.uint64(source), np.uint64(size // 16))
    blocks = grid or gpu.properties.sms
    return lambda stream: gpu.launch(kernel, blocks, BLOCK, args, stream=stream)


def host_fill(gpu: Gpu, device: Buffer, host: Buffer, fill: Callable[[Buffer], None]) -> None:
    """Call ``fill(device)``, then copy ``host.size`` bytes from ``device`` to ``host``.

    The function returns when the copy is complete.
    """
    fill(device)
    gpu.copy(host.address, device.address, host.size)
    gpu.synchronize()
