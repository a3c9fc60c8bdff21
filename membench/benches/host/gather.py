"""Gather: independent loads by index, as for an embedding table or a sparse matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from membench.core.axes import AUTO
from membench.core.case import Needs, axis, bench
from membench.core.errors import VerificationFailed, skip
from membench.core.terms import Metric, Stat
from membench.core.units import MIB
from membench.core.work import Timed, Work
from membench.host.memory.sharing import PAGE, thread_counts

if TYPE_CHECKING:
    from membench.host.memory.backend import CpuBackend
    from membench.host.memory.thread_pool import ThreadSlot

INDICES = 2 * MIB  # 16 MiB of indices, and 16 MiB of results
SEED = 20


@bench(
    "host/gather",
    version=2,  # since version 2: `size=auto`
    needs=Needs.JIT,
    yields=(Metric.RATE, Stat.MEDIAN),
    profiles=("full",),
    seconds=0.25,
    memory=lambda size, **_: size + 2 * 8 * INDICES + MIB,
)
@axis("size", quick=AUTO, step=PAGE)
@axis("index", quick=("rand", "seq"))
@axis("threads", quick=thread_counts)
@axis("pages", quick=("thp", "4k"))
def gather(cpu: CpuBackend, size: int, index: str, threads: int | str, pages: str) -> Work:
    """Gather out[i] = table[index[i]] with elements of 8 bytes: throughput in elements per second.

    The loads are independent, so the result is not a latency. `host/chase` measures latency.
    """
    import numpy as np

    from membench.host.compiled.pattern import SALT_A
    from membench.host.memory.kernels import host_chase

    count = cpu.threads(threads)
    entry = host_chase.gather
    cpu.streams.prepare("read", "plain")
    each = INDICES // count // 4 * 4
    total = each * count
    raw = cpu.arrays(pages, [size, 8 * total, 8 * total], count)
    table, indices, out = (array.view(np.int64) for array in raw)
    if table.size < total:
        skip(f"size {size} B is too small: the table needs at least {8 * total} B")
    table_parts = np.array_split(table.view(np.float64), count)
    firsts = np.cumsum([0, *(part.size for part in table_parts)])
    random = np.random.default_rng(SEED).spawn(count)

    def fill(thread: int) -> None:
        cpu.streams.fill(table_parts[thread], int(firsts[thread]), SALT_A)
        mine = slice(each * thread, each * (thread + 1))
        if index == "seq":
            indices[mine] = np.arange(mine.start, mine.stop)
        else:
            indices[mine] = random[thread].integers(table.size, size=each)
        out[mine] = -1

    cpu.each(count, fill)

    def run(iterations: int) -> None:
        def job(slot: ThreadSlot) -> None:
            at = 8 * each * slot.index
            entry(
                *slot.barrier,
                iterations,
                out.ctypes.data + at,
                table.ctypes.data,
                indices.ctypes.data + at,
                each,
            )

        cpu.launch([job] * count)

    def verify(iterations: int) -> None:
        del iterations  # every thread gathers the same elements
        wrong = out != np.take(table, indices)
        if wrong.any():
            at = int(wrong.argmax())
            raise VerificationFailed(f"gather: element {at} is {out[at]}, not {table[indices[at]]}")

    return Timed(
        run=run,
        size_bytes=sum(array.size for array in raw),
        metric=Metric.RATE,
        operations=total,
        verify=verify,
        samples=8,
        detail={"engine": "numba", "threads": count, "huge": cpu.huge_share(pages)},
    )
