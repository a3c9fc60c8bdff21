"""Latency of one load after another, from the first-level cache to main memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from membench.core.case import Needs, axis, bench
from membench.core.errors import skip
from membench.core.snapshot import Machine
from membench.core.terms import Metric, Stat, Tier
from membench.core.units import MIB
from membench.core.work import Timed, Work

if TYPE_CHECKING:
    from membench.host.memory.backend import CpuBackend

LAST_LEVEL_BYTES = 32 * MIB  # where the system does not say
LOADS = 4096  # of one iteration: 5 us in L1, 0.5 ms in main memory
WARM_UP_BYTES = 64 * MIB  # a ring up to this size is walked once before it is timed

QUICK = ("256MiB", "16KiB", "128KiB", "512KiB", "2MiB", "8MiB", "32MiB")


def footprint_tier(machine: Machine, size: int, **_: Any) -> Tier:
    """`cache` where the ring fits into the last-level cache that the system reports."""
    last = machine.cpu.last_level_bytes or LAST_LEVEL_BYTES
    return Tier.CACHE if size <= last else Tier.DDR


def _seconds(size: int, **_: Any) -> float:
    return 0.12 + size * 0.2 / 2**28


@bench(
    "host/chase",
    version=1,
    needs=Needs.JIT,
    yields=(Metric.LATENCY, Stat.MEDIAN),
    tier=footprint_tier,
    full_grid=("size", "pages"),
    seconds=_seconds,
    memory=lambda size, **_: size + MIB,
)
@axis("size", quick=QUICK, full="4KiB..1GiB *4")
@axis("pages", quick=("thp", "4k"))
def chase(cpu: CpuBackend, size: int, pages: str) -> Work:
    """Unloaded latency: each load's address is what the load before it fetched.

    One pointer a cache line, in one random cycle through ``size`` bytes, so
    that no prefetcher can run ahead.  With small pages a large ring also pays
    for address translation: that is the difference between `pages`.
    """
    from membench.host.memory.ring import Ring, Walk

    if size // cpu.line_bytes < 2:
        skip(f"size {size} B is too small for a pointer chase over {cpu.line_bytes}-byte lines")
    (memory,) = cpu.arrays(pages, [size])
    ring = Ring.over(memory, cpu.line_bytes)
    cpu.each(1, lambda _: memory.fill(0))  # first touch where the chase runs
    workers = len(cpu.cpus) if size > WARM_UP_BYTES else 1
    cpu.each(workers, lambda part: ring.link(part, workers))
    walk = Walk(ring)
    if size <= WARM_UP_BYTES:
        cpu.launch([walk.job(max(LOADS, ring.lines))])

    def run(iterations: int) -> None:
        cpu.launch([walk.job(iterations * LOADS)])

    return Timed(
        run=run,
        size_bytes=size,
        metric=Metric.LATENCY,
        operations=LOADS,
        verify=lambda _: walk.verify(),
        detail={"engine": "numba", "huge": cpu.huge_share(pages), "line": cpu.line_bytes},
    )
