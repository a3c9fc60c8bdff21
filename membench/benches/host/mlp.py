"""Memory-level parallelism: the number of loads that one core has in flight at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from membench.core.axes import AUTO
from membench.core.case import Needs, axis, bench, first_cpu
from membench.core.terms import Metric, Stat
from membench.core.units import MIB
from membench.core.work import Timed, Work
from membench.host.memory.sharing import PAGE

if TYPE_CHECKING:
    from membench.host.memory.backend import CpuBackend
    from membench.host.memory.thread_pool import ThreadSlot

STEPS = 4096  # loads that one iteration makes in each chain


@bench(
    "host/mlp",
    version=2,  # version 2: `size=auto`; the CPU that runs the chase links the ring
    needs=Needs.JIT,
    yields=(Metric.RATE, Stat.MEDIAN),
    profiles=("full",),
    seconds=0.2,
    memory=lambda size, **_: size + MIB,
    cpus=first_cpu,
)
@axis("size", quick=AUTO, least=PAGE, power=True)
@axis("chains", quick=(1, 2, 4, 8, 12), closed=True)
@axis("pages", quick=("thp", "4k"))
def mlp(cpu: CpuBackend, size: int, chains: int, pages: str) -> Work:
    """Run independent pointer chases on one core at the same time, and count loads per second.

    In each chain, a load waits for the previous load. The rate divided by the rate with one chain
    is the number of loads that the core has in flight.
    """
    import numpy as np

    from membench.host.memory.kernels import host_chase
    from membench.host.memory.ring import HostRing

    (memory,) = cpu.arrays(pages, [size])
    ring = HostRing.over(memory, cpu.line_bytes)
    entry = host_chase.chains

    def prepare(_: int) -> None:
        memory.fill(0)
        ring.link()  # no other CPU's cache has lines of this memory

    cpu.each(1, prepare)
    # far apart, so that no chain loads lines that another chain has just loaded
    starts = [ring.lines * chain // chains for chain in range(chains)]
    heads = np.array([ring.address(start) for start in starts], np.int64)

    def run(iterations: int) -> None:
        def job(slot: ThreadSlot) -> None:
            entry(*slot.barrier, heads.ctypes.data, chains, STEPS * iterations)

        cpu.launch([job])

    def verify(iterations: int) -> None:
        for start, head in zip(starts, heads.tolist(), strict=True):
            ring.verify(head, start + STEPS * iterations)

    return Timed(
        run=run,
        size_bytes=size,
        metric=Metric.RATE,
        operations=STEPS * chains,
        verify=verify,
        samples=8,
        detail={"engine": "numba", "huge": cpu.huge_share(pages), "line": cpu.line_bytes},
    )
