"""Moves of scattered blocks from one paged pool to another with a kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from membench.core.errors import skip
from membench.core.record import record
from membench.core.units import KIB
from membench.core.work import Detail

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from membench.gpu.protocol import Buffer, Gpu, Stream

UNROLL = 4
BLOCK = 512
BULK_SHARED = 64 * KIB
BULK_CAPABILITY = 90


@record
class Move:
    """A prepared move of all blocks.

    Attributes:
        once: function that queues the move; the kernel runs in the given stream.
        facts: facts for the row's `detail`.
    """

    once: Callable[..., None]
    facts: Detail


def pool_blocks(count: int) -> int:
    """Blocks in a pool: ``count`` blocks to move, and a sixteenth more that must not change."""
    return count + count // 16 + 1


def require_method(gpu: Gpu, method: str) -> None:
    """Skip the case if ``method`` is `bulk` and the GPU has no bulk copies."""
    if method == "bulk" and gpu.properties.capability < BULK_CAPABILITY:
        skip("bulk copies through shared memory need compute capability 9.0")


def kernel_move(
    gpu: Gpu,
    method: str,
    target: Buffer,
    source: Buffer,
    tables: Sequence[npt.NDArray[np.uint32]],
    block: int,
    grid: int,
) -> Move:
    """A move with the kernel ``kv_move`` (`sm`) or ``kv_bulk`` (`bulk`).

    Args:
        tables: block numbers in the target, and for each the block number in the source.
        grid: maximum number of thread blocks; 0 for as many as are useful.
    """
    import numpy as np

    from membench.gpu.protocol import KernelVariant

    count = tables[0].size
    to, source_blocks = (gpu.allocate(table.nbytes) for table in tables)
    for buffer, table in zip((to, source_blocks), tables, strict=True):
        gpu.upload(buffer, table)
    variant = KernelVariant.of("kv.cu", UNROLL=UNROLL)
    bulk = method == "bulk"
    kernel = gpu.kernel(variant, "kv_bulk" if bulk else "kv_move")
    threads, shared = (32, BULK_SHARED) if bulk else (BLOCK, 0)
    fits = gpu.properties.sms * gpu.occupancy(kernel, threads, shared)
    # In kv_move each warp copies a tile; in kv_bulk each thread block copies a KV block.
    tiles = count if bulk else -(-count * -(-block // (512 * UNROLL)) // (BLOCK // 32))
    chosen = min(grid or fits, tiles, fits)
    number = np.uint32(block if bulk else block // 16)
    args = (target, source, to, source_blocks, np.uint32(count), number)

    def once(stream: Stream | None = None) -> None:
        gpu.launch(kernel, chosen, threads, args, shared=shared, stream=stream)

    return Move(once, {"grid": chosen})
