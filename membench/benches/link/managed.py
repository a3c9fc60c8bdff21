"""Managed memory, whose pages migrate between host and GPU when a thread touches a page.

A case uses at most half of the card's free memory. A larger footprint could cause thrashing, which
can make the machine unresponsive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from membench.core.axes import Value
from membench.core.case import Needs, axis, bench
from membench.core.errors import VerificationFailed, skip
from membench.core.terms import BytesConvention, CacheState, Metric, Stat
from membench.core.units import GIB, MIB, about_size
from membench.core.work import Observation, Observed, Work
from membench.gpu.units import VECTOR
from membench.workloads.gpu_streams import ReadPasses

if TYPE_CHECKING:
    from membench.gpu.protocol import Gpu

FREE_SHARE = 0.5
"""Maximum share of the free device memory that a case uses."""

SAMPLES = 5
_SALT = 71


def _seconds(size: int, **_: Value) -> float:
    return 0.1 + (SAMPLES + 1) * 0.3 * size / GIB  # moves to the GPU and back


def _may(gpu: Gpu, size: int) -> None:
    """Raise `Skip` if pages do not migrate on access, or if ``2 * size`` bytes are not free."""
    if not gpu.properties.concurrent_managed:
        skip("on this GPU, pages do not migrate while a kernel runs (no concurrent managed access)")
    free = gpu.links.free_bytes()
    if size > FREE_SHARE * free:
        least = about_size(size / FREE_SHARE)
        skip(f"needs {least} of GPU memory, but only {about_size(free)} are free")


def _from_host(gpu: Gpu, size: int, timed: str, advice: tuple[str, ...] = ()) -> Work:
    """Move managed pages from host to GPU by a prefetch or by a kernel that reads the pages."""
    from membench.gpu.link_protocol import link_detail, link_flags
    from membench.gpu.verify.pattern import Patterns, pattern_sum

    links = gpu.links
    _may(gpu, size)
    memory = links.memory(size, "managed")
    patterns = Patterns(gpu)
    patterns.fill(memory, _SALT)
    gpu.synchronize()
    passes = ReadPasses(gpu, memory, size)
    for one in advice:
        links.advise(memory, one)

    def sample() -> float:
        """Nanoseconds of the timed step. Before this step, all pages are on the host."""
        links.prefetch(memory, to_host=True)
        gpu.synchronize()
        begin = links.record()
        if timed == "prefetch":
            links.prefetch(memory)
        else:
            passes.once()
        end = links.record()
        if timed == "prefetch":
            passes.once()  # `verify` needs a read of all pages
        gpu.synchronize()
        return links.between(begin, end)

    def observe(_seconds: float) -> Observation:
        sample()
        rates = [size / sample() for _ in range(SAMPLES)]
        return Observation({(Metric.BANDWIDTH, Stat.MEDIAN): rates})

    def verify() -> None:
        found = passes.sum()
        expected = pattern_sum(size // 4, _SALT) * passes.count % 2**32
        if found != expected:
            raise VerificationFailed(f"the sum of the words is {found}, not {expected}")

    return Observed(
        observe=observe,
        seconds=0.1,
        timer="cuda_event",
        size_bytes=size,
        bytes_moved=size,
        bytes_convention=BytesConvention.PAYLOAD,
        verify=verify,
        cache_state=CacheState.COLD,
        flags=link_flags(links),
        detail={**link_detail(links), "grid": passes.grid},
    )


@bench(
    "managed/fault",
    profiles=("full",),
    version=1,
    needs=Needs.GPU,
    seconds=_seconds,
    memory=lambda size, **_: size,
    gpu_memory=lambda size, **_: size + MIB,
)
@axis("size", quick="64MiB", full=("256MiB", "16MiB"), step=VECTOR)
def fault(gpu: Gpu, size: int) -> Work:
    """Read managed memory on the GPU; before each read, all pages are on the host.

    A page migrates to the GPU when a GPU thread touches the page and causes a page fault.
    """
    return _from_host(gpu, size, "read")


@bench(
    "managed/prefetch",
    version=1,
    needs=Needs.GPU,
    profiles=("full",),
    seconds=_seconds,
    memory=lambda size, **_: size,
    gpu_memory=lambda size, **_: size + MIB,
)
@axis("size", quick="256MiB", full=("256MiB", "16MiB"), step=VECTOR)
def prefetch(gpu: Gpu, size: int) -> Work:
    """Move managed memory from the host to the GPU by one prefetch of all bytes."""
    return _from_host(gpu, size, "prefetch")


ADVICE = {
    "read-mostly": ("read-mostly",),
    "accessed-by": ("prefer-host", "accessed-by"),
}


@bench(
    "managed/advise",
    version=1,
    needs=Needs.GPU,
    profiles=("full",),
    seconds=_seconds,
    memory=lambda size, **_: size,
    gpu_memory=lambda size, **_: size + MIB,
)
@axis("size", quick="256MiB", step=VECTOR)
@axis("advice", quick=tuple(ADVICE))
def advise(gpu: Gpu, size: int, advice: str) -> Work:
    """Read managed memory that is on the host, after advice to the driver.

    With ``read-mostly``, the host and the GPU may each have a copy of a page. With ``accessed-by``,
    the pages stay on the host and are mapped for the GPU, so only the data that the kernel reads
    cross the link.
    """
    return _from_host(gpu, size, "read", ADVICE[advice])
