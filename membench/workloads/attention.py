"""The attention of one decode step over a paged KV cache on the GPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from membench.core.errors import VerificationFailed, skip
from membench.gpu.protocol import Gpu, KernelVariant
from membench.gpu.verify.content import random_numbers, repeat, values
from membench.workloads.model_shapes import HEAD_DIM

PAGE_TOKENS = 16
BLOCK = 128
POOL_BYTES = 1 << 30
"""Minimum bytes of each of the two pools (K, V), so that L2 contains few pages of a layer."""

TILE_PAGES = 251
"""Number of pages (a prime) after which the contents of a pool repeat."""

SIZE: Mapping[str, int] = {"fp16": 2, "fp8": 1}
CAPABILITY: Mapping[str, int] = {"fp16": 80, "fp8": 89}
"""Lowest compute capability that the kernel needs, by KV format; 80 means 8.0."""

TOLERANCE = 2.5e-3
"""Maximum error of an element of the result, multiplied by the square root of the context.

In a computation with NumPy (1024 elements, 128 to 131072 tokens), rounding the weights to FP16
changed an element by up to 7e-4 / sqrt(context). If a kernel reads one page too many or too few, an
element changes by about 3 / context.
"""

QUERY = 1.0
"""Upper bound for the magnitudes of the elements of a query, before scaling."""

_LEAST_PAGES = 4
_OF_A_SPLIT = 4
"""Fixed time of a thread block (first loads, partial result, merge), in units of a page's time."""

_LOG2_E = 1.4426950408889634


@dataclass(frozen=True)
class AttentionShape:
    """The shape of the attention in one decode step.

    Attributes:
        layers: number of layers, each with a separate block table.
        heads: number of KV heads on this GPU.
        group: number of query heads per KV head.
        batch: number of sequences.
        context: tokens per sequence, a multiple of 16.
    """

    layers: int
    heads: int
    group: int
    batch: int
    context: int

    @property
    def pages(self) -> int:
        return self.context // PAGE_TOKENS


