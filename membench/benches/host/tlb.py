"""The cost of address translation.

A pointer chase through one cache line per page is compared with a chase through the same number of
adjacent lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from membench.core.case import Needs, axis, bench
from membench.core.terms import Metric, Stat, Tier
from membench.core.units import MIB
from membench.core.work import Timed, Work

if TYPE_CHECKING:
    from membench.host.memory.backend import CpuBackend

LOADS = 4096
PAGE = 4096


def _stride(layout: str, line: int) -> int:
    """Bytes between the starts of two lines; if spread, the lines use all cache sets."""
    return line if layout == "packed" else PAGE + line


@bench(
    "host/tlb",
    version=1,
    needs=Needs.JIT,
    yields=(Metric.LATENCY, Stat.MEDIAN),
    tier=Tier.CACHE,
    grid=("layout", "pages", "lines"),
    profiles=("full",),
    seconds=0.15,
    memory=lambda lines, layout, **_: lines * (PAGE + 128 if layout == "spread" else 128) + MIB,
)
@axis("lines", quick=(16384, 1024, 65536), least=2, power=True)
@axis("layout", quick=("spread", "packed"))
@axis("pages", quick=("4k", "thp"))
def tlb(cpu: CpuBackend, lines: int, layout: str, pages: str) -> Work:
    """A pointer chase through adjacent cache lines, or through one cache line per page of 4 KiB.

    Both layouts touch the same number of cache lines. With ``pages=4k``, the additional latency of
    the spread layout is the cost of address translation. Huge pages should remove most of this
    cost, but in a virtual machine only if the host also backs the memory with huge pages.
    """
    from membench.host.memory.ring import HostRing, Walk

    stride = _stride(layout, cpu.line_bytes)
    (memory,) = cpu.arrays(pages, [lines * stride])
    ring = HostRing.over(memory, stride)
    cpu.each(1, lambda _: ring.link())
    walk = Walk(ring)
    cpu.launch([walk.job(max(LOADS, ring.lines))])

    def run(iterations: int) -> None:
        cpu.launch([walk.job(iterations * LOADS)])

    return Timed(
        run=run,
        size_bytes=memory.size,
        metric=Metric.LATENCY,
        operations=LOADS,
        verify=lambda _: walk.verify(),
        detail={"engine": "numba", "huge": cpu.huge_share(pages), "stride": stride},
    )
