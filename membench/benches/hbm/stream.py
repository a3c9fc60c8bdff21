"""Bandwidth of GPU memory: STREAM's kernels and similar kernels.

The byte count is the number of bytes that the algorithm reads plus the number that it writes, as in
STREAM. A GPU's L2 cache writes whole sectors without a fetch, so the memory has no further traffic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from membench.core.axes import AUTO, OMITTED, Value
from membench.core.case import PROFILES, TUNED, Bench, Config, Needs, axis, bench
from membench.core.units import KIB, MIB
from membench.core.work import Work
from membench.workloads.gpu_streams import (
    ARRAYS,
    DEFAULT,
    HINTS,
    LOADS,
    MIN_SAMPLE_S,
    WIDE,
    WIDE_CAPABILITY,
    sample_count,
    sample_seconds,
    stream_work,
)

if TYPE_CHECKING:
    from membench.gpu.protocol import Gpu

SWEPT = ("read", "copy", "triad")
"""Kernels that the full profile measures at all sizes and widths; one per number of arrays."""

SIZES = ("256MiB", "512MiB", "1GiB", "2GiB", "8GiB")

FULL_ONLY = ("nstream",)
"""Kernels that the quick profile leaves out."""

HINTED_BLOCKS, HINTED_BYTES = (256, 512), 64
"""With hints: block sizes, and bytes in flight per array and thread."""

WIDEST_BLOCK_BYTES, WIDEST_BLOCK_LOADED = 64, 128
"""Maximum bytes in flight per thread, for blocks of 1024: per array, and over all loaded arrays.

Loads in flight may use half of the 64 registers of a thread. With more loads in flight, code from
some releases of NVRTC uses the first value before it issues the last load (``docs/compilers.md``).
"""


def configurations(gpu: Gpu, operation: str, **_axes: Value | Config) -> Iterator[Config]:
    """The configurations from which ``config=best`` chooses.

    A thread has ``unroll`` accesses per array in flight before it uses the first value.
    """
    widths = (16, WIDE) if gpu.properties.capability >= WIDE_CAPABILITY else (16,)
    for vec in widths:
        for block in (256, 512, 1024):
            for unroll in (1, 2, 4, 8):
                if _fits(operation, vec, block, unroll):
                    for once in (0, 1):
                        yield _config(vec, unroll, block, once, 0)
        for hint in (1, 2):
            if operation == "write" and HINTS[hint] == "no-allocate":
                continue  # hints apply only to loads
            for block in HINTED_BLOCKS:
                for once in (0, 1):
                    yield _config(vec, HINTED_BYTES // vec, block, once, hint)


def _config(vec: int, unroll: int, block: int, once: int, hint: int) -> Config:
    return {"vec": vec, "unroll": unroll, "block": block, "once": once, "hint": hint}


def _fits(operation: str, vec: int, block: int, unroll: int) -> bool:
    if block == 1024:
        loaded = unroll * LOADS[operation] * vec
        return unroll * vec <= WIDEST_BLOCK_BYTES and loaded <= WIDEST_BLOCK_LOADED
    return unroll * vec <= 2 * WIDEST_BLOCK_BYTES


def _seconds(operation: str, size: int) -> float:
    sample = sample_seconds(operation, size)
    finding = 2 if sample > MIN_SAMPLE_S else 4
    sampling = (sample_count(operation, size) + finding) * sample
    return 0.05 + sampling + 2 * ARRAYS[operation] * size / 2.5e12


def _kernel(operation: str, description: str) -> Bench:
    def run(gpu: Gpu, size: int, vec: Value, config: Config) -> Work:
        return stream_work(gpu, operation, size, config or {**DEFAULT, "vec": int(vec)})

    run.__doc__ = description
    swept = operation in SWEPT
    # Tuning tries dozens of configurations, so the quick profile tunes only one kernel per number
    # of arrays.
    tuned = (OMITTED, TUNED)
    function: Callable[..., Work] = run
    function = axis("config", quick=tuned if swept else OMITTED, full=tuned)(function)
    function = axis(
        "vec", quick=16, full=(16, 4, 8, WIDE) if swept else 16, least=4, most=WIDE, power=True
    )(function)
    function = axis("size", quick=AUTO, full=(AUTO, *SIZES) if swept else AUTO, step=WIDE)(function)
    return bench(
        f"hbm/{operation}",
        # Version 2: `size=auto`, and a thread issues all loads of a tile before it uses the first
        # value.
        version=2,
        needs=Needs.GPU,
        profiles=("full",) if operation in FULL_ONLY else tuple(PROFILES),
        seconds=lambda size, **_: _seconds(operation, size),
        # the arrays, and the read kernel's sums of 4 bytes per tile of at least 4 KiB
        gpu_memory=lambda size, **_: ARRAYS[operation] * size + size // KIB + MIB,
        configs=partial(configurations, operation=operation),
        tunes=("vec",),
    )(function)


read = _kernel(
    "read",
    """Sum of one array: bandwidth of reads alone.

    ``size`` is the size of one array in bytes, as in all kernels of this family.
    """,
)
write = _kernel("write", "Fill one array with a constant: bandwidth of writes alone.")
copy = _kernel("copy", "STREAM copy: c = a, one array read and one written.")
scale = _kernel("scale", "STREAM scale: b = 3 c, one array read and one written.")
add = _kernel("add", "STREAM add: c = a + b, two arrays read and one written.")
triad = _kernel("triad", "STREAM triad: a = b + 3 c, two arrays read and one written.")
nstream = _kernel(
    "nstream", "A STREAM kernel with an update, a += b + 3 c: three arrays read and one written."
)
