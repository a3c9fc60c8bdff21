"""Computes the bytes of a model's KV cache, and the sizes of the pieces that engines move.

A KV shape is a list of groups of equal layers, plus the bytes of a recurrent state. The layers are
of these kinds::

    full attention (MHA, GQA)   parts=2 (K and V), one entry per token
    latent attention (MLA)      parts=1, heads=1: one latent per token, with `rotary` elements
                                for the rotary embedding
    sliding window, chunked     like full attention, but at most `window` entries
    compressed                  one entry for each `every` tokens
    linear attention            no group: a constant `state_bytes`

    kv(n) = state_bytes
          + sum over groups of  layers * parts * heads * width * entries(n) * bytes per element

Sparse attention also stores an index (`LayerRole.INDEX`). Some published sizes omit the index.

The size of an entry depends on the layout of the engine's cache (`KvDtype`):

    fp16, bf16    2 bytes per element. The index of DeepSeek V3.2 and GLM-5 is always in FP8.
                  Scales of the index are not counted.
    fp8           1 byte per element, one scale per tensor. An MLA entry has 512 + 64 = 576
                  bytes. An index of DeepSeek or GLM has a float32 scale per 128 elements, as in
                  vLLM and SGLang.
    fp8_ds_mla    vLLM's layout for sparse latent attention. The latent is in FP8 with scales,
                  the rotary elements are in bfloat16.
                  DeepSeek V3.2, GLM-5: 512 + 4 x 4 (float32 scales) + 64 x 2 = 656 bytes.
                  DeepSeek V4: 448 + 8 (scales) + 64 x 2 = 584 bytes, with a scale of one byte
                  per 64 elements, padded to 8 bytes.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import NamedTuple

from membench.core.errors import UsageError
from membench.core.record import record
from membench.core.text import counted


class KvDtype(StrEnum):
    """The data type and layout of a KV cache. `fp8` and `fp8_ds_mla` are also vLLM's names."""

    FP16 = "fp16"
    BF16 = "bf16"
    FP8 = "fp8"
    FP8_DS_MLA = "fp8_ds_mla"


ELEMENT_BYTES = {KvDtype.FP16: 2, KvDtype.BF16: 2, KvDtype.FP8: 1, KvDtype.FP8_DS_MLA: 1}
_SCALED = 128
"""Number of FP8 elements per float32 scale, in an index and in a latent of `fp8_ds_mla`."""
_SCALE_BYTES = 4
_V4_SCALED = 64
_V4_PADDED = 8


class LayerRole(StrEnum):
    """The content of a group of layers: K and V, or the index of sparse attention."""

    KV = "kv"
    INDEX = "index"


class BlockLayout(StrEnum):
    """The memory layout of one block of tokens in an engine's KV cache."""

    SPLIT = "split"  # layer by layer, K and V separate
    JOINT = "joint"  # layer by layer, K and V together
    WHOLE = "whole"  # all layers together


