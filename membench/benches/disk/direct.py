"""Direct reads and writes of a disk, without the page cache: IOPS, bandwidth and tail latency.

Every round uses new random offsets. A random order visits every block once before it repeats a
block. Latency is the time from submission to completion (fio's `lat`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from membench.core.case import axis, bench
from membench.core.units import KIB, MIB, format_size
from membench.core.work import Observation, Work
from membench.workloads.disk_flow import (
    BANDWIDTH,
    BLOCK_STEP,
    DISK,
    IOPS,
    MOST_IN_FLIGHT,
    P50,
    P95,
    P99,
    P999,
    SECONDS,
    bandwidth,
    disk_work,
    latencies,
    seen,
    write_facts,
)

if TYPE_CHECKING:
    from membench.host.storage.backend import StorageBackend

MOST_WRITTEN = 128 * MIB
"""Maximum bytes that a round of ``ssd/write`` writes."""

_QUICK_READS = {
    ("rand", 4 * KIB, 1, "thp"),
    ("rand", 4 * KIB, 4, "thp"),
    ("rand", 4 * KIB, 32, "thp"),
    ("rand", 4 * KIB, 64, "thp"),
    ("rand", 64 * KIB, 8, "thp"),
    ("seq", MIB, 8, "thp"),
    ("seq", MIB, 8, "4k"),
    ("seq", 4 * MIB, 4, "thp"),
}
_QUICK_WRITES = {("rand", 4 * KIB, 16), ("seq", MIB, 4)}


def _worth_reading(profile: str, pattern: str, block: int, qd: int, pages: str) -> bool:
    """Whether the profile measures a case.

    In the full profile, only random reads of 4 KiB have every queue depth, and only large
    sequential reads use memory on pages of 4 KiB.
    """
    if profile == "quick" or (pattern, block, qd, pages) in _QUICK_READS:
        return (pattern, block, qd, pages) in _QUICK_READS
    if pages == "4k":
        return pattern == "seq" and qd == 8 and block >= 64 * KIB
    if pattern == "rand":
        return block == 4 * KIB or qd in (1, 8) or (qd == 32 and block <= MIB)
    return block >= 64 * KIB and (qd in (1, 8) or (qd == 32 and block <= MIB))


def _worth_writing(profile: str, pattern: str, block: int, qd: int) -> bool:
    if profile == "quick" or (pattern, block, qd) in _QUICK_WRITES:
        return (pattern, block, qd) in _QUICK_WRITES
    if pattern == "rand":
        return block == 4 * KIB or (qd == 4 and block in (64 * KIB, MIB))
    return (qd == 4 and block >= 64 * KIB) or (block == MIB and qd in (1, 16))


@bench(
    "ssd/read",
    version=1,
    backend="storage",
    yields=(IOPS, BANDWIDTH, P50, P95, P99, P999),
    grid=("pattern", "block", "qd", "pages"),
    where=_worth_reading,
    seconds=SECONDS,
    memory=lambda block, qd, **_: block * (qd + 1) + 2 * MIB,
    disk=DISK,
)
@axis("pattern", quick=("rand", "seq"))
@axis("block", quick=("4KiB", "64KiB", "1MiB", "4MiB"), full="4KiB..4MiB *4", step=BLOCK_STEP)
@axis("qd", quick=(32, 1, 4, 8, 64), full=(1, 2, 4, 8, 16, 32, 64), most=MOST_IN_FLIGHT)
@axis("pages", quick=("thp", "4k"))
def read(storage: StorageBackend, pattern: str, block: int, qd: int, pages: str) -> Work:
    """Read blocks from the disk with a fixed number of reads in flight.

    The bench determines the share of the data in the page cache before and after the reads. The
    entry ``resident`` of the row's detail is the larger share.
    """
    from membench.host.storage.flow import TrafficShape

    flow = storage.flow(TrafficShape(pattern=pattern, block=block, depth=qd), pages)

    def observe(seconds: float) -> Observation:
        resident = storage.evict()
        trace = flow.run(seconds)
        samples = {IOPS: trace.rates(), **bandwidth(trace, block), **latencies(trace)}
        served = storage.served(resident, trace.count * block)
        return Observation(samples, seen(trace) | {"resident": served})

    return disk_work(storage, flow, observe, block, pages)


@bench(
    "ssd/write",
    version=1,
    backend="storage",
    yields=(IOPS, BANDWIDTH, P50, P95, P99, P999),
    grid=("pattern", "block", "qd"),
    where=_worth_writing,
    seconds=0.15,  # a round ends when it has written all bytes
    memory=lambda block, qd, **_: block * (qd + 1) + 2 * MIB,
    disk=DISK,
)
@axis("pattern", quick=("rand", "seq"))
@axis("block", quick=("4KiB", "1MiB"), full="4KiB..4MiB *4", step=BLOCK_STEP, most=MOST_WRITTEN)
@axis("qd", quick=(16, 4), full=(1, 4, 16, 64), most=MOST_IN_FLIGHT)
def write(storage: StorageBackend, pattern: str, block: int, qd: int) -> Work:
    """Overwrite blocks on the disk with a fixed number of writes in flight.

    A write is complete when the disk reports completion. The data may reach the medium later (see
    ``ssd/sync``). A round writes at most 48 MiB, or 128 MiB if a block has 64 KiB or more.
    """
    from membench.host.storage.flow import TrafficShape

    most = 48 * MIB if block < 64 * KIB else MOST_WRITTEN
    case = f"ssd/write/{pattern}/{format_size(block)}/{qd}"
    storage.claim(case, most + block)
    flow = storage.flow(TrafficShape(pattern=pattern, block=block, depth=qd, reads=0, most=most))

    def observe(seconds: float) -> Observation:
        trace = flow.run(seconds)
        storage.wrote(trace.count * block)
        samples = {IOPS: trace.rates(), **bandwidth(trace, block), **latencies(trace)}
        return Observation(samples, seen(trace) | {"written": trace.count * block})

    return disk_work(storage, flow, observe, block, "thp", **write_facts(storage))
