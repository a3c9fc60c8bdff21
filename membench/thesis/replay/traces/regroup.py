"""Merges the blocks of a trace into larger blocks."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from membench.thesis.replay.trace import Ints, Trace, TraceError
from membench.thesis.replay.traces.numbering import numbered, runs_of

_MOST_BLOCKS = 2**28
"""Maximum number of references to blocks. The ids of this number of references take 2 GiB."""
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)


def regrouped(trace: Trace, block_tokens: int) -> Trace:
    """``trace`` with blocks of ``block_tokens`` tokens.

    Large blocks are equal if their small blocks and their positions in the requests are equal. The
    last large block of a request can be partial. If only whole blocks of ``trace`` have an id, a
    partial large block has no id.

    Raises:
        TraceError: blocks are objects without tokens, ``block_tokens`` is not a multiple of the
            block size of ``trace``, or ``trace`` has more than 2^28 references to blocks.
    """
    size = trace.block_tokens
    if not size:
        raise TraceError(
            f"{trace.name}: the blocks are objects without tokens, so they cannot be regrouped",
            "omit --block-tokens",
        )
    if block_tokens % size or block_tokens < size:
        raise TraceError(
            f"{trace.name}: the trace has blocks of {size} tokens, not of {block_tokens}: "
            "a block cannot be split",
            f"use a multiple of {size}, or omit --block-tokens",
        )
    if block_tokens == size:
        return trace
    if trace.references > _MOST_BLOCKS:
        raise TraceError(
            f"{trace.name}: the trace has more than {_MOST_BLOCKS} references to blocks, too many "
            "to regroup"
        )
    many = block_tokens // size
    counts = trace.blocks
    groups = counts // many if trace.full_only else -(-counts // many)
    keys = _keys(trace, counts, groups, many)
    bounds = np.concatenate([[0], np.cumsum(groups)])
    offsets, first, last = runs_of(_numbered(trace, keys, bounds), bounds)
    return replace(
        trace,
        block_tokens=block_tokens,
        offsets=offsets,
        first=first,
        last=last,
    )


def _numbered(trace: Trace, keys: NDArray[np.uint64], bounds: Ints) -> Ints:
    """[g] number of each large block, in the order of first use."""
    # With private ids, many short sorts (one per session) are faster than one long sort.
    session = trace.session
    if not trace.private or (np.diff(session) < 0).any():
        return numbered(keys)
    begins = np.flatnonzero(np.diff(session, prepend=-1))
    edges = bounds[np.append(begins, session.size)].tolist()
    parts = [numbered(keys[begin:end]) for begin, end in pairwise(edges)]
    return np.concatenate(parts)


def _keys(trace: Trace, counts: Ints, groups: Ints, many: int) -> NDArray[np.uint64]:
    """[g] for each large block, a hash of its small blocks and position.

    If ids are private, the hash also depends on the session.
    """
    lengths = trace.last - trace.first + 1
    ends = np.cumsum(lengths)
    ids = np.arange(int(lengths.sum())) - np.repeat(ends - lengths - trace.first, lengths)
    mixed = _mixed(ids.astype(np.uint64))
    place = np.arange(ids.size) - np.repeat(np.cumsum(counts) - counts, counts)
    with np.errstate(over="ignore"):
        mixed *= _mixed((place % many).astype(np.uint64)) | np.uint64(1)
    heads = np.flatnonzero(place % many == 0)
    summed = np.add.reduceat(mixed, heads) if heads.size else mixed
    begun = -(-counts // many)  # number of large blocks, including partial blocks
    order = np.arange(heads.size) - np.repeat(np.cumsum(begun) - begun, begun)
    kept = order < np.repeat(groups, begun)
    summed, order = summed[kept], order[kept]
    with np.errstate(over="ignore"):
        summed = _mixed(summed + _mixed(order.astype(np.uint64)) * _STEP)
        if trace.private:
            session = np.repeat(trace.session, groups).astype(np.uint64)
            summed ^= _mixed(session + _STEP)
    return summed


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Hash each value with the bijection of splitmix64."""
    with np.errstate(over="ignore"):
        values = values + _STEP
        values = (values ^ (values >> np.uint64(30))) * _MIX
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    found: NDArray[np.uint64] = values ^ (values >> np.uint64(31))
    return found
