"""Computes the hits of a cache under one of several policies, for one capacity at a time.

For LRU, `hits` computes all capacities at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import StrEnum
from functools import cache
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from membench.core.errors import UsageError
from membench.core.near import did_you_mean
from membench.core.record import record
from membench.thesis.replay import policy_kernels
from membench.thesis.replay.lru_stack.touches import keys_of
from membench.thesis.replay.trace import Floats, Ints, Trace, TraceError

_MOST = 2**27
"""Maximum number of references to blocks. This number of references needs about 4 GiB."""


class EvictionRule(StrEnum):
    """The rule by which a cache evicts and admits blocks (see `policy_kernels`)."""

    LRU = "lru"
    FIFO = "fifo"
    S3FIFO = "s3fifo"
    OPTIMAL = "optimal"
    LEAF = "leaf"
    TTL = "ttl"
    SECOND = "second"


@record
class CachePolicy:
    """A cache policy: a rule, and the time to live in seconds for the rule `ttl`."""

    rule: EvictionRule
    ttl: float = math.inf

    def __str__(self) -> str:
        return f"ttl:{self.ttl:g}" if self.rule is EvictionRule.TTL else str(self.rule)


def parse_policy(word: str) -> CachePolicy:
    """Parse ``lru``, ``fifo``, ``s3fifo``, ``optimal``, ``leaf``, ``second`` or ``ttl:SECONDS``.

    ``belady`` is another name for ``optimal``.

    Raises:
        UsageError: ``word`` is not a policy, or SECONDS is not a finite number above 0.
    """
    name, _, rest = word.strip().partition(":")
    untimed = (rule for rule in EvictionRule if rule is not EvictionRule.TTL)
    hint = f"the policies are {', '.join(untimed)}, ttl:SECONDS"
    if name == "belady":
        name = EvictionRule.OPTIMAL
    if name not in [*EvictionRule] or (name != EvictionRule.TTL and rest):
        if name not in [*EvictionRule]:
            hint = did_you_mean(name, (*EvictionRule, "belady"), hint)
        raise UsageError(f"'{word}' is not a policy", hint)
    if name != EvictionRule.TTL:
        return CachePolicy(EvictionRule(name))
    try:
        seconds = float(rest)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise UsageError(f"'{word}' needs a number of seconds above 0", hint)
    return CachePolicy(EvictionRule.TTL, seconds)


class Requests(NamedTuple):
    """The requests of a trace, block by block.

    Attributes:
        ids: [n] numbers of the blocks of all requests, one request after the other.
        bounds: [r + 1] the start of each request in ``ids``; the last element is n.
        arrival: [r] seconds.
        blocks: number of distinct blocks, which are numbered from 0 without gaps.
    """

    ids: Ints
    bounds: Ints
    arrival: Floats
    blocks: int


@record
class ServedBlocks:
    """The numbers of hits and of written blocks in each request.

    Attributes:
        hits: [r] number of blocks that hit.
        written: [r] number of blocks that were written to the cache.
    """

    hits: Ints
    written: Ints


def expanded(trace: Trace) -> Requests:
    """``trace`` block by block. The blocks are renumbered from 0 without gaps.

    Raises:
        TraceError: ``trace`` has more than 2^27 references to blocks, or its ids are too large.
    """
    if trace.references > _MOST:
        raise TraceError(
            f"{trace.name}: --policy can replay at most {_MOST} references to blocks",
            "omit --policy, or shorten the trace",
        )
    first, last = keys_of(trace)
    order = np.argsort(first, kind="stable")
    ends = np.maximum.accumulate(last[order]) if order.size else last
    heads = np.ones(order.size, np.bool_)
    heads[1:] = first[order][1:] > ends[:-1]
    starts = first[order][heads]
    stops = np.maximum.reduceat(ends, np.flatnonzero(heads)) if order.size else ends
    before = np.concatenate([[0], np.cumsum(stops - starts + 1)])
    place = np.searchsorted(starts, first, side="right") - 1
    dense = first - starts[place] + before[place]
    lengths = last - first + 1
    total = np.cumsum(lengths)
    ids = np.arange(int(lengths.sum())) - np.repeat(total - lengths - dense, lengths)
    bounds = np.concatenate([[0], total])[trace.offsets]
    return Requests(ids, bounds, trace.arrival, int(before[-1]))


def serve(requests: Requests, policy: CachePolicy, capacity: int) -> ServedBlocks:
    """Hits and writes of a cache of ``capacity`` blocks (0 or more) under ``policy``.

    Raises:
        UsageError: the policy is `ttl`, but the requests are not in the order of arrival.
    """
    if policy.rule is EvictionRule.TTL and (np.diff(requests.arrival) < 0).any():
        raise UsageError(
            "the policy ttl requires requests in the order of arrival",
            "generate random arrivals: --arrivals poisson:RATE",
        )
    count, blocks = requests.bounds.size - 1, requests.blocks
    hits, written = np.zeros(count, np.int64), np.zeros(count, np.int64)
    if policy.rule is EvictionRule.OPTIMAL:
        work = np.zeros((2, requests.ids.size + 1), np.int64)
        compiled("optimal")(
            *(requests.ids, requests.bounds, following(requests)),
            *(np.zeros(blocks, np.int64), work[0], work[1], capacity, hits, written),
        )
    elif policy.rule is EvictionRule.S3FIFO:
        queues = np.zeros((3, 2 * blocks + requests.ids.size // max(count, 1) + 2), np.int64)
        compiled("s3fifo")(
            *(requests.ids, requests.bounds, np.zeros((3, blocks), np.int64), queues),
            *(np.zeros((2, 3), np.int64), capacity, hits, written),
        )
    else:
        compiled("lru")(
            *(requests.ids, requests.bounds, requests.arrival, parents(requests)),
            *(np.zeros((5, blocks + 1), np.int64), np.zeros(blocks), capacity, policy.ttl),
            *(
                policy.rule is EvictionRule.SECOND,
                policy.rule is EvictionRule.LEAF,
                policy.rule is not EvictionRule.FIFO,
            ),
            *(hits, written),
        )
    return ServedBlocks(hits, written)


def following(requests: Requests) -> Ints:
    """[n] for each reference, the index of the next request with this block.

    The index is `policy_kernels.NEVER` if there is no such request.
    """
    request = np.repeat(np.arange(requests.bounds.size - 1), np.diff(requests.bounds))
    order = np.argsort(requests.ids, kind="stable")
    ids, asked = requests.ids[order], request[order]
    found = np.full(ids.size, policy_kernels.NEVER)
    # All references to a block within one request get the same next request.
    changes = np.flatnonzero((np.diff(ids) != 0) | (np.diff(asked) != 0))
    heads = np.concatenate([[0], changes + 1]) if ids.size else changes
    group = np.zeros(ids.size, np.int64)
    group[heads[1:]] = 1
    group = np.cumsum(group)
    next_of = np.full(heads.size, policy_kernels.NEVER)
    same = ids[heads[1:]] == ids[heads[:-1]]
    next_of[:-1][same] = asked[heads[1:]][same]
    found[order] = next_of[group]
    return found


def parents(requests: Requests) -> Ints:
    """[b] for each block, the block before it in the first request that contains it.

    The value is -1 if the block is at the start of that request.
    """
    before = np.full(requests.ids.size, -1)
    before[1:] = requests.ids[:-1]
    before[requests.bounds[:-1][np.diff(requests.bounds) > 0]] = -1
    found = np.full(requests.blocks, -1)
    found[requests.ids[::-1]] = before[::-1]
    return found


@cache
def compiled(name: str) -> Callable[..., None]:
    """The loop ``name`` of `policy_kernels`, compiled if Numba is available."""
    plain: Callable[..., None] = getattr(policy_kernels, name)
    if find_spec("numba") is None:
        return plain
    from membench.host.compiled.kernels import HostKernels

    fast: Callable[..., Any] = getattr(HostKernels("membench.thesis.replay.policy_loops"), name)
    return fast
