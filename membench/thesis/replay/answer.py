"""What `membench replay` answers: the points of the curve, and the two shares by gap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from membench.thesis.models.catalogue import Model
from membench.thesis.models.economics import Shares
from membench.thesis.models.kv_shape import KvDtype, bytes_per_token
from membench.thesis.replay.gaps import reread, resting
from membench.thesis.replay.hits import replay
from membench.thesis.replay.trace import with_poisson_arrivals, with_shared_prefix
from membench.thesis.replay.traces import read_trace


@dataclass(frozen=True)
class Point:
    """A point of the curve; ``capacity`` in blocks, None for a cache without end.

    ``gigabytes`` (1e9 bytes) is what that many blocks of the model's cache hold; for a
    cache without end what is enough for all hits.
    """

    capacity: int | None
    hit_rate: float
    gigabytes: float | None


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """A replayed trace.

    Attributes:
        sessions: whether ids and times belong to sessions.
        arrivals: `file`, or `poisson:RATE` with the seed.
        enough: blocks at which nothing more can hit.
        reread: shares of what was read again, by gap.
        resting: shares of whole contexts, by the gap to the next request of the session;
            empty without sessions.
    """

    trace: str
    requests: int
    references: int
    runs: int
    block_tokens: int
    sessions: bool
    arrivals: str
    seed: int | None
    model: str | None
    dtype: str | None
    enough: int
    points: tuple[Point, ...]
    reread: tuple[Shares, ...]
    resting: tuple[Shares, ...]


def replay_source(
    source: str,
    *,
    capacities: Sequence[int] = (),
    block_tokens: int | None = None,
    shared_prefix: int = 0,
    rate: float | None = None,
    seed: int = 0,
    model: Model | None = None,
    dtype: KvDtype = KvDtype.FP16,
) -> Replayed:
    """Replay a shipped trace or a file (`read_trace`) and evaluate its curve.

    Args:
        shared_prefix: tokens at the begin of every session that all of them share.
        capacities: blocks; none for the knees of the curve.
        rate: sessions (or requests, where there are none) a second that start at random;
            None for the order and the times of the file.
        model, dtype: whose cache the blocks are, for gigabytes.
    """
    trace = read_trace(source, block_tokens)
    trace = with_shared_prefix(trace, shared_prefix)
    if rate is not None:
        trace = with_poisson_arrivals(trace, rate, seed)
    found = replay(trace)
    curve = found.curve
    asked = np.array(sorted(set(capacities)) or curve.knees(), np.int64)
    block = None
    if model is not None:
        block = bytes_per_token(model.shape, dtype) * trace.block_tokens / 1e9
    points = [
        Point(capacity, rate_, capacity * block if block is not None else None)
        for capacity, rate_ in zip(asked.tolist(), curve.rates(asked).tolist(), strict=True)
    ]
    whole = curve.enough * block if block is not None else None
    return Replayed(
        trace=trace.name,
        requests=trace.requests,
        references=trace.references,
        runs=trace.runs,
        block_tokens=trace.block_tokens,
        sessions=trace.sessions,
        arrivals="file" if rate is None else f"poisson:{rate:g}",
        seed=None if rate is None else seed,
        model=model.slug if model else None,
        dtype=str(dtype) if model else None,
        enough=curve.enough,
        points=(*points, Point(None, curve.most, whole)),
        reread=reread(trace, found.reuse).bands(),
        resting=resting(trace).bands() if trace.sessions else (),
    )
