"""Moves of KV-cache pages from the disk into GPU memory, alone and during a decode step.

The pipeline overlaps the reads with the copies. In each round, ``paging/ssd-hbm`` also measures the
reads alone and the copies alone, if the path has both stages.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from membench.core.case import Needs, axis, bench
from membench.core.errors import skip
from membench.core.terms import BytesConvention, CacheState, Metric, Stat
from membench.core.units import MIB
from membench.core.work import Observation, Observed, Work
from membench.workloads.decode_step import usual_attention
from membench.workloads.disk_flow import (
    BANDWIDTH,
    BLOCK_STEP,
    DISK,
    P50,
    P99,
    RATE,
    bandwidth,
    latencies,
    seen,
)

if TYPE_CHECKING:
    from membench.host.storage.traffic import TrafficRecord
    from membench.workloads.gpu_disk import CudaStorage
    from membench.workloads.page_pipeline import Pipeline

POOL = 256 * MIB
"""Minimum bytes of device memory that receive the pages, on the paths `bounce` and `mmap`."""

MOST_READERS = 256
"""Maximum number of reads in flight; each read has a thread."""

LEG_S = 0.03
PIPE_S = 0.12
DECODE = "decode/attn"
STEPS = 12
"""Number of decode steps without transfers."""

SHARES = (1.0, 0.5, 0.25, 0.125, 0.0625)
"""Shares of the maximum page rate, in the order of the attempts."""


def _slots(qd: int) -> int:
    """Two slots per reader, so that one slot can fill during the copy from the other."""
    return 2 * qd


def _pipeline(both: CudaStorage, block: int, qd: int, path: str) -> Pipeline:
    from membench.workloads.page_pipeline import open_pipeline

    slots = _slots(qd)
    pool = max(POOL, 2 * slots * block) // block * block
    return open_pipeline(both, path, block, readers=qd, slots=slots, pool=pool)


def _worth(profile: str, block: int, qd: int, path: str) -> bool:
    """Whether the profile measures a case. Both profiles measure every case of path ``bounce``."""
    if profile == "quick":
        return path == "bounce" or block == MIB
    return path == "bounce" or (qd == 8 and (path == "gds" or block >= 64 * 1024))


@bench(
    "paging/ssd-hbm",
    version=1,
    needs=Needs.GPU,
    backend="cuda-storage",
    yields=(BANDWIDTH, RATE, P50, P99),
    grid=("block", "path"),
    full_grid=("qd",),
    seconds=0.06 + PIPE_S + 2 * LEG_S,
    memory=lambda block, qd, **_: _slots(qd) * block,
    gpu_memory=lambda block, qd, **_: max(POOL, 2 * _slots(qd) * block) + MIB,
    disk=DISK,
    where=_worth,
)
@axis("block", quick=("1MiB", "64KiB"), full="16KiB..4MiB *4", step=BLOCK_STEP)
@axis("qd", quick=8, full=(1, 8, 32), most=MOST_READERS)
@axis("path", quick=("bounce", "gds"), full=("bounce", "gds", "mmap"))
def ssd_hbm(both: CudaStorage, block: int, qd: int, path: str) -> Work:
    """Read pages from the disk into a pool on the GPU, in random order.

    - ``path=bounce`` reads pages directly into page-locked memory, and at the same time copies
      earlier pages from there to the GPU.
    - ``path=gds`` is GPUDirect Storage through KvikIO.
    - ``path=mmap`` is like ``bounce``, but copies the pages from a mapping of the file into
      page-locked memory.

    ``qd`` is the number of reads in flight. Latency is the time from the start of a page's read to
    the end of the page's copy. ``rate`` is in pages per second. The entry `overlap` of the row's
    detail is the bandwidth divided by the bandwidth of the slower stage alone, in the same round.
    """
    from membench.gpu.link_protocol import link_detail, link_flags
    from membench.host.storage.pager import Nowhere, Pager, copying
    from membench.workloads.page_pipeline import check_landed

    pipeline = _pipeline(both, block, qd, path)
    storage = both.storage
    traces: list[TrafficRecord] = []

    def legs() -> dict[str, float]:
        """The bandwidth of each stage alone in GB/s; empty if the path has only one stage."""
        if pipeline.sink is None:
            return {}
        storage.evict()
        alone = Pager(pipeline.read, Nowhere(), readers=qd, slots=_slots(qd))
        trace = alone.run(pipeline.offsets[::-1].copy(), LEG_S, least=_slots(qd))
        reading = block * trace.count / max(1, int(trace.finished[-1]) - trace.begin)
        slots = range(_slots(qd))
        copied = copying(pipeline.sink, slots, LEG_S) * block / 1e9
        return {"read_gbs": reading, "copy_gbs": copied}

    def observe(_seconds: float) -> Observation:
        found = legs()
        resident = storage.evict()
        trace = pipeline.pager.run(pipeline.offsets, PIPE_S, least=_slots(qd))
        traces.append(trace)
        samples = {RATE: trace.rates(), **bandwidth(trace, block), **latencies(trace, (P50, P99))}
        # The path `mmap` uses the page cache on purpose.
        moved = 0 if path == "mmap" else trace.count * block
        detail = seen(trace) | {"resident": storage.served(resident, moved)}
        if found:
            slower = min(found.values())
            whole = sorted(samples[BANDWIDTH])[len(samples[BANDWIDTH]) // 2]
            detail |= {name: round(gbs, 3) for name, gbs in found.items()}
            detail["overlap"] = round(whole / slower, 3)
        return Observation(samples, detail)

    return Observed(
        observe=observe,
        seconds=PIPE_S,
        timer="monotonic_ns",
        size_bytes=storage.scratch.size,
        bytes_moved=block,
        bytes_convention=BytesConvention.PAYLOAD,
        verify=lambda: check_landed(both, pipeline.memory, block, traces[-1] if traces else None),
        cache_state=CacheState.COLD,
        flags=link_flags(both.gpu.links),
        detail={
            **link_detail(both.gpu.links),
            **pipeline.detail,
            "disk": storage.describe().name,
        },
        close=pipeline.close,
    )


@bench(
    "paging/decode",
    version=3,
    needs=Needs.GPU,
    backend="cuda-storage",
    profiles=("full",),
    yields=(RATE, BANDWIDTH, (Metric.LATENCY, Stat.MEDIAN)),
    seconds=0.6,
    memory=lambda block, **_: _slots(8) * block,
    gpu_memory=lambda block, **_: max(POOL, 2 * _slots(8) * block) + 4096 * MIB,
    disk=DISK,
)
@axis("block", quick=("1MiB", "64KiB"), step=BLOCK_STEP)
@axis("slowdown", quick=(5, 20))
def decode(both: CudaStorage, block: int, slowdown: int) -> Work:
    """The highest page rate from the disk to the GPU at which a decode step slows only a little.

    The decode step is ``decode/attn``, repeated. ``slowdown`` is the permitted slow-down in
    percent. The pages go through host memory. The bench tries a few rates, and reports the highest
    rate within the permitted slow-down. Latency is the time of a decode step during the transfers,
    and the entry `alone_ns` of the row's detail is the time without transfers.
    """
    from membench.gpu.link_protocol import link_detail, link_flags
    from membench.workloads.page_pipeline import check_landed

    qd = 8
    gpu, storage = both.gpu, both.storage
    victim = usual_attention(gpu)
    pipeline = _pipeline(both, block, qd, "bounce")
    traces: list[TrafficRecord] = []
    steps = [0]

    def step() -> float:
        begin = time.perf_counter_ns()
        victim.run(1)
        gpu.synchronize()
        steps[0] += 1
        return float(time.perf_counter_ns() - begin)

    resident = [""]

    def under(pace: float) -> tuple[TrafficRecord, list[float]]:
        """Run the pipeline at ``pace`` pages per second; 0 for no limit.

        Returns the record of the pipeline, and the times of the decode steps in ns.
        """
        from concurrent.futures import ThreadPoolExecutor

        before = storage.evict()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(
                pipeline.pager.run, pipeline.offsets, PIPE_S, pace=pace, least=_slots(qd)
            )
            took = []
            while not running.done():
                took.append(step())
            trace = running.result()
        resident[0] = storage.served(before, trace.count * block)
        traces.append(trace)
        return trace, took[:-1] or took  # the last step ended after the pipeline

    def observe(_seconds: float) -> Observation:
        step()
        alone = sorted(step() for _ in range(STEPS))[STEPS // 2]
        pace, slowed = 0.0, 0.0
        for share in SHARES:
            trace, took = under(pace * share)
            slowed = sorted(took)[len(took) // 2] / alone
            rates = trace.rates()
            if slowed <= 1 + slowdown / 100:
                break
            pace = pace or sorted(rates)[len(rates) // 2]
        else:
            skip(
                f"even {share:.0%} of the maximum page rate slows {DECODE} by {slowed - 1:.0%}, "
                f"more than slowdown={slowdown}%"
            )
        return Observation(
            {
                RATE: rates,
                BANDWIDTH: [rate * block / 1e9 for rate in rates],
                (Metric.LATENCY, Stat.MEDIAN): took,
            },
            {
                "alone_ns": round(alone),
                "share": share,
                "slowdown": round(slowed, 3),
                "resident": resident[0],
                **seen(trace),
            },
        )

    def verify() -> None:
        check_landed(both, pipeline.memory, block, traces[-1] if traces else None)
        victim.verify(steps[0])

    def close() -> None:
        pipeline.close()
        victim.close()

    return Observed(
        observe=observe,
        seconds=1.0,
        timer="perf_counter_ns",
        size_bytes=storage.scratch.size,
        bytes_moved=block,
        bytes_convention=BytesConvention.PAYLOAD,
        verify=verify,
        cache_state=CacheState.COLD,
        flags=link_flags(gpu.links),
        detail={**link_detail(gpu.links), "victim": DECODE, "qd": qd},
        close=close,
    )
