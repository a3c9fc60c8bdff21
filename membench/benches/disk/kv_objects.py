"""Reads of KV-cache objects whose sizes come from real models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from membench.core.case import axis, bench
from membench.core.units import MIB
from membench.core.work import Observation, Work
from membench.workloads.disk_flow import (
    BANDWIDTH,
    DISK,
    P50,
    P99,
    RATE,
    SECONDS,
    bandwidth,
    disk_work,
    latencies,
    seen,
)

if TYPE_CHECKING:
    from membench.host.storage.backend import StorageBackend

QD = 2  # objects in flight; the largest object has 80 MiB


@dataclass(frozen=True)
class _AttentionSize:
    layers: int
    kv_heads: int
    head_dim: int

    @property
    def bytes_per_token(self) -> int:
        """Bytes of K and V of one token, at 2 bytes per value."""
        return 2 * self.layers * self.kv_heads * self.head_dim * 2


MODELS = {
    # Source: the published config.json of each model.
    "llama-3.1-8b": _AttentionSize(layers=32, kv_heads=8, head_dim=128),
    "llama-3.1-70b": _AttentionSize(layers=80, kv_heads=8, head_dim=128),
    "qwen3-32b": _AttentionSize(layers=64, kv_heads=8, head_dim=128),
    "qwen3-235b-a22b": _AttentionSize(layers=94, kv_heads=4, head_dim=128),
}


def object_bytes(model: str, tokens: int) -> int:
    return MODELS[model].bytes_per_token * tokens


@bench(
    "ssd/kv",
    version=1,
    backend="storage",
    yields=(BANDWIDTH, RATE, P50, P99),
    profiles=("full",),
    grid=("model", "tokens"),
    seconds=SECONDS + 0.1,
    memory=lambda model, tokens: (QD + 1) * object_bytes(model, tokens) + MIB,
    disk=DISK,
)
@axis("model", quick=tuple(MODELS))
@axis("tokens", quick=(16, 256))
def kv(storage: StorageBackend, model: str, tokens: int) -> Work:
    """Load KV-cache objects from the disk in random order, with two loads in flight.

    An object contains all layers of the KV cache of ``tokens`` tokens. A block of a paged KV cache
    often has 16 tokens. A chunk of a KV cache on disk often has 256 tokens. ``rate`` is in tokens
    per second. Latency is in ns per object.
    """
    from membench.host.storage.flow import TrafficShape

    size = object_bytes(model, tokens)
    flow = storage.flow(TrafficShape(pattern="rand", block=size, depth=QD))

    def observe(seconds: float) -> Observation:
        resident = storage.evict()
        trace = flow.run(seconds)
        samples = {
            RATE: [rate * tokens for rate in trace.rates()],
            **bandwidth(trace, size),
            **latencies(trace, (P50, P99)),
        }
        detail: dict[str, str | int | float] = {
            "resident": storage.served(resident, trace.count * size),
            "object": size,
            "qd": QD,
        }
        return Observation(samples, {**seen(trace), **detail})

    return disk_work(storage, flow, observe, size, "thp")
