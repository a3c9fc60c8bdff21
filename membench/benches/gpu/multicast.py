"""Bulk copies with multicast: one read from L2 fills shared memory in all blocks of a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from membench.core.case import Needs, axis, bench
from membench.core.errors import VerificationFailed, skip
from membench.core.terms import BytesConvention
from membench.core.units import KIB, MIB
from membench.core.work import Timed, Work
from membench.workloads.clusters import alone_on_its_sm, needs_clusters, resident_clusters

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from membench.gpu.protocol import Gpu

BLOCK = 256
TILE = 16 * KIB
STAGES = 6

SIZE = 16 * MIB
"""Bytes of the working set, which fits in the L2 cache of every GPU with multicast."""

TILES = 1024
"""Tiles that every block receives per launch: 16 MiB, or about 0.5 ms at 4 TB/s on an H100."""

MULTICAST = range(90, 120)
"""Compute capabilities with fast multicast; for others, the assembler warns."""

_SALT = 43


def tile_sums(count: int, salt: int) -> npt.NDArray[np.uint64]:
    """Sums, valid modulo 2^32, of the words in each of the first ``count`` tiles."""
    import numpy as np

    from membench.gpu.verify.pattern import pattern_sum

    ends = [pattern_sum(tile * (TILE // 4), salt) % 2**32 for tile in range(count + 1)]
    return np.diff(np.array(ends, np.int64)).astype(np.uint64)


def received(cluster: int, clusters: int, tiles: int, sums: npt.NDArray[np.uint64]) -> int:
    """Sum, modulo 2^32, of the words that each block of cluster number ``cluster`` receives.

    ``tiles`` is the number of tiles per launch. ``sums`` has the sum of the words of each tile.
    """
    import numpy as np

    taken = (cluster + np.arange(tiles) * clusters) % sums.size
    return int(sums[taken].sum(dtype=np.uint64)) % 2**32


@bench(
    "smem/multicast",
    version=1,
    needs=Needs.GPU,
    profiles=("full",),
    seconds=0.06,
    gpu_memory=SIZE + MIB,
)
@axis("cluster", quick=2, full=(2, 1, 4, 8, 16), closed=True)
def multicast(gpu: Gpu, cluster: int) -> Work:
    """Bandwidth from L2 into shared memory if a cluster reads every tile once for all its blocks.

    Each block reads a share of a tile and sends the share to all blocks of the cluster. The
    bandwidth counts the bytes that arrive, summed over all blocks. L2 delivers 1 / ``cluster`` of
    these bytes. For comparison, ``cluster=1`` reads every tile with plain bulk copies.
    """
    import numpy as np

    from membench.gpu.protocol import KernelVariant
    from membench.gpu.verify.content import BlockSums
    from membench.gpu.verify.pattern import Patterns

    if gpu.properties.capability not in MULTICAST:
        skip("bulk copies with multicast need compute capability 9.0, or 10.0 to 11.0")
    needs_clusters(gpu, cluster)
    kernel = gpu.kernel(KernelVariant.of("tma.cu", CLUSTER=cluster), "tma_multicast")
    shared = alone_on_its_sm(gpu, STAGES * TILE, kernel.shared_bytes)
    clusters = resident_clusters(gpu, kernel, cluster, BLOCK, shared)
    blocks = cluster * clusters
    memory = gpu.allocate(SIZE)
    Patterns(gpu).fill(memory, _SALT)
    sums = BlockSums(gpu, blocks)
    count = SIZE // TILE
    args = (sums.buffer, memory, np.uint32(count - 1), np.uint32(TILES))
    of_tile = tile_sums(count, _SALT)

    def run(iterations: int) -> None:
        for _ in range(iterations):
            gpu.launch(kernel, blocks, BLOCK, args, shared=shared)

    def verify(iterations: int) -> None:
        for block, found in enumerate(sums.each()):
            expected = received(block // cluster, clusters, TILES, of_tile)
            if int(found) != iterations * expected % 2**32:
                raise VerificationFailed(f"smem/multicast: block {block} received wrong data")

    return Timed(
        run=run,
        verify=verify,
        size_bytes=SIZE,
        bytes_moved=blocks * TILES * TILE,
        bytes_convention=BytesConvention.PAYLOAD,
        min_sample_s=0.001,
        detail={
            "blocks": blocks,
            "sms": gpu.properties.sms,
            "in_flight": (STAGES - 1) * TILE,
            "l2_bytes": clusters * TILES * TILE,
            "registers": kernel.registers,
        },
    )
