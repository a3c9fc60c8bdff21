"""Code that the disk benches share: metrics, costs, the work of an I/O pattern, and facts for rows.

Latency counts from submission to completion (fio's `lat`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from membench.core.terms import BytesConvention, CacheState, Metric, Stat
from membench.core.units import GIB
from membench.core.work import Observed

if TYPE_CHECKING:
    from membench.host.storage.backend import StorageBackend
    from membench.host.storage.flow import Flow
    from membench.host.storage.traffic import TrafficRecord

DISK = GIB  # scratch file in bytes: more than the cache memory of most disk controllers
BLOCK_STEP = 4096  # bytes: direct I/O needs no larger alignment, and contents are checked in them
MOST_IN_FLIGHT = 4096  # requests: IORING_MAX_ENTRIES of the first kernels with io_uring
OBSERVE_S = 0.2
SECONDS = 0.22  # seconds per round of one case, including set-up and verification
CLIENT_LIMITED = 0.9  # above this share of its CPU, the loop may limit the rate, not the disk

IOPS = (Metric.IOPS, Stat.MEDIAN)
BANDWIDTH = (Metric.BANDWIDTH, Stat.MEDIAN)
RATE = (Metric.RATE, Stat.MEDIAN)
P50 = (Metric.LATENCY, Stat.P50)
P95 = (Metric.LATENCY, Stat.P95)
P99 = (Metric.LATENCY, Stat.P99)
P999 = (Metric.LATENCY, Stat.P999)


def write_facts(storage: StorageBackend) -> dict[str, str]:
    """Facts about how writes reach the disk, for the `detail` of a row; see `ScratchHandle`.

    ``dirtied`` is present if the kernel sends writes through the page cache; it sets the flag.
    """
    scratch = storage.scratch
    facts = {"file": "nocow"} if scratch.nocow else {}
    if scratch.buffered_writes:
        facts["dirtied"] = f"{100 * scratch.dirtied:.0f}%"
    return facts


def disk_work(
    storage: StorageBackend, flow: Flow, observe: Any, block: int, pages: str, **detail: Any
) -> Observed:
    """The work of an I/O pattern, with the facts that all disk rows have."""
    return Observed(
        observe=observe,
        seconds=OBSERVE_S,
        timer=storage.timer,
        size_bytes=storage.scratch.size,
        bytes_moved=block,
        bytes_convention=BytesConvention.PAYLOAD,
        verify=flow.verify,
        cache_state=CacheState.COLD,
        detail={"engine": storage.engine.name, "huge": storage.cpu.huge_share(pages), **detail},
        close=flow.close,
    )


def bandwidth(trace: TrafficRecord, block: int) -> dict[tuple[Metric, Stat], list[float]]:
    """Bandwidth in GB/s, computed from the same groups of I/Os as the I/O rates."""
    return {BANDWIDTH: [rate * block / 1e9 for rate in trace.rates()]}


def latencies(
    trace: TrafficRecord, stats: tuple[tuple[Metric, Stat], ...] = (P50, P95, P99, P999)
) -> dict[tuple[Metric, Stat], Any]:
    """The latencies in ns, under each (metric, stat) of ``stats``."""
    return dict.fromkeys(stats, trace.latency)


def seen(trace: TrafficRecord) -> dict[str, str | int | float]:
    """Facts about the client: its share of a CPU, and whether it may have limited the rate.

    ``submit`` is the share of its time that it spent in submission calls. ``registered`` is present
    if memory and file were registered with the kernel.
    """
    detail: dict[str, str | int | float] = {
        "loops": trace.loops,
        "busy": round(trace.busy, 2),
    }
    if trace.registered:
        detail["registered"] = "yes"
    if trace.submitting:
        detail["submit"] = round(trace.submitting, 2)
    if trace.blocked:
        detail["submission"] = "blocked"
    if trace.busy > CLIENT_LIMITED:
        detail["client"] = "limited"
    return detail
