"""Measures a GPU kernel that reads ordinary system memory, from malloc or from a mapped file.

With HMM, the driver mirrors the page tables of the process in software. With ATS, the GPU uses the
page tables of the host.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from membench.core.axes import OMITTED, Value
from membench.core.case import Needs, axis, bench
from membench.core.errors import VerificationFailed, skip
from membench.core.terms import BytesConvention, CacheState, Metric, Stat
from membench.core.units import GIB, KIB, MIB
from membench.core.work import Observation, Observed, Work
from membench.workloads.gpu_streams import ReadPasses

if TYPE_CHECKING:
    from membench.gpu.protocol import Gpu, HostBuffer
    from membench.workloads.gpu_disk import CudaStorage

REPEATED = 16 * KIB
"""Bytes after which the contents of malloc memory repeat."""

SAMPLES = 5
_SALT = 83


def how(gpu: Gpu) -> str:
    """The mechanism by which kernels access system memory: ``ats``, ``hmm``, or ``none``."""
    if not gpu.properties.pageable_access:
        return "none"
    return "ats" if gpu.properties.host_page_tables else "hmm"


def _memory(both: CudaStorage, size: int, source: str) -> HostBuffer:
    """Ordinary memory with random words, or a mapping of the scratch file."""
    import numpy as np

    if source == "file":
        if size > both.storage.scratch.size:
            skip(f"size {size} B is larger than the scratch file")
        with both.storage.opened(direct=False) as fd:
            mapped = both.gpu.links.mapped_file(fd, size)
        both.warm(size)
        return mapped
    memory = both.gpu.links.memory(size, "pageable")
    words = np.random.default_rng(_SALT).integers(0, 2**32, REPEATED // 4, np.uint32)
    memory.array.view(np.uint32).reshape(-1, words.size)[:] = words
    return memory


def _seconds(size: int, **_: Value) -> float:
    return 0.1 + (SAMPLES + 1) * 1.0 * size / GIB


@bench(
    "hmm/read",
    version=1,
    needs=Needs.GPU,
    backend="cuda-storage",
    yields=((Metric.BANDWIDTH, Stat.MEDIAN), (Metric.LATENCY, Stat.P99)),
    seconds=_seconds,
    memory=lambda size, **_: size,
    gpu_memory=MIB,
    disk=lambda size, source, **_: size if source == "file" else 0,
    where=lambda _profile, source, cache, **_: (source == "file") == bool(cache),
    grid=("source", "cache"),
)
@axis("size", quick="32MiB", full=("128MiB", "1MiB"), step=REPEATED)
@axis("source", quick="malloc", full=("malloc", "file"))
@axis("cache", quick=OMITTED, full=(OMITTED, "hot", "cold"))
def read(both: CudaStorage, size: int, source: str, cache: str) -> Work:
    """Read system memory by a GPU kernel, without a copy.

    ``source=malloc`` is ordinary memory of the process. ``source=file`` is a mapping of the scratch
    file. With ``cache=hot``, the pages of the file are in the page cache. With ``cache=cold``, the
    bench removes the pages from the page cache before each sample.

    Latency is the time of one kernel over all bytes. A round has only 5 samples, so p99 is close to
    the slowest time. The entry `access` of the row's detail is ``hmm`` or ``ats``.
    """
    import numpy as np

    from membench.gpu.link_protocol import link_detail, link_flags

    if (source == "file") != bool(cache):
        skip(
            "source=file needs cache=hot or cache=cold"
            if source == "file"
            else f"source={source} has no axis cache"
        )
    gpu, links = both.gpu, both.gpu.links
    means = how(gpu)
    if means == "none":
        skip("GPU kernels cannot read system memory: this machine has neither HMM nor ATS")
    memory = _memory(both, size, source)
    expected = int(memory.array.view(np.uint32).sum(dtype=np.uint64)) % 2**32
    passes = ReadPasses(gpu, memory, size)

    def sample() -> tuple[float, float]:
        """Nanoseconds of a kernel, and the share (0 to 1) of the data that was cached before."""
        gpu.synchronize()
        resident = 1.0
        if cache == "cold":
            resident = both.evict_mapped(memory.array)
        begin = time.perf_counter_ns()
        passes.once()
        gpu.synchronize()
        return float(time.perf_counter_ns() - begin), resident

    def observe(_seconds: float) -> Observation:
        sample()
        samples = [sample() for _ in range(SAMPLES)]
        took = [ns for ns, _ in samples]
        detail: dict[str, str | int | float] = {"access": means}
        if cache == "cold":
            detail["resident"] = f"{100 * max(share for _, share in samples):.1f}%"
        return Observation(
            {
                (Metric.BANDWIDTH, Stat.MEDIAN): [size / ns for ns in took],
                (Metric.LATENCY, Stat.P99): took,
            },
            detail,
        )

    def verify() -> None:
        found = passes.sum()
        total = expected * passes.count % 2**32
        if found != total:
            raise VerificationFailed(
                f"the sum of the words over {passes.count} reads is {found}, not {total}"
            )

    return Observed(
        observe=observe,
        seconds=0.1,
        timer="perf_counter_ns",
        size_bytes=size,
        bytes_moved=size,
        bytes_convention=BytesConvention.PAYLOAD,
        verify=verify,
        cache_state=CacheState.COLD if cache == "cold" else CacheState.HOT,
        flags=link_flags(links),
        detail={**link_detail(links), "grid": passes.grid},
    )
