"""KV shapes: the bytes that a model keeps for a context, and the pieces that an engine moves.

A layer is one of few kinds, and a model is a list of groups of equal layers::

    full attention (MHA, GQA)   parts=2 (K and V), one entry a token
    latent attention (MLA)      parts=1, heads=1: one latent and its rotary part a token
    sliding window, chunked     as full, but never more than `window` entries
    compressed                  one entry for each `every` tokens
    linear attention            no entries: a constant `state_bytes`

    kv(s) = sum over groups of  layers * parts * heads * width * entries(s) * bytes an element

An index that sparse attention keeps beside the cache (`Role.INDEX`) is counted
apart, because published figures leave it out for some models.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from membench.core.errors import UsageError


class KvDtype(StrEnum):
    """The type in which the cache is held."""

    FP16 = "fp16"
    BF16 = "bf16"
    FP8 = "fp8"


ELEMENT_BYTES = {KvDtype.FP16: 2, KvDtype.BF16: 2, KvDtype.FP8: 1}


class Role(StrEnum):
    """What a group of layers holds."""

    KV = "kv"
    INDEX = "index"


class Layout(StrEnum):
    """How an engine lays out one block of tokens."""

    SPLIT = "split"  # layer by layer, K and V apart
    JOINT = "joint"  # layer by layer, K and V together
    WHOLE = "whole"  # all layers of a block in one piece


@dataclass(frozen=True, kw_only=True)
class LayerGroup:
    """Layers that hold alike.

    Attributes:
        layers: how many.
        heads: what tensor parallelism can divide; 1 for a latent, which every rank keeps.
        width: elements of one head, part and entry.
        parts: 2 where K and V are held, 1 where one latent serves for both.
        window: the most entries that are kept; 0 for all.
        every: tokens that share one entry.
        element_bytes: bytes of an element whatever the cache's type is; 0 for the cache's type.
    """

    layers: int
    heads: int
    width: int
    parts: int = 2
    window: int = 0
    every: int = 1
    element_bytes: int = 0
    role: Role = Role.KV

    def entries(self, tokens: int) -> int:
        """Entries that one layer holds for a context of ``tokens``."""
        entries = tokens // self.every
        return min(entries, self.window) if self.window else entries

    def entry_bytes(self, dtype: KvDtype) -> int:
        """Bytes of one entry of one layer."""
        return self.parts * self.heads * self.width * (self.element_bytes or ELEMENT_BYTES[dtype])


@dataclass(frozen=True, kw_only=True)
class KvShape:
    """What a model keeps: its groups of layers, and a constant state in bytes a sequence."""

    groups: tuple[LayerGroup, ...]
    state_bytes: int = 0

    @property
    def layers(self) -> int:
        """Layers that hold a cache (an index is held beside one, not by a layer of its own)."""
        return sum(group.layers for group in self.groups if group.role is Role.KV)


def kv_bytes(
    shape: KvShape, tokens: int, dtype: KvDtype = KvDtype.FP16, *, index: bool = True
) -> int:
    """Bytes that one sequence of ``tokens`` holds, window, state and (if asked) index included."""
    if tokens < 0:
        raise UsageError(f"a context of {tokens} tokens", "a context is 0 tokens or more")
    return shape.state_bytes + sum(
        group.layers * group.entries(tokens) * group.entry_bytes(dtype)
        for group in shape.groups
        if index or group.role is Role.KV
    )


def bytes_per_token(shape: KvShape, dtype: KvDtype = KvDtype.FP16, *, index: bool = True) -> float:
    """Bytes that a further token costs in a long context: windows are full, a state is constant."""
    return sum(
        group.layers * group.entry_bytes(dtype) / group.every
        for group in shape.groups
        if not group.window and (index or group.role is Role.KV)
    )


def constant_bytes(shape: KvShape, dtype: KvDtype = KvDtype.FP16) -> int:
    """Bytes that do not grow with a long context: full windows and the state."""
    return shape.state_bytes + sum(
        group.layers * group.window * group.entry_bytes(dtype) for group in shape.groups
    )


class Pieces(NamedTuple):
    """``number`` contiguous pieces of ``bytes`` each."""

    bytes: int
    number: int


def piece_sizes(
    shape: KvShape, block_tokens: int, tp: int, layout: Layout, dtype: KvDtype
) -> tuple[Pieces, ...]:
    """The pieces of one block on one rank, by size, those that carry most bytes first.

    Counted is what grows with the context: windows and states are not moved block by block.
    A latent, and heads fewer than ranks, are held by each rank in whole.

    Raises:
        UsageError: the heads cannot be divided so, or the block is shorter than one entry.
    """
    if block_tokens < 1 or tp < 1:
        raise UsageError(f"blocks of {block_tokens} tokens on {tp} ranks", "both are 1 or more")
    sizes: dict[int, int] = {}
    for group in shape.groups:
        if group.window:
            continue
        if block_tokens % group.every:
            raise UsageError(
                f"a block of {block_tokens} tokens cuts an entry of {group.every} tokens",
                f"take a multiple of {group.every} tokens",
            )
        share = group.entry_bytes(dtype) // group.heads * _heads_per_rank(group.heads, tp)
        parts = group.parts if layout is Layout.SPLIT else 1
        size = share * (block_tokens // group.every) // parts
        sizes[size] = sizes.get(size, 0) + group.layers * parts
    if layout is Layout.WHOLE:
        return (Pieces(sum(size * count for size, count in sizes.items()), 1),)
    found = [Pieces(size, count) for size, count in sizes.items()]
    return tuple(sorted(found, key=lambda piece: (-piece.bytes * piece.number, piece.bytes)))


def pieces(
    shape: KvShape,
    block_tokens: int,
    tp: int = 1,
    layout: Layout = Layout.SPLIT,
    dtype: KvDtype = KvDtype.FP16,
) -> Pieces:
    """(bytes, number) of what an engine moves for one block on one rank.

    Where layers differ in size, the size that carries most of the bytes;
    `piece_sizes` has them all.
    """
    return piece_sizes(shape, block_tokens, tp, layout, dtype)[0]


def _heads_per_rank(heads: int, tp: int) -> int:
    if heads <= tp:
        if tp % heads:
            raise UsageError(
                f"{heads} KV heads cannot be shared by {tp} ranks",
                f"take a multiple of {heads} ranks",
            )
        return 1
    if heads % tp:
        raise UsageError(
            f"{heads} KV heads cannot be divided by {tp} ranks", f"take a divisor of {heads}"
        )
    return heads // tp
