"""Copies scattered KV blocks from one paged pool to another with a GPU kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from membench.core.axes import OMITTED, Value
from membench.core.errors import skip
from membench.core.record import record
from membench.core.units import KIB
from membench.core.work import Detail
from membench.gpu.bulk import require_bulk

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from membench.gpu.protocol import Buffer, Gpu, Stream

UNROLL = 4
BLOCK = 512
BULK_SHARED = 64 * KIB

KERNELS = ("sm", "bulk")
"""The methods that copy with a kernel."""

MOST_GRID = 1 << 16
"""Maximum number of thread blocks that a user can ask for."""


@record
class Move:
    """A prepared copy of all blocks.

    Attributes:
        once: function that queues the copy in the given stream, by default in the measured queue.
        facts: key-value pairs for the `detail` of a row.
    """

    once: Callable[..., None]
    facts: Detail


def pool_blocks(count: int) -> int:
    """Number of blocks in a pool: ``count`` to copy, and others that the copy must not change."""
    return count + count // 16 + 1


def require_method(gpu: Gpu, method: str) -> None:
    """Skip the case if ``method`` is `bulk` and the GPU has no bulk copies."""
    if method == "bulk":
        require_bulk(gpu)


def require_grid(method: str, grid: Value) -> None:
    """Skip the case if ``grid`` limits the thread blocks, but ``method`` runs no kernel."""
    if grid != OMITTED and method not in KERNELS:
        skip(f"grid={grid} limits the thread blocks of a kernel, but {method} runs no kernel")


def kernel_move(
    gpu: Gpu,
    method: str,
    target: Buffer,
    source: Buffer,
    tables: Sequence[npt.NDArray[np.uint32]],
    block: int,
    grid: int,
) -> Move:
    """Prepare a copy with the kernel ``kv_move`` (method `sm`) or ``kv_bulk`` (method `bulk`).

    Args:
        tables: two arrays: the block numbers in the target, and the block numbers in the source.
        block: bytes per KV block.
        grid: maximum number of thread blocks; 0 for as many as the GPU can run at once.
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
    # number of thread blocks with work: in kv_bulk, a thread block copies whole KV blocks; in
    # kv_move, a warp copies pieces of 512 * UNROLL bytes
    tiles = count if bulk else -(-count * -(-block // (512 * UNROLL)) // (BLOCK // 32))
    chosen = min(grid or fits, tiles, fits)
    number = np.uint32(block if bulk else block // 16)
    args = (target, source, to, source_blocks, np.uint32(count), number)

    def once(stream: Stream | None = None) -> None:
        gpu.launch(kernel, chosen, threads, args, shared=shared, stream=stream)

    return Move(once, {"grid": chosen})
