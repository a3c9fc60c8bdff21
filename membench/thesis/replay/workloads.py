"""The shipped traces as demand: what one GPU that prefills them reads, writes and keeps."""

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
"""Gaps up to this are served by HBM and DDR, longer ones (an agent waits for a person) by SSD."""
KEPT_S = 86400.0
"""What rested for a day is dropped."""


@dataclass(frozen=True)
class Workload:
    """A shipped trace: hit rate by capacity, and how long its cache rests."""

    name: str
    curve: Curve
    gaps: Gaps


@cache
def workloads() -> tuple[Workload, ...]:
    """All shipped traces with reuse; reading and replaying them takes a second, once ever."""
    return tuple(Workload(curve.name, curve, _gaps(curve.name)) for curve in curves())


def _gaps(name: str) -> Gaps:
    """The gaps of the shipped trace ``name``, from the cache where it was replayed before."""

    def made() -> bytes:
        gaps = _replayed(name)
        return np.stack([gaps.seconds, gaps.tokens]).astype("<f8").tobytes()

    digest = next(one.sha256 for one in SHIPPED if one.name == name)
    key = key_of(digest, sources_key(Path(__file__).parent), version_of("numpy"))
    seconds, tokens = np.frombuffer(kept("gaps", key, made), "<f8").reshape(2, -1)
    return Gaps(seconds, tokens)


def _replayed(name: str) -> Gaps:
    """The rest of whole contexts where there are sessions, else that of what is read again."""
    trace = read_trace(name)
    if trace.sessions:
        return resting(trace)
    return reread(trace, replay(trace).reuse)


@dataclass(frozen=True)
class Demand:
    """What one GPU asks of the tiers for one model and workload.

    Attributes:
        requests_per_s: that it can prefill, misses alone computed.
        fast_bytes, slow_bytes: resident in HBM and DDR, and in SSD, which holds all.
        fast_read, slow_read: B/s of what is read again from either.
        written: B/s of new cache.
        dwpd: drive writes a day if all of it is written to the flash of the GPU.
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

    By Little's law: resident is what comes to rest times how long it rests.

    Args:
        model: one whose weights are known.
        capacity_bytes: of the flash that ``dwpd`` is of.
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
