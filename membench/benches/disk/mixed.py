"""Disk writes: writes mixed with reads, writes forced to the medium, and sustained writes."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from membench.core.case import axis, bench
from membench.core.errors import VerificationFailed, skip
from membench.core.terms import BytesConvention, CacheState
from membench.core.text import counted
from membench.core.units import GIB, KIB, MIB, format_size
from membench.core.work import Observation, Observed, Work
from membench.workloads.disk_flow import (
    BANDWIDTH,
    BLOCK_STEP,
    DISK,
    IOPS,
    MOST_IN_FLIGHT,
    P50,
    P99,
    P999,
    RATE,
    SECONDS,
    bandwidth,
    disk_work,
    seen,
    write_facts,
)

if TYPE_CHECKING:
    from membench.host.storage.backend import StorageBackend

MIX_BYTES = 32 * MIB  # bytes written per round
SYNC_BYTES = 32 * MIB  # bytes written per round
SUSTAINED_BYTES = 8 * GIB  # exceeds the fast SLC cache of many consumer disks
SUSTAINED_S = 30.0
SLOT_NS = 10**9


@bench(
    "ssd/mix",
    version=1,
    backend="storage",
    yields=(IOPS, BANDWIDTH, P50, P99, P999),
    profiles=("full",),
    seconds=SECONDS,
    memory=MIB,
    disk=DISK,
)
@axis("reads", quick=(70, 50), most=99)
@axis("qd", quick=16, most=MOST_IN_FLIGHT)
def mix(storage: StorageBackend, reads: int, qd: int) -> Work:
    """Read and write random blocks of 4 KiB, with a given percentage of reads.

    The latency metrics cover only the reads. The row's detail has the latencies of the writes.
    """
    import numpy as np

    from membench.host.storage.flow import TrafficShape

    block = 4 * KIB
    storage.claim(f"ssd/mix/{reads}/{qd}", MIX_BYTES + block)
    flow = storage.flow(
        TrafficShape(pattern="rand", block=block, depth=qd, reads=reads, most=MIX_BYTES)
    )

    def observe(seconds: float) -> Observation:
        resident = storage.evict()
        trace = flow.run(seconds)
        wrote = trace.latency[trace.wrote]
        storage.wrote(int(wrote.size) * block)
        reading = trace.latency[~trace.wrote]
        if not wrote.size or not reading.size:
            ios, missing = counted(trace.count, "I/O"), "writes" if reading.size else "reads"
            skip(f"a round of {ios} had no {missing}: this is not the mix reads={reads}")
        p50, p99 = (round(float(ns)) for ns in np.percentile(wrote, (50, 99)))
        samples: dict[Any, Any] = {
            IOPS: trace.rates(),
            **bandwidth(trace, block),
            **dict.fromkeys((P50, P99, P999), reading),
        }
        detail: dict[str, str | int | float] = {
            "resident": storage.served(resident, trace.count * block),
            "write_p50_ns": p50,
            "write_p99_ns": p99,
        }
        return Observation(samples, seen(trace) | detail)

    return disk_work(storage, flow, observe, block, "thp", **write_facts(storage))


@bench(
    "ssd/sync",
    version=1,
    backend="storage",
    yields=(RATE, P50, P99),
    profiles=("full",),
    seconds=SECONDS,
    memory=2 * MIB,
    disk=DISK,
)
@axis("method", quick=("fdatasync", "fsync", "odsync"))
@axis("block", quick="4KiB", full=("4KiB", "64KiB", "1MiB"), step=BLOCK_STEP, most=SYNC_BYTES)
def sync(storage: StorageBackend, method: str, block: int) -> Work:
    """One write after another; each write is forced to the medium before the next write begins.

    With ``method`` fsync or fdatasync, a sample is a write of ``block`` bytes at a random offset,
    followed by the call of ``method``. With odsync, a sample is a write to a file that was opened
    with O_DSYNC. In a virtual machine, the host decides when to report data as written.
    """
    import numpy as np

    from membench.host.storage.content import GENERATIONS
    from membench.host.storage.traffic import shuffled

    storage.claim(f"ssd/sync/{method}/{format_size(block)}", SYNC_BYTES)
    rng = np.random.default_rng()
    generation = int(rng.integers(1, GENERATIONS))
    offsets = shuffled(storage.scratch.size, block, rng).tolist()[: SYNC_BYTES // block]
    view = storage.memory("thp", block).data
    fd = storage.open(direct=True, write=True, flags=os.O_DSYNC if method == "odsync" else 0)
    force = {"fsync": os.fsync, "fdatasync": os.fdatasync, "odsync": None}[method]
    done: list[int] = []

    def observe(seconds: float) -> Observation:
        spans: list[int] = []
        end = time.monotonic() + seconds
        for offset in offsets:
            if spans and time.monotonic() >= end:
                break
            storage.content.fill(view, offset, generation)
            begin = time.monotonic_ns()
            os.pwrite(fd, view, offset)
            if force is not None:
                force(fd)
            spans.append(time.monotonic_ns() - begin)
            done.append(offset)
        storage.wrote(len(done) * block)
        return Observation({RATE: [1e9 / ns for ns in spans], P50: spans, P99: spans})

    def verify() -> None:
        for offset in done[-64:]:
            os.preadv(fd, [view], offset)
            if storage.content.generation(view[:4096], offset) != generation:
                raise VerificationFailed(
                    f"a read at offset {offset} did not return the written data"
                )

    return Observed(
        observe=observe,
        seconds=0.2,
        timer=storage.timer,
        size_bytes=storage.scratch.size,
        bytes_moved=block,
        bytes_convention=BytesConvention.PAYLOAD,
        verify=verify,
        cache_state=CacheState.COLD,
        detail={"engine": "pwrite", **write_facts(storage)},
        close=lambda: os.close(fd),
    )


@bench(
    "ssd/sustained",
    version=1,
    backend="storage",
    profiles=("full",),
    seconds=0.1,  # without 8 GiB of writes, which the default disk budget forbids
    memory=17 * MIB,
    disk=DISK,
)
@axis("block", quick="1MiB", step=BLOCK_STEP)
@axis("qd", quick=8, most=MOST_IN_FLIGHT)
def sustained(storage: StorageBackend, block: int, qd: int) -> Work:
    """Write up to 8 GiB to the disk without a pause, to fill the caches of the disk.

    The bench overwrites the scratch file repeatedly, for at most 30 s. A sample is the bandwidth
    during one second. The disk budget must allow the writes of all rounds.
    """
    import numpy as np

    from membench.host.storage.flow import TrafficShape

    storage.claim("ssd/sustained", SUSTAINED_BYTES + block)
    flow = storage.flow(
        TrafficShape(pattern="seq", block=block, depth=qd, reads=0, most=SUSTAINED_BYTES)
    )

    def observe(seconds: float) -> Observation:
        del seconds  # the round ends when all bytes are written
        trace = flow.run(SUSTAINED_S)
        storage.wrote(trace.count * block)
        slots = np.bincount((trace.finished - trace.begin) // SLOT_NS)
        whole = (
            slots[:-1] if slots.size > 1 else slots * SLOT_NS / (trace.finished[-1] - trace.begin)
        )
        speeds = (whole * block / 1e9).tolist()
        detail: dict[str, str | int | float] = {
            "first": f"{speeds[0]:.3g}GB/s",
            "last": f"{speeds[-1]:.3g}GB/s",
            "written": trace.count * block,
        }
        return Observation({BANDWIDTH: speeds}, {**seen(trace), **detail})

    return disk_work(storage, flow, observe, block, "thp", **write_facts(storage))
