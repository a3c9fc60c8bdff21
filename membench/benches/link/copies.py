"""Copies between host memory and a GPU, by a copy engine or by a kernel.

The bandwidth counts each byte once. From the times at all sizes, the report derives a latency a and
a bandwidth b: a transfer of V bytes takes T(V) = a + V / b.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from membench.core.axes import OMITTED, Value
from membench.core.case import Bench, Needs, axis, bench
from membench.core.errors import VerificationFailed, skip
from membench.core.terms import BytesConvention
from membench.core.units import GIB, KIB, MIB
from membench.core.work import Timed, Work
from membench.gpu.units import VECTOR
from membench.workloads.link_copy import UNROLL, copies, host_fill

if TYPE_CHECKING:
    from membench.gpu.link_protocol import Event, Links
    from membench.gpu.protocol import Buffer, Gpu
    from membench.gpu.verify.pattern import Patterns

SIZES = (
    *("64MiB", "4KiB", "16KiB", "64KiB", "256KiB", "1MiB", "4MiB", "16MiB", "256MiB"),
    *("1GiB", "8GiB"),
)
MEMORIES = ("pinned", "pageable", "wc", "registered", "huge", "managed")
WAITING = ("pageable", "managed")
"""Kinds of memory whose copies make the host wait for the device.

