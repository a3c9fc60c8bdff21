"""Transfers of KV-cache blocks between host memory and a GPU, or within GPU memory.

A transfer copies N blocks of a paged pool to another pool. By default, the blocks are at random
positions in both pools, as in inference engines. For comparison, ``order=seq`` and
``method=contig`` copy consecutive blocks. From the rows, `membench.analysis.derive.policy` derives
the best method for each block size and number of blocks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from membench.core.axes import OMITTED, Value
from membench.core.case import Bench, Needs, axis, bench
from membench.core.terms import BytesConvention
from membench.core.units import GIB, KIB, MIB
from membench.core.work import Timed, Work
from membench.gpu.units import VECTOR
from membench.workloads.kv_move import (
    KERNELS,
    MOST_GRID,
    Move,
    kernel_move,
    pool_blocks,
    require_grid,
    require_method,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from membench.gpu.protocol import Buffer, Gpu

BLOCKS = (
    *("16KiB", "1KiB", "2KiB", "4KiB", "8KiB", "12KiB", "20KiB", "24KiB", "28KiB", "32KiB"),
    *("48KiB", "64KiB", "128KiB", "256KiB", "512KiB", "1MiB", "2MiB"),
)
COUNTS = (1024, 16, 128, 10_000, 100_000)
MOST_COUNT = 1 << 31
"""Maximum number of blocks, because a block number has 32 bits."""

METHODS = ("batch", "batch-any", "batch-overlap", "sm", "loop", "bulk", "contig")
BATCHES = ("batch", "batch-any", "batch-overlap")
"""Variants of the driver's batch copy.

``batch`` reads the sources in stream order. ``batch-any`` may read the sources at any time, as
engines do for copies from host to device (vLLM pull request 39306). ``batch-any`` would be wrong
for data that a kernel has just written. ``batch-overlap`` asks the driver to copy without SMs.
"""

LARGEST = 4 * GIB
"""Maximum bytes that a case of the profiles moves."""

MAP_BLOCKS = frozenset(size * KIB for size in (4, 16, 24, 28, 64, 256))
"""Block sizes that the full profile measures with several numbers of blocks."""

CLIFF = frozenset({(24 * KIB, "batch"), (28 * KIB, "batch"), (28 * KIB, "sm")})
"""Pairs (block size, method) that the full profile measures with 100,000 blocks.

