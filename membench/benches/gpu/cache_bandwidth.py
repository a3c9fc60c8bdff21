"""Bandwidth of the GPU's caches, measured by reading or writing one working set repeatedly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from membench.core.case import Needs, axis, bench
from membench.core.terms import BytesConvention
from membench.core.units import GIB, KIB, MIB
from membench.core.work import Timed, Work

if TYPE_CHECKING:
    from membench.gpu.protocol import Gpu

CHUNK = 16 * KIB
"""Bytes that a thread block accesses at once, 16 bytes per thread."""

BLOCK = 1024
LAUNCH_BYTES = GIB
"""Bytes per launch, summed over all SMs, for a working set that the SMs share.

A launch accesses a larger working set once.
"""

OWN_BYTES = 32 * MIB
"""Bytes per launch and SM for a working set that every SM reads; a power of two."""

L1_SIZES = ("16KiB", "32KiB", "64KiB", "128KiB", "256KiB", "512KiB", "1MiB")
"""Sizes near the capacity of L1 caches."""

_SALT = 29


def _together(gpu: Gpu) -> int:
    """The largest odd number of thread blocks that are resident at once.

    The number of chunks is a power of two. So with an odd number of blocks, the block that accesses
    a given chunk differs from pass to pass.
    """
    blocks = gpu.properties.threads_per_sm // BLOCK * gpu.properties.sms
    return blocks - 1 + blocks % 2


def _seconds_together(size: int) -> float:
    return 0.06 + 12 * max(size, LAUNCH_BYTES) / 2e12


def own_sum(blocks: int, spread: int, visits: int, chunks: int, salt: int) -> int:
    """Sum, modulo 2^32, of the pattern words that all blocks read.

    Block b begins at chunk b * ``spread`` of a ring of ``chunks`` chunks, and reads ``visits``
    consecutive chunks.
    """
    from membench.gpu.verify.pattern import pattern_sum

    words = CHUNK // 4

    def up_to(chunk: int) -> int:
        laps, rest = divmod(chunk, chunks)
        return laps * pattern_sum(chunks * words, salt) + pattern_sum(rest * words, salt)

    starts = (block * spread for block in range(blocks))
    return sum(up_to(start + visits) - up_to(start) for start in starts) % 2**32


@bench(
    "l2/read",
    version=1,
    needs=Needs.GPU,
    seconds=_seconds_together,
    gpu_memory=lambda size: size + MIB,
)
@axis("size", quick="16MiB", full="16KiB..4GiB *2", least=CHUNK, power=True)
def l2_read(gpu: Gpu, size: int) -> Work:
    """Read bandwidth of the L2 cache: all SMs read one working set and bypass their L1 caches.

    The thread block that reads a given chunk of 16 KiB differs from pass to pass. So each SM reads
    lines from both partitions of the L2 cache. If the working set exceeds the L2 capacity, the data
    come from memory.
    """
    import numpy as np

    from membench.gpu.protocol import KernelVariant
    from membench.gpu.verify.content import BlockSums
    from membench.gpu.verify.pattern import Patterns, pattern_sum
    from membench.gpu.verify.walk import hint_macro

    kernel = gpu.kernel(KernelVariant.of("cache.cu", HINT=hint_macro("cg")), "cache_read")
    blocks, laps, chunks = _together(gpu), max(1, LAUNCH_BYTES // size), size // CHUNK
    memory = gpu.allocate(size)
    Patterns(gpu).fill(memory, _SALT)
    sums = BlockSums(gpu, blocks)
    shape = (chunks - 1, 1, blocks, laps * chunks, 0)
    args = (sums.buffer, memory, *(np.uint32(number) for number in shape))

    def run(iterations: int) -> None:
        for _ in range(iterations):
            gpu.launch(kernel, blocks, BLOCK, args)

    def verify(iterations: int) -> None:
        sums.check("l2/read", laps * iterations * pattern_sum(size // 4, _SALT))

    return Timed(
        run=run,
        verify=verify,
        size_bytes=size,
        bytes_moved=laps * size,
        bytes_convention=BytesConvention.RW_SUM,
        min_sample_s=0.001,
        detail={"laps": laps, "blocks": blocks, "hint": "cg", "l2": gpu.properties.l2_bytes},
    )


@bench(
    "l2/write",
    version=1,
    needs=Needs.GPU,
    seconds=_seconds_together,
    gpu_memory=lambda size: size + MIB,
)
@axis("size", quick="16MiB", full="16KiB..4GiB *4", least=CHUNK, power=True)
def l2_write(gpu: Gpu, size: int) -> Work:
    """Write bandwidth of the L2 cache: all SMs write one working set.

    The thread block that writes a given chunk of 16 KiB differs from pass to pass.
    """
    import numpy as np

    from membench.gpu.protocol import KernelVariant
    from membench.gpu.verify.pattern import Patterns
    from membench.gpu.verify.walk import hint_macro

    kernel = gpu.kernel(KernelVariant.of("cache.cu", HINT=hint_macro("cg")), "cache_write")
    blocks, laps, chunks = _together(gpu), max(1, LAUNCH_BYTES // size), size // CHUNK
    memory = gpu.allocate(size)
    patterns = Patterns(gpu)
    patterns.poison(memory)
    shape = (_SALT, chunks - 1, blocks, laps * chunks)
    args = (memory, *(np.uint32(number) for number in shape))

    def run(iterations: int) -> None:
        for _ in range(iterations):
            gpu.launch(kernel, blocks, BLOCK, args)

    return Timed(
        run=run,
        verify=lambda _iterations: patterns.check("l2/write", memory, _SALT),
        size_bytes=size,
        bytes_moved=laps * size,
        bytes_convention=BytesConvention.RW_SUM,
        min_sample_s=0.001,
        detail={"laps": laps, "blocks": blocks, "l2": gpu.properties.l2_bytes},
    )


@bench(
    "l1/read",
    version=2,  # version 2: plain loads replace loads with the operator `ca`
    needs=Needs.GPU,
    seconds=0.07,
    gpu_memory=lambda size, **_: size + MIB,
)
@axis(
    "size",
    quick="64KiB",
    full=(*L1_SIZES, "4MiB", "16MiB", "64MiB", "1GiB", "4GiB"),
    least=CHUNK,
    power=True,
)
@axis("hint", quick="plain", full=("plain", "ca"))
def l1_read(gpu: Gpu, size: int, hint: str) -> Work:
    """Read bandwidth of the L1 caches, summed over all SMs: every SM reads the same working set.

    Each SM reads 32 MiB per launch. If the working set exceeds L1, the data come from L2 or from
    memory. ``hint`` is the cache operator of the loads: ``plain`` is a load without an operator, as
    in ordinary kernels; ``ca`` is a different instruction that also uses L1.
    """
    import numpy as np

    from membench.gpu.protocol import KernelVariant
    from membench.gpu.verify.content import BlockSums
    from membench.gpu.verify.pattern import Patterns
    from membench.gpu.verify.walk import hint_macro

    kernel = gpu.kernel(KernelVariant.of("cache.cu", HINT=hint_macro(hint)), "cache_read")
    gpu.prefer_l1(kernel)
    blocks, visits, chunks = gpu.properties.sms, OWN_BYTES // CHUNK, size // CHUNK
    memory = gpu.allocate(size)
    Patterns(gpu).fill(memory, _SALT)
    sums = BlockSums(gpu, blocks)
    spread = chunks // blocks
    shape = (chunks - 1, spread, 1, visits, 1)
    expected = own_sum(blocks, spread, visits, chunks, _SALT)
    args = (sums.buffer, memory, *(np.uint32(number) for number in shape))

    def run(iterations: int) -> None:
        for _ in range(iterations):
            gpu.launch(kernel, blocks, BLOCK, args)

    def verify(iterations: int) -> None:
        sums.check("l1/read", iterations * expected)

    return Timed(
        run=run,
        verify=verify,
        size_bytes=size,
        bytes_moved=blocks * OWN_BYTES,
        bytes_convention=BytesConvention.RW_SUM,
        min_sample_s=0.001,
        detail={"own_bytes": OWN_BYTES, "hint": hint, "sms": blocks, "carveout": 0},
    )
