"""Reads of files through the page cache, by read calls or by memory mappings.

A case fails if the page cache is not in the state that the case requires.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from membench.core.axes import Value
from membench.core.case import Needs, axis, bench
from membench.core.errors import VerificationFailed
from membench.core.snapshot import Machine
from membench.core.terms import BytesConvention, CacheState, Tier
from membench.core.units import KIB, MIB
from membench.core.work import Observation, Observed, Work
from membench.workloads.disk_flow import BANDWIDTH, DISK, P50, P99, RATE, SECONDS, latencies

if TYPE_CHECKING:
    from membench.host.storage.backend import StorageBackend

READ = MIB
PAGE = 4 * KIB
PART = 256 * MIB  # bytes of the file that the bench reads into the cache
FAULT_AROUND = 64 * KIB  # bytes that the kernel maps per minor fault by default
COLD_AT_MOST = 0.01
WARM_AT_LEAST = 0.99


def _tier(_: Machine, /, state: str, **__: Any) -> Tier:
    return Tier.DDR if state == "warm" else Tier.SSD


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def _wrong_state(state: str, share: float) -> str:
    allowed = f"least {WARM_AT_LEAST:.0%}" if state == "warm" else f"most {COLD_AT_MOST:.0%}"
    return (
        f"{_percent(share)} of the file was in the page cache, but a case with state={state} needs "
        f"at {allowed}"
    )


def _cache_state(state: str) -> CacheState:
    return CacheState.HOT if state == "warm" else CacheState.COLD


@bench(
    "ssd/cache",
    version=1,
    backend="storage",
    yields=(BANDWIDTH, P50, P99),
    tier=_tier,
    profiles=("full",),
    seconds=0.5,
    memory=2 * MIB,
    disk=DISK,
)
@axis("state", quick=("cold", "warm", "evicted"))
def cache(storage: StorageBackend, state: str) -> Work:
    """Read 256 MiB in order with buffered calls of 1 MiB, as ordinary programs read files.

    - ``cold``: none of these data are in the page cache.
    - ``warm``: all of these data are in the page cache, so the bench measures main memory.
    - ``evicted``: the file was read through the same descriptor, and then dropped from the page
      cache. The result shows the effect of the descriptor's readahead state.
    """
    size = min(PART, storage.scratch.size)
    view = storage.memory("thp", READ).data
    fd = storage.open(direct=False)
    wrong: list[int] = []

    def walk() -> tuple[list[int], list[int]]:
        spans, stamps = [], [time.monotonic_ns()]
        for offset in range(0, size, READ):
            os.preadv(fd, [view], offset)
            stamps.append(time.monotonic_ns())
            spans.append(stamps[-1] - stamps[-2])
        wrong.append(storage.content.wrong(view, size - READ))
        return spans, stamps

    def observe(seconds: float) -> Observation:
        del seconds  # one pass over the file
        if state != "cold":
            walk()
        before = storage.resident(size) if state == "warm" else storage.evict(size)
        spans, stamps = walk()
        after = storage.resident(size)
        if (before < WARM_AT_LEAST) if state == "warm" else (before > COLD_AT_MOST):
            raise VerificationFailed(_wrong_state(state, before))
        step = 8
        speeds = [
            step * READ / (end - begin)
            for begin, end in zip(stamps[::step], stamps[step::step], strict=False)
        ]
        storage.evict()
        detail = {"resident": _percent(before), "resident_after": _percent(after)}
        return Observation({BANDWIDTH: speeds, P50: spans, P99: spans}, detail)

    def verify() -> None:
        if any(offset >= 0 for offset in wrong):
            raise VerificationFailed(f"wrong data was read at offset {max(wrong)}")

    return Observed(
        observe=observe,
        seconds=0.2,
        timer=storage.timer,
        size_bytes=size,
        bytes_moved=READ,
        bytes_convention=BytesConvention.PAYLOAD,
        verify=verify,
        cache_state=_cache_state(state),
        detail={"engine": "preadv", "buffered": "yes"},
        close=lambda: os.close(fd),
    )


def _thread_counts(machine: Machine) -> tuple[Value, ...]:
    return (1, "all") if machine.cpu.usable > 1 else (1,)


@bench(
    "ssd/mmap",
    version=1,
    backend="storage",
    needs=Needs.JIT,
    yields=(RATE, P50, P99),
    tier=_tier,
    profiles=("full",),
    grid=("state", "pattern"),
    where=lambda _, state, pattern, **__: state == "cold" or pattern == "rand",
    seconds=SECONDS + 0.2,
    memory=8 * MIB,
    disk=DISK,
)
@axis("state", quick=("cold", "warm"))
@axis("pattern", quick=("rand", "seq"))
@axis("threads", quick=_thread_counts)
def mapped(storage: StorageBackend, state: str, pattern: str, threads: int | str) -> Work:
    """Touch pages of a mapped file, to measure the latency and the rate of page faults.

    - ``cold``: the kernel reads the page from the disk (a major fault). With ``pattern=seq``, it
      also reads the following pages, so not every touched page causes a major fault.
    - ``warm``: the page is in the page cache, and the kernel only maps the page (a minor fault).
      The bench touches one page in each 64 KiB, because a fault also maps the neighbouring pages.

    The row's detail has the numbers of faults.
    """
    import mmap

    import numpy as np

    from membench.host.storage.mapping import Mapping
    from membench.host.storage.traffic import shuffled

    count = storage.cpu.threads(threads)
    size = min(PART, storage.scratch.size) if state == "warm" else storage.scratch.size
    page = max(PAGE, mmap.PAGESIZE)
    stride = max(FAULT_AROUND, page) if state == "warm" else page
    if pattern == "rand":
        offsets = shuffled(size, stride, np.random.default_rng())
    else:
        offsets = np.arange(0, size, stride, dtype=np.int64)
    mapping = Mapping(storage.cpu, storage.open(direct=False), size, pattern)
    touched = [0]

    def observe(seconds: float) -> Observation:
        resident = mapping.warm() if state == "warm" else mapping.evict()
        trace = mapping.touch(offsets, count, seconds)
        touched[0] = trace.count
        major, minor = mapping.faults
        detail: dict[str, str | int | float] = {
            "resident": _percent(resident),
            "majflt": major,
            "minflt": minor,
            "touched": trace.count,
        }
        if (resident < WARM_AT_LEAST) if state == "warm" else (resident > COLD_AT_MOST):
            raise VerificationFailed(_wrong_state(state, resident))
        return Observation({RATE: trace.rates(), **latencies(trace, (P50, P99))}, detail)

    def verify() -> None:
        major, minor = mapping.faults
        expected = {"cold": major if pattern == "rand" else 10**9, "warm": minor}[state]
        if expected < 0.9 * touched[0]:
            raise VerificationFailed(
                f"the bench touched {touched[0]} pages, but only {expected} "
                f"{'major' if state == 'cold' else 'minor'} page faults occurred"
            )

    return Observed(
        observe=observe,
        seconds=0.2,
        timer=storage.timer,
        size_bytes=size,
        bytes_moved=PAGE,
        bytes_convention=BytesConvention.PAYLOAD,
        verify=verify,
        cache_state=_cache_state(state),
        detail={"engine": "numba", "threads": count},
        close=mapping.close,
    )
