"""Bandwidth and latency of shared memory, of the same block and of other blocks in a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from membench.core.case import Needs, axis, bench
from membench.core.errors import VerificationFailed
from membench.core.terms import BytesConvention, Metric, Stat
from membench.core.units import KIB
from membench.core.work import Observation, Observed, Timed, Work
from membench.workloads.clusters import alone_on_its_sm, needs_clusters, resident_clusters

if TYPE_CHECKING:
    from membench.gpu.protocol import Gpu

BLOCK = 1024
TURN_BYTES = 32 * KIB
"""Bytes that the threads of a block together access in one loop turn."""

TURNS = 2048
"""Loop turns per launch: about 0.3 ms without bank conflicts."""

WORDS = 4096
STEP = 1021
"""Word i of the ring points to word i + STEP. STEP is odd, so that the ring is one cycle."""

LOADS = 32
HOPS_TURNS = 1000
LAUNCHES = 5
_SALT = 41


def conflict(width: int, stride: int) -> int:
    """Number of passes of a request, relative to a request without bank conflicts.

    Shared memory has 32 banks of four bytes. ``stride`` (a power of two) is the distance between
    neighbouring lanes, in elements of ``width`` bytes.
    """
    return min(stride, 128 // width)


def tiles(width: int) -> int:
    """Number of tiles per loop turn. A tile has one element of ``width`` bytes per thread."""
    return TURN_BYTES // (BLOCK * width)


def memory_bytes(width: int) -> int:
    """Bytes of dynamic shared memory for all tiles that the loop turns access."""
    return (2 * tiles(width) - 1) * BLOCK * width


def tile_sum(width: int, tile: int, salt: int) -> int:
    """Sum of the words in tile number ``tile`` of the pattern, valid modulo 2^32."""
    from membench.gpu.verify.pattern import pattern_sum

    words = BLOCK * width // 4
    return pattern_sum((tile + 1) * words, salt) - pattern_sum(tile * words, salt)


def read_sum(width: int, turns: int, salt: int) -> int:
    """Sum of the words that a block reads in ``turns`` loop turns, valid modulo 2^32."""
    each = tiles(width)
    of_tile = [tile_sum(width, tile, salt) for tile in range(2 * each - 1)]
    return sum(sum(of_tile[turn % each : turn % each + each]) for turn in range(turns))


def written_sum(width: int, turns: int, salt: int) -> int:
    """Sum of the words in shared memory after ``turns`` loop turns of writes, valid modulo 2^32.

    A tile that no turn has written still contains the pattern.
    """
    each, total = tiles(width), 0
    for tile in range(2 * each - 1):
        turn = max((t for t in range(turns) if 0 <= tile - t % each < each), default=None)
        if turn is None:
            total += tile_sum(width, tile, salt)
        else:
            total += width // 4 * (BLOCK * (BLOCK - 1) // 2 + BLOCK * turn)
    return total


def _bandwidth(gpu: Gpu, operation: str, width: int, stride: int) -> Work:
    import numpy as np

    from membench.gpu.protocol import KernelVariant
    from membench.gpu.verify.content import BlockSums

    kernel = gpu.kernel(KernelVariant.of("shared.cu", WIDTH=width), f"shared_{operation}")
    blocks, shared = gpu.properties.sms, memory_bytes(width)
    sums = BlockSums(gpu, blocks)
    args = (sums.buffer, np.uint32(stride), np.uint32(TURNS), np.uint32(_SALT))
    expected = (read_sum if operation == "read" else written_sum)(width, TURNS, _SALT)

    def run(iterations: int) -> None:
        for _ in range(iterations):
            gpu.launch(kernel, blocks, BLOCK, args, shared=shared)

    return Timed(
        run=run,
        verify=lambda iterations: sums.check(f"smem/{operation}", blocks * iterations * expected),
        size_bytes=shared,
        bytes_moved=blocks * TURNS * TURN_BYTES,
        bytes_convention=BytesConvention.RW_SUM,
        min_sample_s=0.001,
        detail={"sms": blocks, "conflict": conflict(width, stride), "registers": kernel.registers},
    )


@bench(
    "smem/read",
    version=1,
    needs=Needs.GPU,
    seconds=lambda width, stride: 0.04 + 0.006 * conflict(width, stride),
)
@axis("width", quick=4, full=(4, 8, 16), closed=True)
@axis("stride", quick=1, full=(1, 2, 4, 8, 16, 32), closed=True)
def read(gpu: Gpu, width: int, stride: int) -> Work:
    """Read bandwidth of shared memory, summed over all SMs.

    ``width`` is the number of bytes per load and thread. ``stride`` is the distance of neighbouring
    threads in elements of this width. The entry ``conflict`` of the row's detail is the predicted
    slow-down by bank conflicts: the bandwidth at stride 1 / the bandwidth at ``stride``.
    """
    return _bandwidth(gpu, "read", width, stride)


@bench(
    "smem/write",
    version=1,
    needs=Needs.GPU,
    seconds=lambda width, stride: 0.04 + 0.006 * conflict(width, stride),
)
@axis("width", quick=4, full=(4, 8, 16), closed=True)
@axis("stride", quick=1, full=(1, 2, 4, 8, 16, 32), closed=True)
def write(gpu: Gpu, width: int, stride: int) -> Work:
    """Write bandwidth of shared memory, summed over all SMs.

    ``width`` is the number of bytes per store and thread. ``stride`` is the distance of
    neighbouring threads in elements of this width.
    """
    return _bandwidth(gpu, "write", width, stride)


@bench(
    "smem/latency",
    version=2,  # version 2: two blocks of a cluster never share an SM
    needs=Needs.GPU,
    yields=(Metric.LATENCY, Stat.MEDIAN),
    seconds=0.04,
)
@axis("cluster", quick=1, full=(1, 2, 4, 8, 16), closed=True)
def latency(gpu: Gpu, cluster: int) -> Work:
    """Latency of a dependent load from a block's own shared memory, or from another block's.

    If ``cluster`` is above 1, the loads access the shared memory of the next block in a cluster of
    that size. This access (distributed shared memory) needs compute capability 9.0 or newer.
    """
    import numpy as np

    from membench.gpu.protocol import KernelVariant

    needs_clusters(gpu, cluster)
    own = cluster == 1
    variant = KernelVariant.of("shared.cu", LOADS=LOADS, **({} if own else {"CLUSTER": cluster}))
    kernel = gpu.kernel(variant, "shared_chase" if own else "cluster_chase")
    ring = (4 if own else 8) * WORDS
    shared = ring
    if not own:
        shared = alone_on_its_sm(gpu, ring)
        resident_clusters(gpu, kernel, cluster, 32, shared)
    out = gpu.allocate(24)
    args = (out, np.uint32(WORDS), np.uint32(STEP), np.uint32(HOPS_TURNS))
    hops = LOADS * HOPS_TURNS
    ends: list[int] = []

    def walk() -> tuple[float, float]:
        gpu.launch(kernel, cluster, 32, args, shared=shared)
        end, ns, cycles = (int(word) for word in gpu.download(out, np.uint64, 3))
        ends.append(end)
        return ns / hops, cycles / hops

    def observe(_seconds: float) -> Observation:
        walk()
        walks = [walk() for _ in range(LAUNCHES)]
        return Observation(
            {(Metric.LATENCY, Stat.MEDIAN): [ns for ns, _ in walks]},
            {"cycles": round(float(np.median([cycles for _, cycles in walks])), 2)},
            sm_mhz=float(np.median([1e3 * cycles / ns for ns, cycles in walks])),
        )

    def verify() -> None:
        if wrong := [end for end in ends if end != hops * STEP % WORDS]:
            raise VerificationFailed(
                f"after {hops} loads, the pointer chase is at word {wrong[0]}, not at word "
                f"{hops * STEP % WORDS}"
            )

    return Observed(
        observe=observe,
        seconds=0.01,
        timer="globaltimer",
        size_bytes=ring,
        verify=verify,
        detail={"hops": hops, "registers": kernel.registers},
    )


@bench(
    "smem/cluster",
    version=2,  # version 2: only resident clusters, so that no cluster waits
    needs=Needs.GPU,
    profiles=("full",),
    seconds=0.06,
)
@axis("cluster", quick=2, full=(2, 4, 8, 16), closed=True)
def neighbour(gpu: Gpu, cluster: int) -> Work:
    """Read bandwidth of distributed shared memory, summed over all SMs.

    Every block reads 16 bytes per thread from the next block in its cluster. Each SM runs at most
    one block. The bench runs as many clusters as are resident at once. A cluster runs within one
    GPC, so some SMs of a GPC can stay idle.
    """
    import numpy as np

    from membench.gpu.protocol import KernelVariant
    from membench.gpu.verify.content import BlockSums

    needs_clusters(gpu, cluster)
    kernel = gpu.kernel(KernelVariant.of("shared.cu", CLUSTER=cluster), "cluster_read")
    shared = alone_on_its_sm(gpu, memory_bytes(16))
    blocks = resident_clusters(gpu, kernel, cluster, BLOCK, shared) * cluster
    sums = BlockSums(gpu, blocks)
    args = (sums.buffer, np.uint32(TURNS), np.uint32(_SALT))
    # Block r of a cluster reads the data of block r + 1.
    expected = [read_sum(16, TURNS, _SALT + (rank + 1) % cluster) for rank in range(cluster)]

    def run(iterations: int) -> None:
        for _ in range(iterations):
            gpu.launch(kernel, blocks, BLOCK, args, shared=shared)

    def verify(iterations: int) -> None:
        for block, found in enumerate(sums.each()):
            if int(found) != iterations * expected[block % cluster] % 2**32:
                raise VerificationFailed(f"smem/cluster: block {block} read wrong data")

    return Timed(
        run=run,
        verify=verify,
        size_bytes=memory_bytes(16),
        bytes_moved=blocks * TURNS * TURN_BYTES,
        bytes_convention=BytesConvention.RW_SUM,
        min_sample_s=0.001,
        detail={
            "blocks": blocks,
            "sms": gpu.properties.sms,
            "registers": kernel.registers,
        },
    )
