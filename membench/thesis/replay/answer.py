"""Computes the results of `membench replay`: hit rates by capacity, policy and tier."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from membench.core.errors import UsageError
from membench.core.record import record
from membench.thesis.models.catalogue import Model
from membench.thesis.models.economics import Shares, drive_writes_per_day
from membench.thesis.models.kv_shape import KvDtype, KvShape
from membench.thesis.replay.amounts import show_amount
from membench.thesis.replay.gaps import reread, resting
from membench.thesis.replay.hits import Replay, replay
from membench.thesis.replay.policies import CachePolicy, expanded, serve
from membench.thesis.replay.tier_names import kind_of
from membench.thesis.replay.trace import Ints, Trace, with_poisson_arrivals, with_shared_prefix
from membench.thesis.replay.traces import read_trace
from membench.thesis.tiers.settings import TierSpec, TierUse
from membench.thesis.tiers.simulator import simulate

DAY = 86_400.0


@record(kw_only=True)
class CachePoint:
    """The results for an LRU cache of one capacity.

    Attributes:
        capacity: number of blocks; None for an unlimited cache.
        hit_rate: share of all requested blocks that hit.
        gigabytes: ``capacity`` in 1e9 bytes; for an unlimited cache, the size that is enough for
            all hits. None without a model.
        token_hit_rate: share of the input tokens that hit; None if the trace has no tokens.
        warm_hit_rate, warm_token_hit_rate: hit rates after the warm-up; None without a warm-up.
        full_after_s: seconds until the cache is full; None if never or unknown.
        written_per_day: bytes of missed blocks per day after the warm-up; None if unknown.
        dwpd: ``written_per_day`` divided by the capacity in bytes; None if unknown.
    """

    capacity: int | None
    hit_rate: float
    gigabytes: float | None
    token_hit_rate: float | None = None
    warm_hit_rate: float | None = None
    warm_token_hit_rate: float | None = None
    full_after_s: float | None = None
    written_per_day: float | None = None
    dwpd: float | None = None


@record(kw_only=True)
class PolicyPoint:
    """The results for a cache of one capacity under one policy.

    Attributes that are not listed here are as in `CachePoint`.

    Attributes:
        written_blocks: number of blocks that the policy wrote to the cache after the warm-up.
        written_per_day: bytes of these blocks per day; None if unknown.
    """

    policy: str
    capacity: int
    hit_rate: float
    token_hit_rate: float | None
    warm_hit_rate: float | None
    written_blocks: int
    written_per_day: float | None
    dwpd: float | None


@record(kw_only=True)
class TierRow:
    """The results of one cache tier.

    Attributes:
        capacity_blocks: number of whole blocks.
        hit_rate: share of all requested blocks that hit in this tier.
        read_per_s, written_per_s, written_per_day: mean bytes per second or per day; None if the
            trace has no duration.
        dwpd: ``written_per_day`` divided by the capacity; None if the tier is not flash, or if the
            trace has no duration.
        mean_gigabytes: time average of the resident bytes, in 1e9 bytes; None if the trace has no
            duration.
    """

    name: str
    capacity_bytes: float
    capacity_blocks: int
    hit_rate: float
    read_per_s: float | None
    written_per_s: float | None
    written_per_day: float | None
    dwpd: float | None
    mean_gigabytes: float | None


@record(kw_only=True)
class Replayed:
    """The results of replaying a trace.

    Attributes:
        block_tokens: tokens per block; None if blocks are objects without tokens.
        full_blocks_only: whether a partial last block of a request has no id.
        timed: whether the trace has request times.
        sessions: whether the trace has sessions. In the file, each session has a separate clock.
        arrivals: origin of the arrival times: `file`, or `poisson:RATE` if they are random.
        seed: seed of the random arrivals; None for `file`.
        model, dtype: `Model.slug` and KV type; None without a model.
        block_bytes: mean bytes of the model's KV cache per block (`block_bytes`); None without a
            model.
        warmup_s: seconds at the start that the warm hit rates leave out; None without a warm-up.
        enough: smallest capacity, in blocks, with the maximum hit rate.
        points: the results for each LRU capacity, ascending, and then for an unlimited cache.
        reread: bands of `gaps.reread`; empty if the trace has no times.
        resting: bands of `gaps.resting`; empty without sessions.
    """

    trace: str
    requests: int
    references: int
    runs: int
    block_tokens: int | None
    full_blocks_only: bool
    timed: bool
    sessions: bool
    arrivals: str
    seed: int | None
    model: str | None
    dtype: str | None
    block_bytes: float | None
    warmup_s: float | None
    enough: int
    points: tuple[CachePoint, ...]
    policies: tuple[PolicyPoint, ...]
    tiers: tuple[TierRow, ...]
    reread: tuple[Shares, ...]
    resting: tuple[Shares, ...]


@record(kw_only=True)
class TierAsked:
    """A cache tier that a user describes.

    Attributes:
        second: whether the tier admits a block only on the second use.
        ttl: seconds without use after which the tier drops a block.

    Raises:
        UsageError: ``capacity_bytes`` is infinite or NaN.
    """

    name: str
    capacity_bytes: float
    second: bool = False
    ttl: float = math.inf

    def __post_init__(self) -> None:
        if not math.isfinite(self.capacity_bytes):
            raise UsageError(
                f"tier {self.name}: the capacity is {self.capacity_bytes} bytes",
                "use a finite capacity",
            )


def replay_source(
    source: str,
    *,
    capacities: Sequence[int] = (),
    sizes: Sequence[float] = (),
    shares: Sequence[float] = (),
    block_tokens: int | None = None,
    shared_prefix: int = 0,
    rate: float | None = None,
    seed: int = 0,
    model: Model | None = None,
    dtype: KvDtype = KvDtype.FP16,
    warmup: float | None = None,
    policies: Sequence[CachePolicy] = (),
    tiers: Sequence[TierAsked] = (),
) -> Replayed:
    """Replay the trace ``source`` (`read_trace`), and compute hit rates at several capacities.

    Without ``capacities``, ``sizes`` and ``shares``, the capacities are the knees of the hit curve.

    Args:
        capacities: capacities in blocks, at least 1.
        sizes: capacities in bytes; require ``model``.
        shares: shares of all hits, above 0 and at most 1. Each share adds the smallest capacity
            that reaches this share.
        block_tokens: number of tokens per block (see `read_trace`).
        shared_prefix: number of tokens at the start of a session that all sessions are assumed to
            share.
        rate: sessions per second that start at random times. Without sessions, this is the rate of
            requests. None keeps the order and the times of the trace.
        model, dtype: the model and KV type that convert blocks to bytes.
        warmup: seconds after the first request that the warm hit rates leave out.
        policies: policies to replay at each capacity, in addition to LRU.
        tiers: tiers to simulate, fastest first; require ``model``.

    Raises:
        UsageError: an argument requires a model, tokens or a common clock that is missing; a
            capacity, size or tier is smaller than a block; or the trace ends during the warm-up.
        TraceError: the trace cannot be read or replayed.
    """
    if min(capacities, default=1) < 1:
        raise UsageError(
            f"a cache of {min(capacities)} blocks cannot be replayed",
            "use a capacity of 1 block or more",
        )
    trace = read_trace(source, block_tokens)
    trace = with_shared_prefix(trace, shared_prefix)
    if rate is not None:
        trace = with_poisson_arrivals(trace, rate, seed)
    found = replay(trace)
    block = block_bytes(trace, model.shape, dtype) if model is not None else None
    if block is None and (sizes or tiers):
        raise UsageError(
            "capacities in bytes require a model", "add --model NAME or --model config.json"
        )
    warm = _first_counted(trace, warmup)
    if block is not None and min(sizes, default=block) < block:
        raise UsageError(
            f"a cache of {show_amount(min(sizes))} is less than one block ({show_amount(block)})",
            "use a larger --capacity or a smaller --block-tokens",
        )
    blocks = {*capacities, *(int(size // block) for size in sizes if block)}
    blocks |= {found.curve.least(share) for share in shares}
    asked = np.array(sorted(blocks) or found.curve.knees(), np.int64)
    points = _points(trace, found, asked, block, warm)
    return Replayed(
        trace=trace.name,
        requests=trace.requests,
        references=trace.references,
        runs=trace.runs,
        block_tokens=trace.block_tokens or None,
        full_blocks_only=trace.full_only,
        timed=trace.timed,
        sessions=trace.sessions,
        arrivals="file" if rate is None else f"poisson:{rate:g}",
        seed=None if rate is None else seed,
        model=model.slug if model else None,
        dtype=str(dtype) if model else None,
        block_bytes=block,
        warmup_s=warmup,
        enough=found.curve.enough,
        points=points,
        policies=_policies(trace, policies, asked, block, warm),
        tiers=_tiers(trace, tiers, block),
        reread=reread(trace, found.reuse).bands() if trace.timed else (),
        resting=resting(trace).bands() if trace.sessions else (),
    )


def block_bytes(trace: Trace, shape: KvShape, dtype: KvDtype) -> float:
    """Mean bytes of KV cache and recurrent state per block, over the prompts of ``trace``.

    For layers with a window, the bytes include only the entries in the window.

    Raises:
        UsageError: the trace has no tokens.
    """
    tokens = trace.prompt[trace.prompt > 0].astype(np.float64)
    if not trace.block_tokens or not tokens.size:
        raise UsageError(
            f"{trace.name}: the trace does not have the number of tokens of each request, so the "
            "bytes per block are unknown",
            "use a trace with these numbers, or 'membench replay' without --model",
        )
    held = shape.state_bytes * tokens.size + sum(
        group.layers
        * group.entry_bytes(dtype)
        * float(np.minimum(tokens / group.every, group.window or np.inf).sum())
        for group in shape.groups
    )
    return float(held / tokens.sum() * trace.block_tokens)


def _first_counted(trace: Trace, warmup: float | None) -> int:
    """The index of the first request after ``warmup`` seconds; 0 without a warm-up."""
    if warmup is None:
        return 0
    _demand_order(trace, "--warmup")
    first = int(np.searchsorted(trace.arrival, trace.arrival[0] + warmup))
    if first >= trace.requests:
        span = float(trace.arrival[-1] - trace.arrival[0])
        raise UsageError(
            f"no request is after the warm-up of {warmup:g} s, because the trace lasts only "
            f"{span:g} s",
            "use a shorter --warmup",
        )
    return first


def _demand_order(trace: Trace, what: str) -> None:
    if not trace.timed:
        raise UsageError(
            f"{what} needs request times, but the trace has none",
            "generate request times: --arrivals poisson:RATE",
        )
    if (np.diff(trace.arrival) < 0).any():
        raise UsageError(
            f"{what} needs a common clock, but each session of the trace has a separate clock",
            "interleave the sessions: --arrivals poisson:RATE",
        )


def _days(trace: Trace, first: int) -> float | None:
    """Days from request number ``first`` to the last request.

    None if the trace has no common clock, or if no time passes.
    """
    if not trace.timed or trace.requests < 2 or (np.diff(trace.arrival) < 0).any():
        return None
    span = float(trace.arrival[-1] - trace.arrival[first])
    return span / DAY if span > 0 else None


def _points(
    trace: Trace, found: Replay, asked: Ints, block: float | None, first: int
) -> tuple[CachePoint, ...]:
    ends = np.append(asked, found.curve.enough)
    warm = found.since(first)
    tokens, warm_tokens = found.token_rates(ends), found.token_rates(ends, first)
    days = _days(trace, first)
    missed = warm.references - warm.hits(ends)
    full = _full_after(trace, found, ends)
    points = []
    for place, blocks in enumerate(ends.tolist()):
        last = place == asked.size
        written = missed[place] * block / days if block is not None and days else None
        held = blocks * block if block is not None else None
        points.append(
            CachePoint(
                capacity=None if last else blocks,
                hit_rate=float(found.curve.rates(ends[place : place + 1])[0]),
                gigabytes=None if held is None else held / 1e9,
                token_hit_rate=None if tokens is None else float(tokens[place]),
                warm_hit_rate=float(warm.rates(ends[place : place + 1])[0]) if first else None,
                warm_token_hit_rate=float(warm_tokens[place])
                if first and warm_tokens is not None
                else None,
                full_after_s=None if last else full[place],
                written_per_day=written,
                dwpd=None if last or written is None or not held else written / held,
            )
        )
    return tuple(points)


def _full_after(trace: Trace, found: Replay, ends: Ints) -> list[float | None]:
    """Seconds until a cache is full, for each capacity (blocks) in ``ends``.

    None if the cache is never full, if the trace has no common clock, or if no time passes.
    """
    if _days(trace, 0) is None:
        return [None] * ends.size
    known = np.zeros(trace.requests, np.int64)
    np.add.at(known, found.reuse.request, found.reuse.blocks)
    # Each block after a miss counts as new. If ids are hashes of prefixes, it cannot be cached.
    new = np.cumsum(np.maximum(found.blocks - known, 0))
    place = np.searchsorted(new, ends)
    return [
        float(trace.arrival[one] - trace.arrival[0]) if one < trace.requests else None
        for one in place.tolist()
    ]


def _policies(
    trace: Trace, policies: Sequence[CachePolicy], asked: Ints, block: float | None, first: int
) -> tuple[PolicyPoint, ...]:
    if not policies:
        return ()
    requests = expanded(trace)
    days = _days(trace, first)
    blocks, size = trace.blocks, trace.block_tokens
    points = []
    for policy in policies:
        for capacity in asked.tolist():
            served = serve(requests, policy, capacity)
            tokens = np.minimum(served.hits * size, trace.prompt)
            prompts = int(trace.prompt.sum())
            written = int(served.written[first:].sum())
            per_day = written * block / days if block is not None and days else None
            points.append(
                PolicyPoint(
                    policy=str(policy),
                    capacity=capacity,
                    hit_rate=float(served.hits.sum() / max(trace.references, 1)),
                    token_hit_rate=float(tokens.sum() / prompts) if size and prompts else None,
                    warm_hit_rate=float(served.hits[first:].sum() / max(blocks[first:].sum(), 1))
                    if first
                    else None,
                    written_blocks=written,
                    written_per_day=per_day,
                    dwpd=None if per_day is None or not block else per_day / (capacity * block),
                )
            )
    return tuple(points)


def tier_specs(asked: Sequence[TierAsked], block: float) -> list[TierSpec]:
    """The tiers ``asked``, with capacities in blocks of ``block`` bytes instead of bytes.

    Raises:
        UsageError: a tier is smaller than a block.
    """
    for one in asked:
        if one.capacity_bytes < block:
            raise UsageError(
                f"tier {one.name}: {show_amount(one.capacity_bytes)} is less than one block "
                f"({show_amount(block)})",
                "use a larger tier in --tiers",
            )
    return [
        TierSpec(name=one.name, capacity=one.capacity_bytes / block, ttl=one.ttl, second=one.second)
        for one in asked
    ]


def _tiers(trace: Trace, asked: Sequence[TierAsked], block: float | None) -> tuple[TierRow, ...]:
    if not asked or block is None:
        return ()
    if (np.diff(trace.arrival) < 0).any():
        _demand_order(trace, "--tiers")
    outcome = simulate(trace, tier_specs(asked, block), block)
    timed = trace.timed and outcome.seconds > 0
    return tuple(
        _row(one, use, outcome.references, block, outcome.seconds if timed else None)
        for one, use in zip(asked, outcome.tiers, strict=True)
    )


def _row(
    asked: TierAsked, use: TierUse, references: int, block: float, seconds: float | None
) -> TierRow:
    written = use.written_bytes / seconds if seconds else None
    return TierRow(
        name=use.name,
        capacity_bytes=asked.capacity_bytes,
        capacity_blocks=int(asked.capacity_bytes // block),
        hit_rate=use.hits / max(references, 1),
        read_per_s=use.hits * block / seconds if seconds else None,
        written_per_s=written,
        written_per_day=None if written is None else written * DAY,
        dwpd=drive_writes_per_day(written, asked.capacity_bytes)
        if written is not None and kind_of(asked.name) == "ssd"
        else None,
        mean_gigabytes=use.mean_blocks * block / 1e9 if seconds else None,
    )
