"""Measures how the target memory and membench's own I/O code limit the results of disk benches."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from membench.core.case import axis, bench
from membench.core.errors import skip
from membench.core.terms import Tier
from membench.core.units import KIB, MIB
from membench.core.work import Observation, Work
from membench.workloads.disk_flow import (
    BANDWIDTH,
    DISK,
    IOPS,
    MOST_IN_FLIGHT,
    P50,
    P99,
    SECONDS,
    bandwidth,
    disk_work,
    latencies,
    seen,
)

if TYPE_CHECKING:
    from membench.host.storage.backend import StorageBackend

CEILING_FILE = 64 * MIB


@bench(
    "ssd/buffer",
    version=1,
    backend="storage",
    yields=(BANDWIDTH, P50, P99),
    profiles=("full",),
    grid=("pages", "align"),
    seconds=SECONDS,
    memory=17 * MIB,
    disk=DISK,
)
@axis("pages", quick=("thp", "4k"))
@axis("align", quick=("4KiB", "512B"), most=4 * KIB, power=True)
def buffer(storage: StorageBackend, pages: str, align: int) -> Work:
    """Read blocks of 1 MiB with 8 reads in flight, into memory of a given page size and alignment.

    The kernel splits a read into several requests if the target memory is not contiguous. The entry
    ``requests`` of the row's detail is the number of requests per read, from the disk's counters.
    """
    from membench.host.storage.flow import TrafficShape

    shift = align if align < 4 * KIB else 0
    storage.evict()
    with storage.opened(direct=True) as fd:
        try:
            os.preadv(fd, [storage.memory(pages, 4 * KIB, shift).data], 0)
        except OSError as error:
            skip(f"the disk cannot read into memory aligned to {align} bytes: {error.strerror}")
    # A file system may accept a direct read and still use the page cache.
    if storage.resident(4 * KIB):
        skip(
            f"{storage.scratch.kind} uses the page cache for reads into memory aligned to {align} "
            "bytes"
        )
    flow = storage.flow(TrafficShape(pattern="seq", block=MIB, depth=8), pages, shift=shift)

    def observe(seconds: float) -> Observation:
        resident = storage.evict()
        before = storage.requests()
        trace = flow.run(seconds)
        after = storage.requests()
        detail = seen(trace) | {"resident": storage.served(resident, trace.count * MIB)}
        if before is not None and after is not None:
            detail["requests"] = round((after[0] - before[0]) / trace.count, 2)
        return Observation(bandwidth(trace, MIB) | latencies(trace, (P50, P99)), detail)

    return disk_work(storage, flow, observe, MIB, pages)


@bench(
    "ssd/client",
    version=1,
    backend="storage",
    yields=(IOPS, P50),
    tier=Tier.DDR,
    profiles=("full",),
    seconds=SECONDS + 0.1,
    memory=CEILING_FILE + MIB,
    disk=DISK,
)
@axis("qd", quick=(32, 1), most=MOST_IN_FLIGHT)
def client(storage: StorageBackend, qd: int) -> Work:
    """Measure the maximum rate of the I/O client by random reads of 4 KiB from a file in memory.

    If a disk's rate is close to this maximum, the client may limit the rate. In the detail of other
    rows, ``client=limited`` means that a submitting thread used more than 0.9 of a CPU.
    """
    from membench.host.storage.flow import Flow, TrafficShape

    fd = os.memfd_create("membench-ceiling", os.MFD_CLOEXEC)
    chunk = bytearray(MIB)
    for offset in range(0, CEILING_FILE, MIB):
        storage.content.fill(memoryview(chunk), offset)
        os.pwrite(fd, chunk, offset)
    block = 4 * KIB
    flow = Flow(
        fd,
        CEILING_FILE,
        storage.content,
        storage.memory("thp", 2 * qd * block),
        storage.plain_engine,
        TrafficShape(pattern="rand", block=block, depth=qd),
    )

    def observe(seconds: float) -> Observation:
        trace = flow.run(seconds)
        return Observation({IOPS: trace.rates(), **latencies(trace, (P50,))}, seen(trace))

    engine = storage.plain_engine.name
    return disk_work(storage, flow, observe, block, "thp", file="memory", engine=engine)