def splits_of(rows: int, pages: int, resident: int) -> int:
    """The number of thread blocks per row with the shortest estimated time.

    A wave is ``resident`` thread blocks that run at the same time. A last wave with fewer thread
    blocks counts as a full wave.

    Args:
        rows: number of rows; a row is one KV head of one sequence.
        pages: number of pages per row.
        resident: number of thread blocks that run at the same time.
    """

    def time(splits: int) -> int:
        waves = -(-rows * splits // resident)
        return waves * (-(-pages // splits) + _OF_A_SPLIT)

    return min(range(1, max(1, pages // _LEAST_PAGES) + 1), key=time)


class Attention:
    """The attention of all layers for one new token per sequence.

    Args:
        dtype: format of the KV cache, ``fp16`` or ``fp8``.
        zeros: whether to fill the pools with zeros instead of random numbers.

    Attributes:
        payload: bytes of K and V that a step reads.
        launches: number of kernel launches per step.
        splits: number of thread blocks per sequence and KV head.
        registers: registers per thread of the kernel that reads K and V.

    Raises:
        Skip: the device does not support the format.
    """

    def __init__(self, gpu: Gpu, shape: AttentionShape, dtype: str, *, zeros: bool = False) -> None:
        if gpu.properties.capability < CAPABILITY[dtype]:
            skip(f"{dtype.upper()} needs compute capability {CAPABILITY[dtype] / 10} or newer")
        self._gpu, self._shape, self._dtype, self._zeros = gpu, shape, dtype, zeros
        variant = KernelVariant.of("attention.cu", GROUP=shape.group, FP8=int(dtype == "fp8"))
        self._read = gpu.kernel(variant, "attention_read")
        self._merge = gpu.kernel(variant, "attention_merge")
        self.registers = self._read.registers
        rows = shape.batch * shape.heads
        resident = gpu.occupancy(self._read, BLOCK) * gpu.properties.sms
        self.splits = splits_of(rows, shape.pages, resident)
        self.payload = shape.layers * rows * 2 * shape.context * HEAD_DIM * SIZE[dtype]
        self.launches = 2 * shape.layers
        self._fill(rows)

    def _fill(self, rows: int) -> None:
        gpu, shape = self._gpu, self._shape
        self._page = shape.heads * PAGE_TOKENS * HEAD_DIM
        pages = max(shape.batch * shape.pages, POOL_BYTES // (self._page * SIZE[self._dtype]))
        self._pools = tuple(gpu.allocate(pages * self._page * SIZE[self._dtype]) for _ in range(2))
        count = TILE_PAGES * self._page
        self._tiles = tuple(random_numbers(self._dtype, count, seed) for seed in (3, 5))
        if self._zeros:
            self._tiles = tuple(np.zeros_like(tile) for tile in self._tiles)
        for pool, tile in zip(self._pools, self._tiles, strict=True):
            repeat(gpu, pool, tile)
        random = np.random.default_rng(7)
        places = (shape.layers, shape.batch, shape.pages)
        self._tables = random.integers(0, pages, places, dtype=np.uint32)
        self._table = gpu.allocate(self._tables.nbytes)
        gpu.upload(self._table, self._tables)
        # the kernel computes exp(q k / sqrt(d)) as a power of two
        scale = _LOG2_E / HEAD_DIM**0.5
        queries = random.uniform(-QUERY, QUERY, (rows, shape.group, HEAD_DIM)) * scale
        self._queries = queries.astype(np.float16)
        self._query = gpu.allocate(self._queries.nbytes)
        gpu.upload(self._query, self._queries)
        parts = rows * self.splits * shape.group
        self._parts, self._weights = gpu.allocate(4 * HEAD_DIM * parts), gpu.allocate(8 * parts)
        self._out = gpu.allocate(4 * self._queries.size)

    def step(self) -> None:
        """Queue the kernels of one step."""
        gpu, shape = self._gpu, self._shape
        rows = shape.batch * shape.heads
        counts = (np.uint32(shape.pages), np.uint32(shape.heads), np.uint32(self.splits))
        for layer in range(shape.layers):
            table = np.uint64(self._table.address + layer * self._tables[0].nbytes)
            args = (self._parts, self._weights, self._query, *self._pools, table, *counts)
            gpu.launch(self._read, rows * self.splits, BLOCK, args)
            merged = (self._out, self._parts, self._weights, counts[-1])
            gpu.launch(self._merge, rows * shape.group, BLOCK, merged)

    def verify(self) -> None:
        """Check the last layer, for the first and for the last pair of sequence and KV head.

        Raises:
            VerificationFailed: an element is wrong.
        """
        shape = self._shape
        last = shape.batch * shape.heads - 1
        for row in {0, last}:
            size = shape.group * HEAD_DIM
            found = self._gpu.download(self._out, np.float32, size, 4 * row * size)
            tolerance = TOLERANCE / shape.context**0.5
            # The comparison is negated, so that NaN is wrong too.
            wrong = ~(np.abs(found - self._expected(row).reshape(-1)) <= tolerance)
            if wrong.any():
                raise VerificationFailed(
                    f"attention: {int(wrong.sum())} of {size} elements of row {row} are wrong"
                )

    def _expected(self, row: int) -> npt.NDArray[np.float64]:
        """[group, 128] attention of one sequence and KV head, by the definition of attention."""
        sequence, head = divmod(row, self._shape.heads)
        size = PAGE_TOKENS * HEAD_DIM
        keys, contents = (
            values(self._dtype, tile.reshape(TILE_PAGES, -1)[:, head * size :][:, :size])
            .astype(np.float64)
            .reshape(-1, HEAD_DIM)
            for tile in self._tiles
        )
        # The contents of the pools repeat after TILE_PAGES pages. So count how often the block
        # table names each distinct page, and weight the page by this count.
        named = np.bincount(self._tables[-1, sequence] % TILE_PAGES, minlength=TILE_PAGES)
        powers = self._queries[row].astype(np.float64) @ keys.T
        weights = np.exp2(powers - powers.max(axis=1, keepdims=True))
        weights *= np.repeat(named, PAGE_TOKENS)
        result: npt.NDArray[np.float64] = weights @ contents / weights.sum(axis=1, keepdims=True)
        return result
