"""Bandwidth of copies between GPUs, and latency of reads from the memory of another GPU.

This code has not yet run on a machine with several GPUs. ``docs/kernels.md`` lists the names of the
same transfers in NVIDIA's nvbandwidth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from membench.core.case import Bench, Needs, axis, bench
from membench.core.terms import BytesConvention, Metric, Stat
from membench.core.units import GIB, MIB
from membench.core.work import Observation, Observed, Timed, Work
from membench.gpu.units import LINE, VECTOR
from membench.workloads.link_copy import copies

if TYPE_CHECKING:
    from membench.gpu.protocol import Gpu

HOPS = 8192
LAUNCHES = 5

_SALT = 67


def _seconds(size: int, **_: object) -> float:
    return 0.05 + 0.3 * size / GIB


def _declare(operation: str) -> Callable[[Callable[..., Work]], Bench]:
    def decorate(function: Callable[..., Work]) -> Bench:
        sizes = ("256MiB", "64KiB", "1MiB", "16MiB", "2GiB")
        function = axis("engine", quick=("ce", "sm"), full=("ce", "sm", "tma"))(function)
        function = axis("size", quick="256MiB", full=sizes, step=VECTOR)(function)
        both = 2 if operation == "bidir" else 1
        return bench(
            f"peer/{operation}",
            version=1,
            needs=(Needs.GPU, Needs.TWO_GPUS),
            seconds=_seconds,
            gpu_memory=lambda size, **_: both * size + MIB,
        )(function)

    return decorate


def _ends(gpu: Gpu, *, reads: bool) -> dict[str, str]:
    """CUDA's ordinals of the source and the target GPU, for `detail`."""
    here, there = (str(number) for number in gpu.links.pair)
    return {"src": there, "dst": here} if reads else {"src": here, "dst": there}


def _one_way(gpu: Gpu, operation: str, size: int, engine: str) -> Work:
    from membench.gpu.verify.pattern import Patterns

    far = gpu.links.peer(size)
    near = gpu.allocate(size)
    target, source = (near, far) if operation == "read" else (far, near)
    patterns = Patterns(gpu)
    patterns.fill(source, _SALT)
    if operation == "read":
        patterns.poison(near)
    else:  # memset works only on this GPU's memory
        patterns.fill(far, _SALT + 1)
    once = copies(gpu, engine, target.address, source.address, size)
    gpu.synchronize()

    def run(iterations: int) -> None:
        for _ in range(iterations):
            once(None)

    return Timed(
        run=run,
        verify=lambda _iterations: patterns.check(operation, target, _SALT),
        size_bytes=size,
        bytes_moved=size,
        bytes_convention=BytesConvention.PAYLOAD,
        min_sample_s=0.001,
        samples=15,
        detail={"engine": engine, **_ends(gpu, reads=operation == "read")},
    )


@_declare("read")
def read(gpu: Gpu, size: int, engine: str) -> Work:
    """Copy a buffer from another GPU to this GPU.

    A copy engine or a kernel of this GPU moves the data.
    """
    return _one_way(gpu, "read", size, engine)


@_declare("write")
def write(gpu: Gpu, size: int, engine: str) -> Work:
    """Copy a buffer from this GPU to another GPU.

    A copy engine or a kernel of this GPU moves the data.
    """
    return _one_way(gpu, "write", size, engine)


