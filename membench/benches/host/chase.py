"""Latency of dependent loads, from the first-level cache to main memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from membench.core.axes import AUTO
from membench.core.case import Needs, axis, bench, first_cpu
from membench.core.sizes.reach import reachable
from membench.core.snapshot import Machine
from membench.core.terms import REACH, Metric, Stat, Tier
from membench.core.units import KIB, MIB, format_size
from membench.core.work import Timed, Work
from membench.host.memory.sharing import PAGE

if TYPE_CHECKING:
    from membench.host.memory.backend import CpuBackend

LAST_LEVEL_BYTES = 32 * MIB  # used if neither the system nor the measured latencies give a size
LOADS = 4096  # loads per iteration: 5 us in L1, 0.5 ms in main memory
WARM_UP_BYTES = 64 * MIB  # a ring up to this size gets a walk before the timed walk

QUICK = (AUTO, "16KiB", "128KiB", "512KiB", "2MiB", "8MiB", "32MiB")
LADDER = tuple(format_size(4**n * KIB) for n in range(1, 11))


def footprint_tier(machine: Machine, size: int, **_: Any) -> Tier:
    """`cache` if the ring fits into the last-level cache of the first CPU, else `ddr`."""
    last = reachable(machine, first_cpu(machine)).bytes or LAST_LEVEL_BYTES
    return Tier.CACHE if size <= last else Tier.DDR


def _seconds(size: int, **_: Any) -> float:
    return 0.12 + size * 0.2 / 2**28


@bench(
    "host/chase",
    version=2,  # version 2: `size=auto`; the CPU that runs the chase links the ring
    needs=Needs.JIT,
    yields=(Metric.LATENCY, Stat.MEDIAN),
    tier=footprint_tier,
    full_grid=("size", "pages"),
    seconds=_seconds,
    memory=lambda size, **_: size + MIB,
    cpus=first_cpu,
)
@axis("size", quick=QUICK, full=(AUTO, *LADDER), least=PAGE, power=True)
@axis("pages", quick=("thp", "4k"))
def chase(cpu: CpuBackend, size: int, pages: str) -> Work:
    """Unloaded latency: the address of each load is the value of the previous load.

    Each cache line has one pointer. The pointers form one random cycle through ``size`` bytes, so
    that no prefetcher can help. On pages of 4 KiB, the latency of a large ring includes address
    translation.
    """
    from membench.host.memory.ring import HostRing, Walk

    (memory,) = cpu.arrays(pages, [size])
    ring = HostRing.over(memory, cpu.line_bytes)

    cpu.touch(memory, 1)
    # Another CPU's cache must not have dirty lines, which the first walk would fetch.
    cpu.each(1, lambda _: ring.link())
    walk = Walk(ring)
    if size <= WARM_UP_BYTES:
        cpu.launch([walk.job(max(LOADS, ring.lines))])

    def run(iterations: int) -> None:
        cpu.launch([walk.job(iterations * LOADS)])

    cache = reachable(cpu.machine, cpu.cpus[:1]).bytes
    return Timed(
        run=run,
        size_bytes=size,
        metric=Metric.LATENCY,
        operations=LOADS,
        samples=8,
        stop="agreed",
        verify=lambda _: walk.verify(),
        detail={
            "engine": "numba",
            "huge": cpu.huge_share(pages),
            "line": cpu.line_bytes,
            **({REACH: cache} if cache else {}),
        },
    )