vLLM issue 42212 describes a drop of the batch copy's rate between these block sizes.
"""

GRIDS = (OMITTED, 1, 4, 16, 64)

_SALT = 41
_SEED = 0xB10C


def _sensible(
    way: str, profile: str, block: int, count: int, method: str, order: str, grid: Value
) -> bool:
    """Whether the profile measures a case.

    All values of ``order`` and ``grid`` are measured only with 1024 blocks of 16 KiB.
    """
    if block * count > LARGEST:
        return False
    usual = block == 16 * KIB and count == 1024
    if method == "contig" and (order != "random" or grid != OMITTED):
        return False
    if method == "batch-any" and way != "h2d":
        return False  # see BATCHES
    if method == "batch-overlap" and not usual:
        return False  # one case shows whether the driver honours the request
    if grid != OMITTED:
        return method in KERNELS and usual and order == "random"
    if order == "seq":
        return usual
    return profile == "quick" or _on_the_map(way, block, count, method)


def _on_the_map(way: str, block: int, count: int, method: str) -> bool:
    mapped = block in MAP_BLOCKS
    if way == "d2d":
        return count == 1024 and block in (4 * KIB, 16 * KIB, 64 * KIB)
    if way == "d2h":
        return mapped and count <= 1024 and (method in ("batch", "sm") or block == 16 * KIB)
    if method == "batch-any" and count not in (1024, 10_000):
        return False
    if method in ("bulk", "contig"):
        return count == 1024 and mapped
    if count == 128 and block > 256 * KIB:
        return method != "loop"
    if count == 1024 and block <= 256 * KIB:
        return True
    if count == 100_000:  # the batch copy's rate drops only with very many blocks
        return (block, method) in CLIFF
    if count == 10_000:
        return block <= 64 * KIB and mapped and (method != "loop" or block == 16 * KIB)
    return mapped


def _seconds(way: str, block: int, count: int, method: str, **_: Value) -> float:
    """Estimated seconds.

    Page-locked memory is allocated at 3 GB/s. A batch copy reaches 6 GB/s with small blocks, and 27
    GB/s or more with larger blocks (vLLM issue 42212).
    """
    size = block * pool_blocks(count)
    each = {"loop": 3e-6, **dict.fromkeys(BATCHES, 0.5e-6)}.get(method, 0.0) * count
    if way == "d2d":
        pace, made = 300e9, 0.01
    else:
        pace, made = 25e9 if block >= 28 * KIB or method not in BATCHES else 6e9, 0.35
    samples = 2 + _samples(block, count, method)
    return 0.03 + made * size / GIB + samples * (block * count / pace + each)


def _samples(block: int, count: int, method: str) -> int:
    if block * count >= GIB // 2 or (method == "loop" and count > 1024):
        return 3
    return 6 if block * count > 64 * MIB else 10


def _tables(count: int, order: str) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """Block numbers in the target and in the source: block ``source[i]`` goes to ``target[i]``."""
    import numpy as np

    if order == "seq":
        both = np.arange(count, dtype=np.uint32)
        return both, both
    rng = np.random.default_rng(_SEED)
    blocks = pool_blocks(count)
    to, source = (rng.permutation(blocks)[:count].astype(np.uint32) for _ in range(2))
    return to, source


def _move(gpu: Gpu, way: str, block: int, count: int, method: str, order: str, grid: Value) -> Work:
    import numpy as np

    from membench.gpu.link_protocol import link_detail, link_flags
    from membench.gpu.verify.pattern import UNTOUCHED, Patterns

    require_method(gpu, method)
    require_grid(method, grid)
    links = gpu.links
    blocks = pool_blocks(count)
    size = block * blocks
    places: dict[str, Buffer] = {"d": gpu.allocate(size)}
    places["other"] = gpu.allocate(size) if way == "d2d" else links.memory(size, "pinned")
    source = places["other"] if way[0] == "h" else places["d"]
    target = places["d"] if way[0] == "h" else places["other"]
    to, from_ = _tables(count, "seq" if method == "contig" else order)
    of = np.full(blocks, UNTOUCHED, np.uint32)
    of[to] = from_

    patterns = Patterns(gpu)
    patterns.fill(source, _SALT)
    if way == "d2h":  # memset cannot fill host memory
        poisoned = gpu.allocate(min(size, 64 * MIB))
        patterns.poison(poisoned)
        for start in range(0, size, poisoned.size):
            part = min(poisoned.size, size - start)
            gpu.copy(target.address + start, poisoned.address, part)
    else:
        patterns.poison(target)
    gpu.synchronize()

    move = _method(gpu, method, target, source, to, from_, block, grid)
    detail: dict[str, str | int | float] = {**link_detail(links), **move.facts}

    def run(iterations: int) -> None:
        begin = time.perf_counter_ns()
        for _ in range(iterations):
            move.once()
        spent = time.perf_counter_ns() - begin
        detail["host_us"] = round(spent / iterations / 1e3, 1)

    def verify(_iterations: int) -> None:
        patterns.check_blocks(f"{way} by {method}", target, block, of, _SALT)

    return Timed(
        run=run,
        verify=verify,
        size_bytes=block * count,
        bytes_moved=block * count,
        bytes_convention=BytesConvention.PAYLOAD,
        min_sample_s=0.0005,
        samples=_samples(block, count, method),
        # For these methods, the host's time for submitting many copies is part of the result.
        may_block=method not in ("loop", *BATCHES),
        launches=count if method in ("loop", *BATCHES) else 1,
        flags=link_flags(links),
        detail=detail,
    )


def _method(
    gpu: Gpu,
    method: str,
    target: Buffer,
    source: Buffer,
    to: npt.NDArray[np.uint32],
    from_: npt.NDArray[np.uint32],
    block: int,
    grid: Value,
) -> Move:
    import numpy as np

    if method == "contig":
        return Move(lambda: gpu.copy(target.address, source.address, block * to.size), {})
    targets = np.uint64(target.address) + to.astype(np.uint64) * np.uint64(block)
    sources = np.uint64(source.address) + from_.astype(np.uint64) * np.uint64(block)
    if method in BATCHES:
        source_order = "any" if method == "batch-any" else "stream"
        sizes = np.full(to.size, block, np.uint64)
        overlap = method == "batch-overlap"
        return Move(
            gpu.links.batch(targets, sources, sizes, source_order, overlap=overlap),
            {"batch": gpu.links.batch_version, "source_order": source_order},
        )
    if method == "loop":
        pairs = list(zip(targets.tolist(), sources.tolist(), strict=True))

        def loop() -> None:
            for one, other in pairs:
                gpu.copy(one, other, block)

        return Move(loop, {})
    return kernel_move(gpu, method, target, source, (to, from_), block, int(grid or 0))


def _declare(way: str) -> Callable[[Callable[..., Work]], Bench]:
    def decorate(function: Callable[..., Work]) -> Bench:
        quick = {"block": ("16KiB", "4KiB", "64KiB"), "method": ("batch", "sm")}
        if way == "h2d":
            quick |= {"method": ("batch", "batch-any", "sm")}
        function = axis("grid", quick=OMITTED, full=GRIDS, most=MOST_GRID)(function)
        function = axis("order", quick="random", full=("random", "seq"))(function)
        function = axis("method", quick=quick["method"], full=METHODS)(function)
        function = axis("count", quick=1024, full=COUNTS, most=MOST_COUNT)(function)
        function = axis("block", quick=quick["block"], full=BLOCKS, step=VECTOR, most=GIB)(function)
        pools = 2 if way == "d2d" else 1
        return bench(
            f"kv/{way}",
            version=1,
            needs=Needs.GPU,
            seconds=lambda **params: _seconds(way, **params),
            memory=lambda block, count, **_: (2 - pools) * block * pool_blocks(count),
            gpu_memory=lambda block, count, **_: pools * block * pool_blocks(count) + 72 * MIB,
            grid=("block", "method") if way == "h2d" else (),
            full_grid=("block", "count", "method"),
            second_grid=("method", "order", "grid"),
            where=lambda profile, **params: _sensible(way, profile, **params),
        )(function)

    return decorate


@_declare("h2d")
def h2d(gpu: Gpu, block: int, count: int, method: str, order: str, grid: Value) -> Work:
    """Move scattered blocks from a pool in host memory to a pool on the GPU.

    ``method`` is one of:

    - `loop`: one asynchronous copy per block.
    - `batch`: one call of the driver's batch copy.
    - `batch-any`: a batch copy for which the driver may read the sources at any time.
    - `batch-overlap`: a batch copy, with a request to the driver to copy without SMs.
    - `sm`: a kernel that gathers and scatters the blocks.
    - `bulk`: a kernel that gathers and scatters the blocks by bulk copies through shared memory.
    - `contig`: one contiguous copy of the same number of bytes, for reference.

    ``grid`` limits the thread blocks of a kernel. With ``order=random`` the blocks are at random
    positions in both pools. The entry `host_us` of the row's detail is the time in us that the host
    takes to submit the copies.
    """
    return _move(gpu, "h2d", block, count, method, order, grid)


@_declare("d2h")
def d2h(gpu: Gpu, block: int, count: int, method: str, order: str, grid: Value) -> Work:
    """Move scattered blocks from a pool on the GPU to a pool in host memory.

    ``kv/h2d`` describes the methods.
    """
    return _move(gpu, "d2h", block, count, method, order, grid)


@_declare("d2d")
def d2d(gpu: Gpu, block: int, count: int, method: str, order: str, grid: Value) -> Work:
    """Move scattered blocks from one pool to another pool on the same GPU.

    ``kv/h2d`` describes the methods. The bandwidth counts each byte once, as payload.
    """
    return _move(gpu, "d2d", block, count, method, order, grid)
