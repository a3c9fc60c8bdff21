"""Measures how fast Linux provides new memory, page by page at first touch or all at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from membench.core.case import Needs, axis, bench
from membench.core.errors import VerificationFailed, skip
from membench.core.terms import BytesConvention, Metric, Stat
from membench.core.units import MIB
from membench.core.work import Observation, Observed, Work
from membench.host.memory.sharing import PAGE, parts, thread_counts

if TYPE_CHECKING:
    from membench.host.memory.backend import CpuBackend
    from membench.host.memory.thread_pool import ThreadSlot

LEAST_SAMPLES = 3
MOST_SAMPLES = 64
MADV_POPULATE_WRITE = 23  # Linux 5.14
STRAY_FAULTS = 256  # upper bound of faults by the interpreter and its libraries


@bench(
    "host/fault",
    version=1,
    needs=Needs.JIT,
    yields=((Metric.BANDWIDTH, Stat.MEDIAN), (Metric.LATENCY, Stat.MEDIAN)),
    profiles=("full",),
    grid=("pages", "threads"),
    where=lambda _profile, pages, threads, **_: pages != "populate" or threads == "all",
    seconds=lambda size, **_: 0.1 + 1.8 * size / 2**29,
    memory=lambda size, **_: size + 2 * MIB,
    cpus=lambda _machine, **_: (),  # untouched pages have no lines in a cache
)
@axis("size", quick="256MiB", step=PAGE)
@axis("pages", quick=("4k", "thp", "populate"))
@axis("threads", quick=thread_counts)
def fault(cpu: CpuBackend, size: int, pages: str, threads: int | str) -> Work:
    """Touch new memory for the first time; measure the bandwidth and a thread's time per 4 KiB.

    With ``4k`` and ``thp``, the threads touch every page. With ``populate``, each thread gets its
    4 KiB pages in one system call (MADV_POPULATE_WRITE). The time excludes mapping and unmapping.
    """
    import mmap
    import resource

    from membench.host.memory.arena import huge_bytes, map_pages
    from membench.host.memory.kernels import host_traffic
    from membench.machine.pages import huge_page_size

    if pages != "thp" and mmap.PAGESIZE != PAGE:
        skip(f"needs pages of 4 KiB, but this kernel has pages of {mmap.PAGESIZE // 1024} KiB")
    count = cpu.threads(threads)
    cuts = parts(size, count)
    entry = host_traffic.populate if pages == "populate" else host_traffic.touch
    extra = MADV_POPULATE_WRITE if pages == "populate" else mmap.PAGESIZE
    shares: list[float] = []

    def sample() -> float:
        memory = map_pages(size, "4k" if pages == "populate" else pages)

        def job(slot: ThreadSlot) -> int:
            cut = cuts[slot.index]
            base = memory.ctypes.data + cut.start
            return int(entry(*slot.barrier, base, cut.stop - cut.start, extra))

        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        answers = cpu.launch([job] * count)
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
        if any(answers):
            skip("this kernel has no MADV_POPULATE_WRITE (Linux 5.14 introduced it)")
        huge = huge_bytes(memory)
        shares.append(huge / size)
        expected = huge // huge_page_size() + (size - huge) // mmap.PAGESIZE
        if not expected <= faults <= 1.02 * expected + STRAY_FAULTS:
            raise VerificationFailed(f"the bench caused {faults} page faults instead of {expected}")
        return float(cpu.span_ns)

    def observe(seconds: float) -> Observation:
        sample()  # the first sample also includes the kernel's work on page tables
        spans: list[float] = []
        end = time.monotonic() + seconds
        while len(spans) < MOST_SAMPLES and (len(spans) < LEAST_SAMPLES or time.monotonic() < end):
            spans.append(sample())
        samples: dict[tuple[Metric, Stat], list[float]] = {
            (Metric.BANDWIDTH, Stat.MEDIAN): [size / span for span in spans],
            (Metric.LATENCY, Stat.MEDIAN): [span * count * PAGE / size for span in spans],
        }
        detail: dict[str, Any] = {"huge": f"{100 * min(shares):.0f}%"}
        return Observation(samples, detail)

    return Observed(
        observe=observe,
        seconds=0.3,
        timer=cpu.timer,
        size_bytes=size,
        bytes_moved=size,
        bytes_convention=BytesConvention.PAYLOAD,
        verify=lambda: None,  # each sample has already checked its number of page faults
        detail={"engine": "numba", "threads": count},
    )
