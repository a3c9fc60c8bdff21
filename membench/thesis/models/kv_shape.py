"""KV shapes: the bytes of a model's cache per context, and the pieces in which engines move them.

A model is a list of groups of equal layers, each of one of these kinds::

    full attention (MHA, GQA)   parts=2 (K and V), one entry per token
    latent attention (MLA)      parts=1, heads=1: one latent and its rotary part per token
                                (`rotary` of its elements)
    sliding window, chunked     as full, but never more than `window` entries
    compressed                  one entry for each `every` tokens
    linear attention            no entries: a constant `state_bytes`

    kv(s) = sum over groups of  layers * parts * heads * width * entries(s) * bytes per element

An index that sparse attention keeps beside the cache (`LayerRole.INDEX`) is counted separately,
because published figures omit it for some models.

The size of an entry depends on the layout of the engine's cache (`KvDtype`):

    fp16, bf16    2 bytes per element; the index of DeepSeek V3.2 and GLM-5 is in FP8 also
                  then, and only its elements are counted
    fp8           1 byte per element, one scale per tensor (MLA of 512 + 64: 576 bytes); an
                  index as vLLM and SGLang store it, with a float32 scale per 128 elements
    fp8_ds_mla    vLLM's layout for sparse latent attention: the latent in FP8 with scales, its
                  rotary part in bfloat16. 512 + 4 float32 + 64 x 2 = 656 bytes (DeepSeek
                  V3.2, GLM-5); 448 + 8 + 64 x 2 = 584 for DeepSeek V4, whose scales are
                  one byte per 64 elements, padded to 8
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import NamedTuple

from membench.core.errors import UsageError
from membench.core.record import record
from membench.core.text import counted


class KvDtype(StrEnum):
    """The data type and layout of the cache, with vLLM's names."""

    FP16 = "fp16"
    BF16 = "bf16"
    FP8 = "fp8"
    FP8_DS_MLA = "fp8_ds_mla"


ELEMENT_BYTES = {KvDtype.FP16: 2, KvDtype.BF16: 2, KvDtype.FP8: 1, KvDtype.FP8_DS_MLA: 1}
_SCALED = 128
"""Number of elements that share a float32 scale, in an index and in the latent of `fp8_ds_mla`."""
_SCALE_BYTES = 4
_V4_SCALED = 64
_V4_PADDED = 8


class LayerRole(StrEnum):
    """The kind of data that a group of layers stores."""

    KV = "kv"
    INDEX = "index"


class BlockLayout(StrEnum):
    """How an engine lays out the cache of one block of tokens."""

    SPLIT = "split"  # layer by layer, K and V separate
    JOINT = "joint"  # layer by layer, K and V together
    WHOLE = "whole"  # all layers of a block contiguous


