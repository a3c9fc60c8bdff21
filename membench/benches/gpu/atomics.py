"""The rate of atomic additions by GPU threads to counters in L2, shared memory or host memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from membench.core.case import Needs, axis, bench
from membench.core.errors import VerificationFailed
from membench.core.terms import Metric, Stat
from membench.core.units import MIB
from membench.core.work import Timed, Work

if TYPE_CHECKING:
    from membench.gpu.protocol import Argument, Buffer, Gpu

BLOCK = 256
TURNS = {"l2": 64, "smem": 512, "host": 4}
"""Number of additions that a thread makes in one launch, by memory."""

LINE_WORDS = 32
_U32 = 2**32


@bench(
    "gpu/atomics",
    version=1,
    needs=Needs.GPU,
    yields=(Metric.RATE, Stat.MEDIAN),
    seconds=lambda memory, **_: 0.25 if memory == "host" else 0.08,
    memory=lambda memory, **_: 64 * MIB if memory == "host" else 0,
    gpu_memory=128 * MIB,
    full_grid=("memory", "place"),
)
@axis("memory", quick="l2", full=("l2", "smem", "host"))
@axis("place", quick="same", full=("same", "strided", "distinct"))
@axis("op", quick="red", full=("red", "atom"))
def atomics(gpu: Gpu, memory: str, place: str, op: str) -> Work:
    """Additions per second to 32-bit counters, by all resident threads at once.

    - ``place=same``: one counter for all threads (for ``smem``, one counter per block).
    - ``place=distinct``: one counter per thread, side by side.
    - ``place=strided``: one counter per thread, each in a separate cache line.
    - ``op=red``: the instruction returns nothing.
    - ``op=atom``: the instruction returns the old value, and the kernel sums the old values.

    ``memory=host`` is page-locked host memory. ``op`` matters only for ``memory=l2``.
    """
    import numpy as np

    from membench.gpu.protocol import KernelVariant

    entry = {"smem": "atomics_shared", "host": "atomics_system"}.get(memory, f"atomics_{op}")
    kernel = gpu.kernel(KernelVariant.of("atomics.cu"), entry)
    shared = BLOCK * LINE_WORDS * 4 if memory == "smem" else 0
    per_sm = 1 if memory == "host" else gpu.occupancy(kernel, BLOCK, shared)
    blocks = per_sm * gpu.properties.sms
    threads, turns = blocks * BLOCK, TURNS[memory]
    apart = LINE_WORDS if place == "strided" else 1
    mask = 0 if place == "same" else (1 << (threads - 1).bit_length()) - 1
    if memory == "smem":
        counters, counted = gpu.allocate(4 * blocks), blocks
    else:
        counted = 1 if place == "same" else threads * apart
        counters = _counters(gpu, 4 * counted, host=memory == "host")
    olds = gpu.allocate(4 * threads if entry == "atomics_atom" else 4)
    if memory != "host":
        gpu.fill(counters, 0)
    gpu.fill(olds, 0)
    args: tuple[Argument, ...] = (counters, np.uint32(mask), np.uint32(apart), np.uint32(turns))
    args += {"atomics_atom": (olds,), "atomics_shared": (np.uint32(1),)}.get(entry, ())

    def run(iterations: int) -> None:
        for _ in range(iterations):
            gpu.launch(kernel, blocks, BLOCK, args, shared=shared)

    def verify(iterations: int) -> None:
        done = turns * iterations
        found = gpu.download(counters, np.uint32, counted)
        each = BLOCK * done if memory == "smem" else threads * done if place == "same" else done
        found = found if memory == "smem" else found[::apart]
        if (wrong := np.flatnonzero(found != each % _U32)).size:
            first = int(wrong[0])
            raise VerificationFailed(
                f"gpu/atomics: counter {first} is {found[first]}, not {each % _U32}"
            )
        if entry == "atomics_atom":
            # The additions to a counter return 0, 1, 2, ... in some order.
            parts, up_to = (1, threads * done) if place == "same" else (threads, done)
            must = parts * (up_to * (up_to - 1) // 2) % _U32
            total = int(gpu.download(olds, np.uint32, threads).sum(dtype=np.uint64)) % _U32
            if total != must:
                raise VerificationFailed(
                    f"gpu/atomics: the sum of the returned values is {total}, not {must}"
                )

    return Timed(
        run=run,
        verify=verify,
        size_bytes=shared or 4 * counted,
        metric=Metric.RATE,
        operations=threads * turns,
        min_sample_s=0.001,
        detail={"threads": threads, "turns": turns, "op": entry.removeprefix("atomics_")},
    )


def _counters(gpu: Gpu, size: int, *, host: bool) -> Buffer:
    if not host:
        return gpu.allocate(size)
    counters = gpu.host(size)
    counters.array[:] = 0
    return counters
