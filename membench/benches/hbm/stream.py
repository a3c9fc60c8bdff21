"""Bandwidth of GPU memory: STREAM's kernels and their relatives.

Counting is STREAM's: bytes that the algorithm reads plus bytes that it writes.
A GPU's L2 cache writes whole sectors without fetching them first, so nothing is
hidden in that.  Every kernel has a fixed default, by which GPUs and runs can be
compared, and ``config=best``, the fastest of its configurations on this GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from membench.core.axes import AUTO, OMITTED, Value
from membench.core.case import PROFILES, TUNED, Bench, Config, Needs, axis, bench
from membench.core.errors import VerificationFailed, skip
from membench.core.terms import BytesConvention, PeakBasis
from membench.core.units import KIB, MIB
from membench.core.work import Timed, Work

if TYPE_CHECKING:
    from membench.gpu.protocol import Buffer, Gpu, Variant
    from membench.gpu.verify.pattern import Patterns

ARRAYS = {"read": 1, "write": 1, "copy": 2, "scale": 2, "add": 3, "triad": 3, "nstream": 3}
"""Arrays of each kernel."""

ACCESSES = ARRAYS | {"nstream": 4}
"""Arrays that it reads plus arrays that it writes."""

SWEPT = ("read", "copy", "triad")
"""Kernels that the full profile sweeps over sizes and widths: one, two and three arrays."""

SIZES = ("256MiB", "512MiB", "1GiB", "2GiB", "8GiB")
"""Sizes of an array beside `auto`, which is 4 GiB where there is room."""

LOADS = {name: ACCESSES[name] - (name != "read") for name in ACCESSES}
"""Arrays that it reads; every kernel but read writes one."""

FULL_ONLY = ("nstream",)
"""Kernels that the quick profile leaves out: triad says as much in less time."""

DEFAULT: Config = {"vec": 16, "unroll": 4, "block": 512, "once": 0, "hint": 0}
"""The fixed configuration.

``once`` 0 launches as many blocks as are resident at the same time, each of which goes over
many tiles; ``once`` 1 launches a block for every tile, as BabelStream and gpu-benches do.
``hint`` is a number of `HINTS`.
"""

HINTS = ("plain", "cs", "no-allocate")
"""What the caches are told: nothing, evict first (``.cs``), not into L1 (``.L1::no_allocate``)."""

HINTED_BLOCKS, HINTED_BYTES = (256, 512), 64
"""Blocks that hints are tried with, at so many bytes of an array under way a thread."""

WIDEST_BLOCK_BYTES, WIDEST_BLOCK_LOADS = 64, 8
"""A block of 1024 threads has 64 registers a thread.

More loads under way than these do not fit: the assembler would put a use before the last load.
"""

WIDE = 32
WIDE_CAPABILITY = 100
"""256-bit loads and stores begin with compute capability 10.0."""

CACHE_MULTIPLE = 4
"""STREAM's rule: arrays together at least four times the last-level cache."""

SAMPLES = (6, 20)
"""Fewest and most samples of a round: of long ones fewer say as much."""

SAMPLED_S = 0.02
"""What the samples of a round take together, where the fewest do not take longer."""

MIN_SAMPLE_S = 0.001

_SCALAR = 3
_VALUE = 0x3F9D7043
_SALT = 17