@record(kw_only=True)
class LayerGroup:
    """Layers with caches of the same shape.

    Attributes:
        layers: number of layers.
        heads: number of heads, which tensor parallelism can divide; 1 for a latent, which every
            rank stores.
        width: elements of one head in one part of an entry (of K, if V has another width).
        value_width: elements of V; 0 if equal to ``width``.
        rotary: number of elements of a latent that belong to its rotary part.
        parts: 2 if K and V are stored, 1 if one latent serves for both.
        window: maximum number of stored entries; 0 if all are stored.
        every: number of tokens that share one entry.
        compressed: whether the layers are of DeepSeek V4, whose latents have a different layout of
            the scales.
        element_bytes: bytes of an element if they do not depend on the KV type; otherwise 0.
    """

    layers: int
    heads: int
    width: int
    value_width: int = 0
    rotary: int = 0
    parts: int = 2
    window: int = 0
    every: int = 1
    compressed: bool = False
    element_bytes: int = 0
    role: LayerRole = LayerRole.KV

    def entries(self, tokens: int) -> int:
        """Number of entries that one layer holds for a context of ``tokens``."""
        entries = tokens // self.every
        return min(entries, self.window) if self.window else entries

    def entry_bytes(self, dtype: KvDtype) -> int:
        """Bytes of one entry of one layer."""
        return self.heads * sum(self.part_bytes(dtype))

    def part_bytes(self, dtype: KvDtype) -> tuple[int, ...]:
        """Bytes of each part of an entry of one head: of K and of V, or of the latent.

        Raises:
            UsageError: ``dtype`` is `fp8_ds_mla`, but the cache has no latent.
        """
        if self.role is LayerRole.INDEX:
            return (self._index_bytes(dtype),)
        if dtype is KvDtype.FP8_DS_MLA:
            return (self._latent_bytes(),)
        element = self.element_bytes or ELEMENT_BYTES[dtype]
        values = self.value_width or self.width
        return (self.width * element, *(values * element,) * (self.parts - 1))

    def _index_bytes(self, dtype: KvDtype) -> int:
        scaled = ELEMENT_BYTES[dtype] == 1 and (self.element_bytes or self.compressed)
        scales = -(-self.width // _SCALED) * _SCALE_BYTES if scaled else 0
        return self.width * (self.element_bytes or ELEMENT_BYTES[dtype]) + scales

    def _latent_bytes(self) -> int:
        if self.parts != 1 or not self.rotary:
            raise UsageError(
                "fp8_ds_mla requires latents with a rotary part, which this model does not have",
                "use fp8",
            )
        plain = self.width - self.rotary
        if self.compressed:
            scales = -(-(plain // _V4_SCALED) // _V4_PADDED) * _V4_PADDED
        else:
            scales = -(-plain // _SCALED) * _SCALE_BYTES
        return plain + scales + 2 * self.rotary


@record(kw_only=True)
class KvShape:
    """The KV shape of a model.

    Attributes:
        groups: the groups of layers with a cache; empty if every layer keeps only a state.
        state_bytes: bytes of the constant state of one sequence, over all layers.
        state_layers: number of layers that keep a state.
    """

    groups: tuple[LayerGroup, ...]
    state_bytes: int = 0
    state_layers: int = 0

    @property
    def layers(self) -> int:
        """Number of layers with a cache.

        An index is not counted, because it belongs to a layer with a cache. If no layer has a
        cache, the result is the number of layers that keep a state.
        """
        if not self.groups:
            return self.state_layers
        held = [group for group in self.groups if group.role is LayerRole.KV]
        # Every layer of DeepSeek V4 has a window; most of them also have latents.
        windows = [group for group in held if group.compressed and group.window]
        return sum(group.layers for group in windows or held)


def kv_bytes(
    shape: KvShape, tokens: int, dtype: KvDtype = KvDtype.FP16, *, index: bool = True
) -> int:
    """Bytes that one sequence of ``tokens`` holds, with windows, state and, if wanted, index."""
    if tokens < 0:
        raise UsageError(f"invalid context: {tokens} tokens", "a context is 0 tokens or more")
    return shape.state_bytes + sum(
        group.layers * group.entries(tokens) * group.entry_bytes(dtype)
        for group in shape.groups
        if index or group.role is LayerRole.KV
    )


def mean_bytes_per_token(shape: KvShape, tokens: float, dtype: KvDtype = KvDtype.FP16) -> float:
    """Bytes per token of a context of ``tokens`` (1 or more), with windows and state.

    This is `kv_bytes` divided by the number of tokens. Without windows and state it equals
    `bytes_per_token` for any context. ``tokens`` may be fractional.
    """
    if tokens < 1:
        raise UsageError(f"invalid context: {tokens:g} tokens", "use one token or more")
    return (
        sum(
            group.layers
            * min(tokens / group.every, group.window or math.inf)
            * group.entry_bytes(dtype)
            for group in shape.groups
        )
        + shape.state_bytes
    ) / tokens


def bytes_per_token(shape: KvShape, dtype: KvDtype = KvDtype.FP16, *, index: bool = True) -> float:
    """Bytes by which each further token enlarges a long context (windows full, states constant)."""
    return sum(
        group.layers * group.entry_bytes(dtype) / group.every
        for group in shape.groups
        if not group.window and (index or group.role is LayerRole.KV)
    )


def constant_bytes(shape: KvShape, dtype: KvDtype = KvDtype.FP16) -> int:
    """Bytes of a long context that do not depend on its length: full windows and the state."""
    return shape.state_bytes + sum(
        group.layers * group.window * group.entry_bytes(dtype) for group in shape.groups
    )


class Pieces(NamedTuple):
    """``number`` contiguous pieces of ``bytes`` bytes each."""

    bytes: int
    number: int


def piece_sizes(
    shape: KvShape, block_tokens: int, tp: int, layout: BlockLayout, dtype: KvDtype
) -> tuple[Pieces, ...]:
    """The pieces of one block on one rank, grouped by size; the size with the most bytes first.

    Only cache that grows with the context is counted, because windows and states are not moved
    block by block. (If every layer has a window, the windows' blocks are counted; if every layer
    keeps a state, the states are counted, whatever the block size.) Each rank holds a whole copy of
    a latent, and of heads if there are fewer heads than ranks. A state is divided by its heads, as
    in vLLM's MambaStateShapeCalculator.

    Raises:
        UsageError: the ranks do not divide the heads, or the block is shorter than one entry.
    """
    if block_tokens < 1 or tp < 1:
        raise UsageError(
            f"blocks of {counted(block_tokens, 'token')} on {counted(tp, 'rank')}",
            "both must be 1 or more",
        )
    grows = [group for group in shape.groups if not group.window] or [*shape.groups]
    if not grows:
        number = 1 if layout is BlockLayout.WHOLE else shape.state_layers
        return (Pieces(-(-shape.state_bytes // (number * tp)), number),)
    sizes: dict[int, int] = {}
    for group in grows:
        if block_tokens % group.every:
            raise UsageError(
                f"a block of {counted(block_tokens, 'token')} splits an entry of "
                f"{group.every} tokens",
                f"use a multiple of {group.every} tokens",
            )
        held = _heads_per_rank(group.heads, tp) * (block_tokens // group.every)
        parts = group.part_bytes(dtype)
        for part in parts if layout is BlockLayout.SPLIT else (sum(parts),):
            sizes[held * part] = sizes.get(held * part, 0) + group.layers
    if layout is BlockLayout.WHOLE:
        return (Pieces(sum(size * count for size, count in sizes.items()), 1),)
    found = [Pieces(size, count) for size, count in sizes.items()]
    return tuple(sorted(found, key=lambda piece: (-piece.bytes * piece.number, piece.bytes)))


def pieces(
    shape: KvShape,
    block_tokens: int,
    tp: int = 1,
    layout: BlockLayout = BlockLayout.SPLIT,
    dtype: KvDtype = KvDtype.FP16,
) -> Pieces:
    """The pieces (bytes, number) that an engine moves for one block on one rank.

    If layers have different piece sizes, the one with the most bytes in total is returned;
    `piece_sizes` returns all.
    """
    return piece_sizes(shape, block_tokens, tp, layout, dtype)[0]


def _heads_per_rank(heads: int, tp: int) -> int:
    if heads <= tp:
        if tp % heads:
            raise UsageError(
                f"{counted(heads, 'KV head')} cannot be shared by {counted(tp, 'rank')}",
                f"use a multiple of {counted(heads, 'rank')}",
            )
        return 1
    if heads % tp:
        raise UsageError(
            f"{counted(heads, 'KV head')} cannot be divided by {counted(tp, 'rank')}",
            f"use a divisor of {heads}",
        )
    return heads // tp
