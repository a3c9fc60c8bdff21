"""Computes the demand of a trace on the cache tiers of one GPU: reads, writes, resident bytes."""

from __future__ import annotations

from functools import cache

from membench.core.record import record
from membench.thesis.models.catalogue import Model
from membench.thesis.models.economics import drive_writes_per_day
from membench.thesis.models.kv_shape import KvDtype, mean_bytes_per_token
from membench.thesis.models.roofline import prefill_flops
from membench.thesis.replay.curves import Curve, curves
from membench.thesis.replay.gap_sums import GapSums, gap_sums


@record
class Workload:
    """The hit rates and idle times of a trace that membench contains."""

    name: str
    curve: Curve
    gaps: GapSums


@cache
def workloads() -> tuple[Workload, ...]:
    """The traces with block ids that membench contains."""
    return tuple(Workload(one.name, one, gap_sums()[one.name]) for one in curves())


@record
class Demand:
    """The demand of one GPU on the cache tiers, for one model and workload.

    Attributes:
        requests_per_s: requests per second that the GPU can prefill if only misses are computed.
        fast_bytes: resident bytes in HBM and DDR.
        slow_bytes: resident bytes in SSD, including a copy of ``fast_bytes``.
        fast_read: B/s of reused cache that HBM and DDR serve.
        slow_read: B/s of reused cache that SSD serves.
        written: B/s of new cache for input tokens.
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
    """The demand of a GPU that spends ``flops_per_s`` on prefill, with an unlimited cache.

    Little's law gives the resident bytes: the B/s that are read again, times the mean gap
    (`GapSums.fast_mean_s` or `GapSums.slow_mean_s`).

    Args:
        model: a model with known weights.
        capacity_bytes: bytes of flash per GPU, for ``dwpd``.
    """
    weights = model.parameters
    assert weights is not None
    tokens, hit = workload.curve.tokens_per_request, float(workload.curve.hits[-1])
    work = prefill_flops(tokens, weights.matmul, weights.attention, tokens * hit)
    rate = flops_per_s / work
    per_token = mean_bytes_per_token(model.shape, tokens, KvDtype.FP16)
    gaps = workload.gaps
    reread_rate = rate * tokens * hit * per_token
    written = rate * tokens * (1 - hit) * per_token
    return Demand(
        requests_per_s=rate,
        fast_bytes=reread_rate * gaps.fast_mean_s,
        slow_bytes=reread_rate * gaps.slow_mean_s,
        fast_read=reread_rate * gaps.fast_share,
        slow_read=reread_rate * gaps.slow_share,
        written=written,
        dwpd=drive_writes_per_day(written, capacity_bytes),
    )