def configurations(gpu: Gpu, operation: str, **_axes: Value | Config) -> Iterator[Config]:
    """What ``config=best`` chooses from.

    Each keeps ``unroll`` accesses of each array of a thread under way before the first value is
    needed; the machine code of all of them is tested for that.  By Little's law Hopper needs
    about 18 KiB under way an SM and Blackwell 40; the largest here have 128 KiB.
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
                continue  # it says something of loads
            for block in HINTED_BLOCKS:
                for once in (0, 1):
                    yield _config(vec, HINTED_BYTES // vec, block, once, hint)


def _config(vec: int, unroll: int, block: int, once: int, hint: int) -> Config:
    return {"vec": vec, "unroll": unroll, "block": block, "once": once, "hint": hint}


def _fits(operation: str, vec: int, block: int, unroll: int) -> bool:
    """Whether the registers of a thread hold what is under way."""
    if block == 1024:
        loads = unroll * LOADS[operation]
        return unroll * vec <= WIDEST_BLOCK_BYTES and loads <= WIDEST_BLOCK_LOADS
    return unroll * vec <= 2 * WIDEST_BLOCK_BYTES


def variant(config: Config) -> Variant:
    """The compilation that ``config`` needs."""
    from membench.gpu.protocol import Variant

    bound = 1024 if config["block"] > 512 else 512
    hint = {"HINT": config["hint"]} if config["hint"] else {}
    return Variant.of("stream.cu", VEC=config["vec"], UNROLL=config["unroll"], BLOCK=bound, **hint)


def _stream(gpu: Gpu, operation: str, size: int, vec: Value, config: Config) -> Work:
    import numpy as np

    from membench.gpu.verify.pattern import Patterns, pattern_sum

    chosen = dict(config) or {**DEFAULT, "vec": int(vec)}
    if chosen["vec"] == WIDE and gpu.properties.capability < WIDE_CAPABILITY:
        skip("32-byte loads need compute capability 10.0")
    kernel = gpu.kernel(variant(chosen), f"stream_{operation}")
    block = chosen["block"]
    per_sm = gpu.occupancy(kernel, block)
    tile = block * chosen["unroll"] * chosen["vec"]
    grid = -(-size // tile) if chosen["once"] else per_sm * gpu.properties.sms
    arrays = [gpu.allocate(size) for _ in range(ARRAYS[operation])]
    target = arrays[0]
    sums = gpu.allocate(4 * grid)
    patterns = Patterns(gpu)
    count = np.uint64(size // chosen["vec"])
    scalar = np.float32(_SCALAR)
    arguments: Mapping[str, tuple[Buffer | np.generic, ...]] = {
        "read": (sums, *arrays, count),
        "write": (target, np.uint32(_VALUE), count),
        "copy": (*arrays, count),
        "scale": (*arrays, scalar, count),
        "add": (*arrays, count),
        "triad": (*arrays, scalar, count),
        "nstream": (*arrays, scalar, count),
    }
    args = arguments[operation]

    gpu.fill(sums, 0)
    _fill(patterns, operation, arrays)

    def run(iterations: int) -> None:
        for _ in range(iterations):
            gpu.launch(kernel, grid, block, args)

    def verify(iterations: int) -> None:
        if operation == "read":
            found = int(gpu.download(sums, np.uint32, grid).sum(dtype=np.uint64)) % 2**32
            expected = pattern_sum(size // 4, _SALT) * iterations % 2**32
            if found != expected:
                raise VerificationFailed(f"read: the words sum up to {found}, not to {expected}")
        else:
            _check(patterns, operation, target, iterations)

    bytes_moved = ACCESSES[operation] * size
    peak = gpu.properties.peak_bandwidth
    return Timed(
        run=run,
        verify=verify,
        size_bytes=len(arrays) * size,
        bytes_moved=bytes_moved,
        bytes_convention=BytesConvention.RW_SUM,
        min_sample_s=MIN_SAMPLE_S,
        samples=_samples(operation, size),
        peak=peak,
        peak_basis=PeakBasis.QUERIED if peak else None,
        flags=("cache-served",)
        if len(arrays) * size < CACHE_MULTIPLE * gpu.properties.l2_bytes
        else (),
        detail={
            **{name: chosen[name] for name in ("vec", "unroll", "block", "once")},
            "hint": HINTS[chosen["hint"]],
            "per_sm": per_sm,
            "in_flight": per_sm * tile * (LOADS[operation] or 1),
            "registers": kernel.registers,
            "bus_bits": gpu.properties.bus_bits,
            "memory_mhz": gpu.properties.memory_khz // 1000,
        },
    )


def _fill(patterns: Patterns, operation: str, arrays: Sequence[Buffer]) -> None:
    """Known contents for what is read, poison for what is only written."""
    for number, array in enumerate(arrays):
        if number == 0 and operation not in ("read", "nstream"):
            patterns.poison(array)
        elif operation in ("read", "copy"):
            patterns.fill(array, _SALT + number)
        else:
            patterns.fill_small(array, _SALT + number)


def _check(patterns: Patterns, operation: str, target: Buffer, iterations: int) -> None:
    if operation == "write":
        patterns.check_value("write", target, _VALUE)
    elif operation == "copy":
        patterns.check("copy", target, _SALT + 1)
    else:
        factors = {
            "scale": (0, _SCALAR, 0),
            "add": (0, 1, 1),
            "triad": (0, 1, _SCALAR),
            "nstream": (1, iterations, _SCALAR * iterations),
        }
        patterns.check_linear(operation, target, _SALT, factors[operation])


def _sample_s(operation: str, size: int) -> float:
    """Seconds of one sample at 2.5 TB/s."""
    return max(MIN_SAMPLE_S, ACCESSES[operation] * size / 2.5e12)


def _samples(operation: str, size: int) -> int:
    fewest, most = SAMPLES
    return min(most, max(fewest, round(SAMPLED_S / _sample_s(operation, size))))


def _seconds(operation: str, size: int) -> float:
    """The samples, what finds their length, filling and checking, all at 2.5 TB/s."""
    sample = _sample_s(operation, size)
    finding = 2 if sample > MIN_SAMPLE_S else 4
    sampling = (_samples(operation, size) + finding) * sample
    return 0.05 + sampling + 2 * ARRAYS[operation] * size / 2.5e12


def stream_bench(operation: str) -> Callable[[Callable[..., Work]], Bench]:
    """Declare the bench of one kernel: they differ in their name and their arrays alone."""

    def decorate(function: Callable[..., Work]) -> Bench:
        swept = operation in SWEPT
        # Tuning tries thirty configurations: the quick profile tunes one kernel of each shape.
        tuned = (OMITTED, TUNED)
        function = axis("config", quick=tuned if swept else OMITTED, full=tuned)(function)
        function = axis("vec", quick=16, full=(16, 4, 8, WIDE) if swept else 16)(function)
        function = axis("size", quick=AUTO, full=(AUTO, *SIZES) if swept else AUTO)(function)
        return bench(
            f"hbm/{operation}",
            # 2: `size=auto`, all loads of a tile are under way before the first is needed
            version=2,
            needs=Needs.GPU,
            profiles=("full",) if operation in FULL_ONLY else tuple(PROFILES),
            seconds=lambda size, **_: _seconds(operation, size),
            # With the sums of read: 4 bytes for each 4 KiB in the smallest tiles.
            gpu_memory=lambda size, **_: ARRAYS[operation] * size + size // KIB + MIB,
            configs=partial(configurations, operation=operation),
            tunes=("vec",),
        )(function)

    return decorate


@stream_bench("read")
def read(gpu: Gpu, size: int, vec: Value, config: Config) -> Work:
    """Sum one array: bandwidth of reading alone.

    ``size`` is the bytes of one array, as in all kernels of this family.
    """
    return _stream(gpu, "read", size, vec, config)


@stream_bench("write")
def write(gpu: Gpu, size: int, vec: Value, config: Config) -> Work:
    """Fill one array with a constant: bandwidth of writing alone."""
    return _stream(gpu, "write", size, vec, config)


@stream_bench("copy")
def copy(gpu: Gpu, size: int, vec: Value, config: Config) -> Work:
    """STREAM copy: c = a, one array read and one written."""
    return _stream(gpu, "copy", size, vec, config)


@stream_bench("scale")
def scale(gpu: Gpu, size: int, vec: Value, config: Config) -> Work:
    """STREAM scale: b = 3 c, one array read and one written."""
    return _stream(gpu, "scale", size, vec, config)


@stream_bench("add")
def add(gpu: Gpu, size: int, vec: Value, config: Config) -> Work:
    """STREAM add: c = a + b, two arrays read and one written."""
    return _stream(gpu, "add", size, vec, config)


@stream_bench("triad")
def triad(gpu: Gpu, size: int, vec: Value, config: Config) -> Work:
    """STREAM triad: a = b + 3 c, two arrays read and one written."""
    return _stream(gpu, "triad", size, vec, config)


@stream_bench("nstream")
def nstream(gpu: Gpu, size: int, vec: Value, config: Config) -> Work:
    """A STREAM kernel that updates, a += b + 3 c: three arrays read and one written."""
    return _stream(gpu, "nstream", size, vec, config)
