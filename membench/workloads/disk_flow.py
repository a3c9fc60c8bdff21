"""Constants and functions that the disk benches share.

A latency is the time from submission to completion (`lat` in fio).
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

DISK = GIB  # bytes of the scratch file; more than the cache of most disk controllers
BLOCK_STEP = 4096  # bytes: alignment for direct I/O, and the unit of verification
MOST_IN_FLIGHT = 4096  # requests; IORING_MAX_ENTRIES of the first kernels with io_uring
OBSERVE_S = 0.2
LEAST_OBSERVE_S = 0.1
SECONDS = 0.22  # estimated seconds per round of one case, including set-up and verification
CLIENT_LIMITED = 0.9  # if the I/O loop uses a larger share of a CPU, it may limit the rate

IOPS = (Metric.IOPS, Stat.MEDIAN)
BANDWIDTH = (Metric.BANDWIDTH, Stat.MEDIAN)
RATE = (Metric.RATE, Stat.MEDIAN)
P50 = (Metric.LATENCY, Stat.P50)
P95 = (Metric.LATENCY, Stat.P95)
P99 = (Metric.LATENCY, Stat.P99)
P999 = (Metric.LATENCY, Stat.P999)


def write_facts(storage: StorageBackend) -> dict[str, str]:
    """Key-value pairs about the path of writes to the disk, for the `detail` of a row.

    - ``file=nocow``: a copy-on-write filesystem overwrites the file in place
    - ``dirtied``: percentage of written pages that went through the page cache; present only if the
      kernel sends direct writes through the page cache
    """
    scratch = storage.scratch
    facts = {"file": "nocow"} if scratch.nocow else {}
    if scratch.buffered_writes:
        facts["dirtied"] = f"{100 * scratch.dirtied:.0f}%"
    return facts


def disk_work(
    storage: StorageBackend, flow: Flow, observe: Any, block: int, pages: str, **detail: Any
) -> Observed:
    """`Observed` work that runs the I/O pattern ``flow``.

    Args:
        observe: function that runs the pattern and returns the samples.
        block: bytes per I/O.
        pages: kind of page of the buffers, ``thp`` or ``4k``.
        detail: further pairs for the `detail` of a row.
    """
    return Observed(
        observe=observe,
        seconds=OBSERVE_S,
        least_seconds=LEAST_OBSERVE_S,
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
    """Samples of the bandwidth in GB/s (I/O rate times ``block`` bytes), by (metric, statistic)."""
    return {BANDWIDTH: [rate * block / 1e9 for rate in trace.rates()]}


def latencies(
    trace: TrafficRecord, stats: tuple[tuple[Metric, Stat], ...] = (P50, P95, P99, P999)
) -> dict[tuple[Metric, Stat], Any]:
    """The latencies of all I/Os in ns, as the samples of each (metric, statistic) in ``stats``."""
    return dict.fromkeys(stats, trace.latency)


def seen(trace: TrafficRecord) -> dict[str, str | int | float]:
    """Key-value pairs about the I/O loop, for the `detail` of a row.

    - ``loops``: number of submitting threads
    - ``busy``: largest share (0 to 1) of a CPU that a submitting thread used
    - ``client=limited``: the I/O loop may have limited the rate
    - ``submit``: largest share (0 to 1) of the time that a thread spent in submission calls
    - ``submission=blocked``: submission calls waited for the disk
    - ``registered=yes``: memory and file were registered with the kernel
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
