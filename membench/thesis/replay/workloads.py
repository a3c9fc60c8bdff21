"""The shipped traces as demand on the tiers: reads, writes and resident cache of one GPU."""

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
"""Gaps up to this many seconds are served by HBM and DDR; longer ones by SSD, because an agent then
waits for a person.
"""
KEPT_S = 86400.0
"""Seconds after which idle cache is dropped (a day)."""


@dataclass(frozen=True)
class Workload:
    """A shipped trace with its hit rate by capacity and the idle times of its cache."""

    name: str
    curve: Curve
    gaps: Gaps


@cache
def workloads() -> tuple[Workload, ...]:
    """All shipped traces with reuse; the first call replays them, which takes a second."""
    return tuple(Workload(curve.name, curve, _gaps(curve.name)) for curve in curves())


def _gaps(name: str) -> Gaps:
    """The gaps of the shipped trace ``name``, from the disk cache if it was replayed before."""

    def made() -> bytes:
        gaps = _replayed(name)
        return np.stack([gaps.seconds, gaps.tokens]).astype("<f8").tobytes()

    digest = next(one.sha256 for one in SHIPPED if one.name == name)
    key = key_of(digest, sources_key(Path(__file__).parent), version_of("numpy"))
    seconds, tokens = np.frombuffer(kept("gaps", key, made), "<f8").reshape(2, -1)
    return Gaps(seconds, tokens)


def _replayed(name: str) -> Gaps:
    """Idle times of whole contexts if the trace has sessions, otherwise of re-read cache."""
    trace = read_trace(name)
    if trace.sessions:
        return resting(trace)
    return reread(trace, replay(trace).reuse)


@dataclass(frozen=True)
class Demand:
    """The demand of one GPU on the tiers, for one model and workload.

    Attributes:
        requests_per_s: number of requests that it can prefill if it computes only the misses.
        fast_bytes, slow_bytes: bytes resident in HBM and DDR, and in SSD, which also holds those.
        fast_read, slow_read: B/s re-read from HBM and DDR, and from SSD.
        written: B/s of new cache that are written.
        dwpd: drive writes per day if all new cache is written to the GPU's share of the flash.
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

    By Little's law, the resident bytes are the rate at which cache becomes idle times its idle
    time.

    Args:
        model: a model with known weights.
        capacity_bytes: capacity of the flash to which ``dwpd`` refers.
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
