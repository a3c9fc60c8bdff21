"""Reads of KV-cache pages from the disk into main memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from membench.core.case import axis, bench
from membench.core.units import MIB, about_size
from membench.core.work import Observation, Work
from membench.workloads.disk_flow import (
    BANDWIDTH,
    BLOCK_STEP,
    DISK,
    MOST_IN_FLIGHT,
    P50,
    P99,
    RATE,
    bandwidth,
    disk_work,
    latencies,
    seen,
)

if TYPE_CHECKING:
    from membench.host.storage.backend import StorageBackend

POOL = 128 * MIB
"""Minimum bytes of memory that receive the pages, larger than most caches."""


def _pool(block: int, qd: int) -> int:
    return max(POOL, 2 * block * qd)


@bench(
    "paging/ssd-ddr",
    version=1,
    backend="storage",
    yields=(BANDWIDTH, RATE, P50, P99),
    grid=("block", "qd"),
    seconds=0.23,
    memory=lambda block, qd, **_: _pool(block, qd) + MIB,
    disk=DISK,
)
@axis("block", quick=("1MiB", "64KiB", "16KiB"), full="16KiB..4MiB *4", step=BLOCK_STEP)
@axis("qd", quick=8, full=(1, 8, 32), most=MOST_IN_FLIGHT)
@axis("pattern", quick="rand", full=("rand", "seq"))
def ssd_ddr(storage: StorageBackend, block: int, qd: int, pattern: str) -> Work:
    """Read pages from the disk into a pool in memory, one slot after the other.

    The pages represent a KV cache in a file. ``pattern=rand`` reads the pages in random order, like
    an engine that serves requests with different prefixes. ``pattern=seq`` reads the pages in file
    order, like an engine that restores one long context. ``rate`` is in pages per second.
    """
    from membench.host.storage.flow import TrafficShape

    pool = _pool(block, qd)
    flow = storage.flow(TrafficShape(pattern=pattern, block=block, depth=qd), pool=pool)

    def observe(seconds: float) -> Observation:
        resident = storage.evict()
        trace = flow.run(seconds)
        samples = {RATE: trace.rates(), **bandwidth(trace, block), **latencies(trace, (P50, P99))}
        served = storage.served(resident, trace.count * block)
        return Observation(samples, seen(trace) | {"resident": served})

    return disk_work(
        storage, flow, observe, block, "thp", pool=about_size(pool).replace(" ", ""), memory="host"
    )