In a stopped queue, such a copy would wait until the deadline.
"""

MOST_STREAMS = 64

BACKGROUND = 4
"""Copies in the other direction per timed copy, so that they outlast the timed copies."""

SM_SIZES = frozenset((64 * KIB, MIB, 16 * MIB, 64 * MIB, 256 * MIB))

TILE = 65_537
"""Number of words after which the data of `link/all` repeat; a prime, so that all pages differ."""

_SALT = 29


def _sensible(_profile: str, size: int, mem: str, engine: str, streams: int, numa: str) -> bool:
    """Whether the profiles measure a case.

    Copies of other sizes than 64 MiB use only pinned memory. Kernels need memory that is mapped for
    the GPU.
    """
    if size != 64 * MIB and (mem != "pinned" or numa):
        return False
    if engine == "sm":
        if mem in WAITING or streams != 1 or numa:
            return False
        return size in SM_SIZES
    return not numa or mem == "registered"


def _seconds(size: int, mem: str, **_: Value) -> float:
    made = 0.1 if mem == "pageable" else 0.3
    pace = 0.15 if mem == "pageable" else 0.02
    return 0.03 + (made + pace * (4 + _samples(size))) * size / GIB


def _samples(size: int) -> int:
    return 3 if size >= GIB else 15


def _prepare(gpu: Gpu, way: str, patterns: Patterns, device: Buffer, host: Buffer) -> None:
    if way == "h2d":
        host_fill(gpu, device, host, lambda buffer: patterns.fill(buffer, _SALT))
        patterns.poison(device)
    else:
        host_fill(gpu, device, host, patterns.poison)
        patterns.fill(device, _SALT)
    gpu.synchronize()


def _require(size: int, mem: str, engine: str, streams: int, numa: str) -> None:
    """Skip the case if its values contradict each other, or ``size`` cannot be split evenly."""
    if engine == "sm" and mem in WAITING:
        skip(f"engine=sm needs memory that is mapped for the GPU, not mem={mem}")
    if numa and mem != "registered":
        skip(f"numa={numa} needs mem=registered, not mem={mem}")
    if size % (VECTOR * streams):
        skip(f"size {size} B is not a multiple of {VECTOR * streams} B ({VECTOR} B per stream)")


def _node(links: Links, numa: str) -> int:
    if links.near is None:
        skip(f"numa={numa}: the system does not report which node the GPU belongs to")
    node = links.near if numa == "near" else links.far
    if node is None:
        skip(f"numa={numa}: no node except the GPU's has host memory that membench may use")
    return node


def _one_way(gpu: Gpu, way: str, size: int, mem: str, engine: str, streams: int, numa: str) -> Work:
    from membench.gpu.link_protocol import link_detail, link_flags
    from membench.gpu.verify.pattern import Patterns
    from membench.machine.pages import huge_page_bytes

    _require(size, mem, engine, streams, numa)
    links = gpu.links
    huge = mem == "huge"  # a request; the row reports how many huge pages the kernel gave
    node = _node(links, numa) if numa else None
    patterns = Patterns(gpu)
    device = gpu.allocate(size)
    host = links.memory(size, mem, node)
    target, source = (device, host) if way == "h2d" else (host, device)

    _prepare(gpu, way, patterns, device, host)
    if mem == "managed":  # the write may have moved managed memory to the device
        links.prefetch(host, to_host=True)
        gpu.synchronize()
    part = size // streams
    beside = [gpu.stream() for _ in range(streams)] if streams > 1 else [None]
    once = [
        copies(gpu, engine, target.address + n * part, source.address + n * part, part)
        for n in range(streams)
    ]

    def run(iterations: int) -> None:
        begun = links.record() if streams > 1 else None
        for stream, copy in zip(beside, once, strict=True):
            if begun is not None:
                links.follow(begun, stream)
            for _ in range(iterations):
                copy(stream)
        for stream in beside if begun is not None else ():
            links.follow(links.record(stream))

    def verify(_iterations: int) -> None:
        if way == "d2h":  # copy the result back, because the GPU checks faster than the host
            patterns.poison(device)
            gpu.copy(device.address, host.address, size)
        patterns.check(way, device, _SALT)

    return Timed(
        run=run,
        verify=verify,
        size_bytes=size,
        bytes_moved=size,
        bytes_convention=BytesConvention.PAYLOAD,
        min_sample_s=0.001,
        samples=_samples(size),
        may_block=mem not in WAITING,
        launches=3 * streams if streams > 1 else 1,
        flags=() if numa else link_flags(links),
        detail={
            **link_detail(links),
            **({"memory_node": node} if node is not None else {}),
            **({"grid": gpu.properties.sms, "unroll": UNROLL} if engine == "sm" else {}),
            **(
                {"huge": f"{100 * huge_page_bytes(host.address, size) / size:.0f}%"} if huge else {}
            ),
        },
    )


def _declare(way: str) -> Callable[[Callable[..., Work]], Bench]:
    def decorate(function: Callable[..., Work]) -> Bench:
        function = axis("numa", quick=OMITTED, full=(OMITTED, "near", "far"))(function)
        function = axis("streams", quick=1, full=(1, 2, 4), most=MOST_STREAMS)(function)
        function = axis("engine", quick=("ce", "sm"))(function)
        function = axis("mem", quick="pinned", full=MEMORIES)(function)
        function = axis("size", quick=("64MiB", "16KiB", "1MiB"), full=SIZES, step=VECTOR)(function)
        return bench(
            f"link/{way}",
            version=1,
            needs=Needs.GPU,
            seconds=_seconds,
            memory=lambda size, **_: size,
            gpu_memory=lambda size, **_: size + MIB,
            full_grid=("size", "mem", "engine", "numa"),
            where=_sensible,
        )(function)

    return decorate


@_declare("h2d")
def h2d(gpu: Gpu, size: int, mem: str, engine: str, streams: int, numa: str) -> Work:
    """Copy a buffer from host memory to the GPU.

    ``engine`` is the copy engine (`ce`) or a kernel on all SMs (`sm`). The bytes are divided among
    the ``streams``. ``numa`` chooses the NUMA node of registered memory.
    """
    return _one_way(gpu, "h2d", size, mem, engine, streams, numa)


@_declare("d2h")
def d2h(gpu: Gpu, size: int, mem: str, engine: str, streams: int, numa: str) -> Work:
    """Copy a buffer from the GPU to host memory.

    ``engine`` is the copy engine (`ce`) or a kernel on all SMs (`sm`). The bytes are divided among
    the ``streams``. ``numa`` chooses the NUMA node of registered memory.
    """
    return _one_way(gpu, "d2h", size, mem, engine, streams, numa)


@bench(
    "link/bidir",
    version=1,
    needs=Needs.GPU,
    seconds=lambda size, **_: 0.05 + 2.0 * size / GIB,
    memory=lambda size, **_: 2 * size,
    gpu_memory=lambda size, **_: 2 * size + MIB,
    full_grid=("dir", "engine"),
)
@axis("size", quick="64MiB", full=("64MiB", "1MiB", "16MiB", "256MiB"), step=VECTOR)
@axis("dir", quick="sum", full=("sum", "h2d", "d2h"))
@axis("engine", quick="ce", full=("ce", "sm"))
def bidir(gpu: Gpu, size: int, dir: str, engine: str) -> Work:  # noqa: A002 - the axis' name
    """Copy from host memory to the GPU and, at the same time, from the GPU to host memory.

    With ``dir=sum``, the bandwidth is the number of bytes of both directions, divided by the time
    until the slower direction ends. With ``dir=h2d`` and ``dir=d2h``, only the named direction is
    timed, while the opposite direction runs without pause. With ``engine=sm``, each of the two
    kernels gets half of the SMs.
    """
    from membench.gpu.link_protocol import link_detail, link_flags
    from membench.gpu.verify.pattern import Patterns

    links = gpu.links
    patterns = Patterns(gpu)
    up, down = gpu.allocate(size), gpu.allocate(size)
    into, outof = links.memory(size, "pinned"), links.memory(size, "pinned")
    host_fill(gpu, up, outof, lambda buffer: patterns.fill(buffer, _SALT))
    host_fill(gpu, down, into, patterns.poison)
    patterns.poison(up)
    patterns.fill(down, _SALT + 1)
    gpu.synchronize()
    half = max(1, gpu.properties.sms // 2)
    ways = {
        "h2d": copies(gpu, engine, up.address, outof.address, size, half),
        "d2h": copies(gpu, engine, into.address, down.address, size, half),
    }
    timed = "d2h" if dir == "d2h" else "h2d"
    other = "h2d" if timed == "d2h" else "d2h"
    more = 1 if dir == "sum" else BACKGROUND
    beside = gpu.stream()
    ends: list[Event] = []

    def run(iterations: int) -> None:
        gpu.wait(beside)  # the copies in the other direction of the previous sample may still run
        links.follow(links.record(), beside)
        for _ in range(iterations * more):
            ways[other](beside)
        last = links.record(beside)
        for _ in range(iterations):
            ways[timed](None)
        ends[:] = [links.record(), last]
        if dir == "sum":
            links.follow(last)

    def verify(_iterations: int) -> None:
        gpu.wait(beside)
        gpu.synchronize()
        if dir != "sum" and links.between(*ends) < 0:
            raise VerificationFailed(
                f"the {other} copies ended before the {timed} copies: the directions did not "
                "overlap completely"
            )
        patterns.check("h2d", up, _SALT)
        patterns.poison(up)
        gpu.copy(up.address, into.address, size)
        patterns.check("d2h", up, _SALT + 1)

    return Timed(
        run=run,
        verify=verify,
        size_bytes=2 * size,
        bytes_moved=2 * size if dir == "sum" else size,
        bytes_convention=BytesConvention.PAYLOAD,
        min_sample_s=0.001,
        samples=15,
        launches=4 + more,
        flags=link_flags(links),
        detail={**link_detail(links), "background": more},
    )


@bench(
    "link/all",
    version=1,
    needs=(Needs.GPU, Needs.TWO_GPUS),
    profiles=("full",),
    seconds=lambda size, **_: 0.1 + 4.0 * size / GIB,
    memory=lambda size, **_: 8 * size,
    gpu_memory=lambda size, **_: size + MIB,
    grid=("dir",),
)
@axis("size", quick="256MiB", step=VECTOR)
@axis("dir", quick=("h2d", "d2h"))
def every(gpu: Gpu, size: int, dir: str) -> Work:  # noqa: A002 - the axis' name
    """Copy between page-locked memory and every GPU at the same time.

    The bandwidth is the sum of the bytes of all GPUs, divided by the time from the common start to
    the end of the last copy.
    """
    import numpy as np

    from membench.gpu.link_protocol import link_detail
    from membench.gpu.verify.content import random_words

    links = gpu.links
    lanes = links.every_gpu(size)
    hosts = [links.memory(size, "pinned") for _ in lanes]
    # Every GPU gets different data. Every target has other contents before the copy.
    tiles = [random_words(TILE, _SALT + lane.gpu) for lane in lanes]
    seen = [host.array.view(np.uint32) for host in hosts]
    words = [np.resize(tile, one.size) for tile, one in zip(tiles, seen, strict=True)]
    for lane, host, one, word in zip(lanes, hosts, seen, words, strict=True):
        one[:] = 0 if dir == "h2d" else word
        gpu.copy(lane.memory.address, host.address, size, lane.queue)
        gpu.wait(lane.queue)
        one[:] = word if dir == "h2d" else 0
    ways = [
        (lane.memory.address, host.address) if dir == "h2d" else (host.address, lane.memory.address)
        for lane, host in zip(lanes, hosts, strict=True)
    ]

    def run(iterations: int) -> None:
        begin = links.record()
        for lane, (target, source) in zip(lanes, ways, strict=True):
            links.follow(begin, lane.queue)
            for _ in range(iterations):
                gpu.copy(target, source, size, lane.queue)
            links.follow(links.record(lane.queue))

    def verify(_iterations: int) -> None:
        for lane, host, one, word in zip(lanes, hosts, seen, words, strict=True):
            if dir == "h2d":
                one[:] = 0
                gpu.copy(host.address, lane.memory.address, size, lane.queue)
            gpu.wait(lane.queue)
            if not np.array_equal(one, word):
                raise VerificationFailed(
                    f"link/all: the {dir} copy of GPU {lane.gpu} has wrong bytes"
                )

    return Timed(
        run=run,
        verify=verify,
        size_bytes=size * len(lanes),
        bytes_moved=size * len(lanes),
        bytes_convention=BytesConvention.PAYLOAD,
        min_sample_s=0.001,
        samples=10,
        launches=len(lanes),
        detail={"gpus": len(lanes), **link_detail(links)},
    )