@_declare("bidir")
def bidir(gpu: Gpu, size: int, engine: str) -> Work:
    """Copy from another GPU to this GPU and, at the same time, in the other direction.

    The bandwidth counts the bytes of both directions. This GPU does the work of both directions:
    with two copy engines, or with two kernels on half of its SMs each.
    """
    from membench.gpu.verify.pattern import Patterns

    links = gpu.links
    far = links.peer(2 * size)
    into, outof = gpu.allocate(size), gpu.allocate(size)
    patterns = Patterns(gpu)
    patterns.fill(outof, _SALT)
    # The other GPU's memory: this GPU reads the first half and writes the second half.
    fill_far = copies(gpu, "ce", far.address, into.address, size)
    patterns.fill(into, _SALT + 1)
    fill_far(None)
    patterns.poison(into)
    copies(gpu, "ce", far.address + size, into.address, size)(None)
    half = max(1, gpu.properties.sms // 2)
    reading = copies(gpu, engine, into.address, far.address, size, half)
    writing = copies(gpu, engine, far.address + size, outof.address, size, half)
    beside = gpu.stream()
    gpu.synchronize()

    def run(iterations: int) -> None:
        links.follow(links.record(), beside)
        for _ in range(iterations):
            writing(beside)
            reading(None)
        links.follow(links.record(beside))

    def verify(_iterations: int) -> None:
        patterns.check("read", into, _SALT + 1)
        gpu.copy(into.address, far.address + size, size)
        patterns.check("write", into, _SALT)

    return Timed(
        run=run,
        verify=verify,
        size_bytes=2 * size,
        bytes_moved=2 * size,
        bytes_convention=BytesConvention.PAYLOAD,
        min_sample_s=0.001,
        samples=15,
        launches=4,
        detail={"engine": engine, "gpus": "+".join(map(str, links.pair))},
    )


@bench(
    "peer/latency",
    version=1,
    needs=(Needs.GPU, Needs.TWO_GPUS),
    yields=((Metric.LATENCY, Stat.MEDIAN), (Metric.LATENCY, Stat.P99)),
    seconds=0.2,
    gpu_memory=MIB,
)
@axis("size", quick="512MiB", full=("512MiB", "1MiB"), least=2 * LINE, step=LINE)
def latency(gpu: Gpu, size: int) -> Work:
    """Latency of one dependent load from another GPU's memory.

    The pointers form one random cycle over ``size`` bytes. 1 MiB fits in the other GPU's cache, but
    512 MiB do not. The median is over whole launches. p99 is over single hops, and includes one
    clock read.
    """
    from membench.gpu.verify.walk import Walker

    walker = Walker(gpu, gpu.links.peer(size), size // LINE)
    ends = _ends(gpu, reads=True)

    def observe(_seconds: float) -> Observation:
        observed = walker.round_trips(HOPS, LAUNCHES)
        return replace(observed, detail={**observed.detail, **ends})

    return Observed(
        observe=observe,
        seconds=0.2,
        timer="globaltimer",
        size_bytes=size,
        verify=walker.verify,
    )


@bench(
    "peer/all",
    version=1,
    needs=(Needs.GPU, Needs.TWO_GPUS),
    profiles=("full",),
    seconds=lambda size, **_: 0.2 + 4.0 * size / GIB,
    gpu_memory=lambda size, **_: 8 * size + MIB,
    grid=("dir",),
)
@axis("size", quick="256MiB", step=VECTOR)
@axis("dir", quick=("in", "out"))
def every(gpu: Gpu, size: int, dir: str) -> Work:  # noqa: A002 - the axis' name
    """Copy between this GPU and every other GPU with direct access, all at once.

    With ``dir=in`` the other GPUs write to this GPU. With ``dir=out`` the other GPUs read from this
    GPU. The bandwidth is the sum of the bytes of all copies, divided by the time from the common
    start to the end of the last copy.
    """
    from membench.gpu.verify.pattern import Patterns

    links = gpu.links
    others = links.every_gpu(size, peers=True)[1:]
    own = [gpu.allocate(size) for _ in others]
    patterns = Patterns(gpu)
    scratch = gpu.allocate(size)
    for number, (near, lane) in enumerate(zip(own, others, strict=True)):
        patterns.fill(scratch, _SALT + 2 * number + 1)
        gpu.copy(lane.memory.address, scratch.address, size)
        patterns.fill(near, _SALT + 2 * number)
    gpu.synchronize()
    ways = [
        (near.address, far.memory.address) if dir == "in" else (far.memory.address, near.address)
        for near, far in zip(own, others, strict=True)
    ]

    def run(iterations: int) -> None:
        begin = links.record()
        for lane, (target, source) in zip(others, ways, strict=True):
            links.follow(begin, lane.queue)
            for _ in range(iterations):
                gpu.copy(target, source, size, lane.queue)
            links.follow(links.record(lane.queue))

    def verify(_iterations: int) -> None:
        for number, (near, lane) in enumerate(zip(own, others, strict=True)):
            gpu.wait(lane.queue)
            found, salt = near, _SALT + 2 * number + 1
            if dir == "out":
                patterns.poison(scratch)
                gpu.copy(scratch.address, lane.memory.address, size)
                found, salt = scratch, _SALT + 2 * number
            patterns.check(f"peer/all: GPU {lane.gpu}", found, salt)

    return Timed(
        run=run,
        verify=verify,
        size_bytes=size * len(others),
        bytes_moved=size * len(others),
        bytes_convention=BytesConvention.PAYLOAD,
        min_sample_s=0.001,
        samples=10,
        launches=3 * len(others),
        detail={"engine": "ce", "gpus": 1 + len(others)},
    )


@bench(
    "peer/bulk",
    version=1,
    needs=(Needs.GPU, Needs.TWO_GPUS),
    profiles=("full",),
    yields=(Metric.LATENCY, Stat.MEDIAN),
    seconds=0.2,
    gpu_memory=MIB,
)
@axis("size", quick="512MiB", full=("512MiB", "1MiB"), least=2 * LINE, step=LINE)
def bulk(gpu: Gpu, size: int) -> Work:
    """Latency of a dependent bulk copy (TMA) of 16 bytes from another GPU into shared memory.

    The pointers form one random cycle over ``size`` bytes.
    """
    from membench.gpu.verify.walk import Walker

    walker = Walker(gpu, gpu.links.peer(size), size // LINE, bulk=True)
    return Observed(
        observe=lambda _seconds: walker.bulk_trips(HOPS, LAUNCHES),
        seconds=0.2,
        timer="globaltimer",
        size_bytes=size,
        verify=walker.verify,
        detail=_ends(gpu, reads=True),
    )