@record(kw_only=True)
class LayerGroup:
    """A group of layers whose KV caches have equal shapes.

    Attributes:
        heads: number of KV heads; 1 for a latent.
        width: elements of K per head, or elements of a latent.
        value_width: elements of V per head; 0 if equal to ``width``.
        rotary: number of elements of a latent for the rotary embedding.
        parts: 2 for K and V, 1 for a latent or an index.
        window: maximum number of entries per layer; 0 without a maximum.
        every: number of tokens per entry.
        compressed: whether the scales have the layout of DeepSeek V4.
        element_bytes: bytes of an element for any KV type; 0 if the KV type decides.
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
        entries = tokens // self.every
        return min(entries, self.window) if self.window else entries

    def entry_bytes(self, dtype: KvDtype) -> int:
        """Bytes of one entry in one layer, over all heads."""
        return self.heads * sum(self.part_bytes(dtype))

    def part_bytes(self, dtype: KvDtype) -> tuple[int, ...]:
        """Bytes that one entry has in one head: (K, V), (latent,) or (index,).

        Raises:
            UsageError: ``dtype`` is `fp8_ds_mla`, but the group stores K and V, or a latent without
                rotary elements.
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
                "fp8_ds_mla requires latents with rotary elements, but this model has none",
                "use fp8 (--kv-dtype)",
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
        groups: the groups of layers with a KV cache; empty if all layers are recurrent.
        state_bytes: bytes of the recurrent state of one sequence, over all layers.
        state_layers: number of layers with a recurrent state.
    """

    groups: tuple[LayerGroup, ...]
    state_bytes: int = 0
    state_layers: int = 0


def kv_bytes(
    shape: KvShape, tokens: int, dtype: KvDtype = KvDtype.FP16, *, index: bool = True
) -> int:
    """Bytes of KV cache and recurrent state for one sequence of ``tokens`` tokens.

    With ``index``, the result includes the index of sparse attention.

    Raises:
        UsageError: ``tokens`` is negative, or the model cannot have the KV type ``dtype``.
    """
    if tokens < 0:
        raise UsageError(f"invalid context: {tokens} tokens", "use a context of 0 tokens or more")
    return shape.state_bytes + sum(
        group.layers * group.entries(tokens) * group.entry_bytes(dtype)
        for group in shape.groups
        if index or group.role is LayerRole.KV
    )


def mean_bytes_per_token(shape: KvShape, tokens: float, dtype: KvDtype = KvDtype.FP16) -> float:
    """`kv_bytes` divided by ``tokens``: bytes per token, including windows and recurrent state.

    ``tokens`` may be fractional, and the number of entries is not rounded down.

    Raises:
        UsageError: ``tokens`` is below 1, or the model cannot have the KV type ``dtype``.
    """
    if tokens < 1:
        raise UsageError(f"invalid context: {tokens:g} tokens", "use a context of 1 token or more")
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
    """Bytes that each further token adds to a long context, in which all windows are full."""
    return sum(
        group.layers * group.entry_bytes(dtype) / group.every
        for group in shape.groups
        if not group.window and (index or group.role is LayerRole.KV)
    )


def constant_bytes(shape: KvShape, dtype: KvDtype = KvDtype.FP16) -> int:
    """Bytes of recurrent state and full windows, which do not grow with the context."""
    return shape.state_bytes + sum(
        group.layers * group.window * group.entry_bytes(dtype) for group in shape.groups
    )


class Pieces(NamedTuple):
    """``number`` separate pieces of memory with ``bytes`` contiguous bytes each."""

    bytes: int
    number: int


def piece_sizes(
    shape: KvShape, block_tokens: int, tp: int, layout: BlockLayout, dtype: KvDtype
) -> tuple[Pieces, ...]:
    """The pieces of one block on one rank, grouped by size. The group with the most bytes is first.

    Windows and states do not count, because engines do not move them block by block. If no layer's
    cache grows with the context, the windows count. If there are no windows either, the states
    count.

    Each rank stores a whole latent. If there are fewer heads than ranks, each rank stores a whole
    head. The ranks divide a state, as in vLLM's MambaStateShapeCalculator.

    Raises:
        UsageError: the ranks or the block cannot divide the cache evenly, the model cannot have the
            KV type ``dtype``, or ``block_tokens`` or ``tp`` is below 1.
    """
    if block_tokens < 1 or tp < 1:
        raise UsageError(
            f"invalid block: {counted(block_tokens, 'token')} on {counted(tp, 'rank')}",
            "use 1 token or more per block, and 1 rank or more",
        )
    grows = [group for group in shape.groups if not group.window] or [*shape.groups]
    if not grows:
        number = 1 if layout is BlockLayout.WHOLE else shape.state_layers
        return (Pieces(-(-shape.state_bytes // (number * tp)), number),)
    sizes: dict[int, int] = {}
    for group in grows:
        if block_tokens % group.every:
            raise UsageError(
                f"a block of {counted(block_tokens, 'token')} would contain a part of an entry, "
                f"because each entry of this KV cache covers {group.every} tokens",
                f"use a multiple of {group.every} tokens (--block-tokens)",
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
    """The pieces of one block on one rank: the group in `piece_sizes` with the most bytes."""
    return piece_sizes(shape, block_tokens, tp, layout, dtype)[0]


def _heads_per_rank(heads: int, tp: int) -> int:
    if heads <= tp:
        if tp % heads:
            raise UsageError(
                f"{counted(heads, 'KV head')} cannot be copied evenly to {counted(tp, 'rank')}",
                f"use a multiple of {counted(heads, 'rank')} (--tp)",
            )
        return 1
    if heads % tp:
        raise UsageError(
            f"{counted(heads, 'KV head')} cannot be divided evenly among {counted(tp, 'rank')}",
            f"use a number of ranks (--tp) that divides {heads}",
        )
    return heads // tp
