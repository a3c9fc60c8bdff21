"""Computes what a trace demands from the cache tiers of one GPU: reads, writes, resident bytes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from membench.core.kept import kept, key_of, sources_key, version_of
from membench.thesis.models.catalogue import Model
from membench.thesis.models.demand import band_traffic, resident_bytes
from membench.thesis.models.economics import drive_writes_per_day
from membench.thesis.models.kv_shape import KvDtype, mean_bytes_per_token
from membench.thesis.models.roofline import prefill_flops
from membench.thesis.replay.curves import Curve, curves
from membench.thesis.replay.gaps import Gaps, reread, resting
from membench.thesis.replay.hits import replay
from membench.thesis.replay.traces import SHIPPED, read_trace

FAST_S = 60.0
"""Longest time between two uses, in seconds, for which HBM and DDR keep cache.

After a longer time (an agent waits for a person), the SSD keeps the cache.
"""
KEPT_S = 86400.0
"""Seconds (a day) after which the SSD drops idle cache."""


@dataclass(frozen=True)
class Workload:
    """A trace that membench contains: hit rate by capacity, and idle times of the cache."""

    name: str
    curve: Curve
    gaps: Gaps


@cache
def workloads() -> tuple[Workload, ...]:
    """All traces that membench contains and that use blocks again.

    The first call replays the traces, which takes a second.
    """
    return tuple(Workload(curve.name, curve, _gaps(curve.name)) for curve in curves())


def _gaps(name: str) -> Gaps:
    """The idle times in the trace ``name``. A disk cache has the result of an earlier process."""

    def made() -> bytes:
        gaps = _replayed(name)
        return np.stack([gaps.seconds, gaps.tokens]).astype("<f8").tobytes()

    digest = next(one.sha256 for one in SHIPPED if one.name == name)
    key = key_of(digest, sources_key(Path(__file__).parent), version_of("numpy"))
    seconds, tokens = np.frombuffer(kept("gaps", key, made), "<f8").reshape(2, -1)
    return Gaps(seconds, tokens)


def _replayed(name: str) -> Gaps:
    """The idle times of whole contexts, or of re-read blocks if the trace has no sessions."""
    trace = read_trace(name)
    if trace.sessions:
        return resting(trace)
    return reread(trace, replay(trace).reuse)


@dataclass(frozen=True)
class Demand:
    """The demand of one GPU on the cache tiers, for one model and workload.

    Attributes:
        requests_per_s: requests per second that the GPU can prefill if only misses are computed.
        fast_bytes: resident bytes in HBM and DDR.
        slow_bytes: resident bytes in SSD, including a copy of ``fast_bytes``.
        fast_read: B/s read again from HBM and DDR.
        slow_read: B/s read again from SSD.
        written: B/s of new cache.
        dwpd: drive writes per day if all new cache is written to the GPU's flash.
    """

    requests_per_s: float
    fast_bytes: float
    slow_bytes: float
    fast_read: float
    slow_read: float
    written: float
    dwpd: float


def demand_of(
    model: Model, workload: Workload, flops_per_s: float, capacity_bytes: float
) -> Demand:
    """The demand of a GPU that spends ``flops_per_s`` on prefill.

    By Little's law, the resident bytes are the B/s that become idle times the mean idle time.

    Args:
        model: a model with known weights.
        flops_per_s: FLOP/s of the GPU for prefill.
        capacity_bytes: bytes of flash per GPU, for ``dwpd``.
    """
    weights = model.parameters
    assert weights is not None
    tokens, hit = workload.curve.tokens_per_request, float(workload.curve.hits[-1])
    work = prefill_flops(tokens, weights.matmul, weights.attention, tokens * hit)
    rate = flops_per_s / work
    per_token = mean_bytes_per_token(model.shape, tokens, KvDtype.FP16)
    gaps, waiting = workload.gaps.seconds, workload.gaps.tokens
    reread_rate = rate * tokens * hit * per_token
    written = rate * tokens * (1 - hit) * per_token
    return Demand(
        requests_per_s=rate,
        fast_bytes=resident_bytes(reread_rate, gaps, waiting, FAST_S),
        slow_bytes=resident_bytes(reread_rate, gaps, waiting, KEPT_S),
        fast_read=band_traffic(reread_rate, gaps, waiting, 0.0, FAST_S),
        slow_read=band_traffic(reread_rate, gaps, waiting, FAST_S, KEPT_S),
        written=written,
        dwpd=drive_writes_per_day(written, capacity_bytes),
    )
