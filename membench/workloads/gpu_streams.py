"""The STREAM kernels (copy, scale, add, triad) and similar kernels on a GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from membench.core.case import Config
from membench.core.errors import VerificationFailed, skip
from membench.core.sizes.reach import CACHE_MULTIPLE
from membench.core.terms import BytesConvention, PeakBasis
from membench.core.work import Timed

if TYPE_CHECKING:
    import numpy as np

    from membench.gpu.protocol import Buffer, Gpu, HostBuffer, KernelVariant
    from membench.gpu.verify.pattern import Patterns

ARRAYS = {"read": 1, "write": 1, "copy": 2, "scale": 2, "add": 3, "triad": 3, "nstream": 3}
"""Number of arrays, by operation."""

ACCESSES = ARRAYS | {"nstream": 4}
"""Number of arrays read plus number of arrays written, by operation."""

LOADS = {name: ACCESSES[name] - (name != "read") for name in ACCESSES}
"""Number of arrays read, by operation. All operations except `read` also write one array."""

DEFAULT: Config = {"vec": 16, "unroll": 4, "block": 512, "once": 0, "hint": 0}
"""The default configuration of a kernel.

With ``once`` 0, the GPU runs all thread blocks at the same time, and each block processes many
tiles. With ``once`` 1, there is one thread block per tile, as in BabelStream and gpu-benches.
``hint`` is an index of `HINTS`.
"""

HINTS = ("plain", "cs", "no-allocate")
"""Cache hints of loads: none, evict first (``.cs``), or no L1 allocation (``.L1::no_allocate``)."""

WIDE = 32
WIDE_CAPABILITY = 100
"""Lowest compute capability with 256-bit loads and stores; 100 means 10.0."""

SAMPLES = (6, 20)
"""Minimum and maximum number of samples per round; a round of long samples has few samples."""

SAMPLED_S = 0.02
"""Intended seconds of all samples in a round. The minimum number of samples can take longer."""

MIN_SAMPLE_S = 0.001

_SCALAR = 3
_VALUE = 0x3F9D7043
_SALT = 17


def variant(config: Config) -> KernelVariant:
    """The source file and the compile-time constants of the kernels for ``config``."""
    from membench.gpu.protocol import KernelVariant

    bound = 1024 if config["block"] > 512 else 512
    hint = {"HINT": config["hint"]} if config["hint"] else {}
    return KernelVariant.of(
        "stream.cu", VEC=config["vec"], UNROLL=config["unroll"], BLOCK=bound, **hint
    )


class ReadPasses:
    """Runs the default read kernel over memory of any kind that the GPU can access.

    Args:
        size: bytes to read, from the start of ``memory`` on.

    Attributes:
        grid: number of thread blocks per pass.
        count: number of passes so far.
    """

    def __init__(self, gpu: Gpu, memory: HostBuffer | Buffer, size: int) -> None:
        import numpy as np

        self._gpu = gpu
        self._kernel = gpu.kernel(variant(DEFAULT), "stream_read")
        self.grid = gpu.properties.sms * gpu.occupancy(self._kernel, DEFAULT["block"])
        self._sums = gpu.allocate(4 * self.grid)
        gpu.fill(self._sums, 0)
        self._args = (self._sums, memory, np.uint64(size // DEFAULT["vec"]))
        self.count = 0

    def once(self) -> None:
        """Queue one pass, without waiting for the result."""
        self._gpu.launch(self._kernel, self.grid, DEFAULT["block"], self._args)
        self.count += 1

    def sum(self) -> int:
        """Sum of all 32-bit words that all passes read, modulo 2^32."""
        import numpy as np

        sums = self._gpu.download(self._sums, np.uint32, self.grid)
        return int(sums.sum(dtype=np.uint64)) % 2**32


def stream_work(gpu: Gpu, operation: str, size: int, config: Config) -> Timed:
    """`Timed` work that runs one kernel over arrays of ``size`` bytes each.

    Args:
        operation: a key of `ARRAYS`.
        config: a configuration with the keys of `DEFAULT`.

    Raises:
        Skip: the GPU has no loads of the configured width.
    """
    import numpy as np

    from membench.gpu.verify.pattern import Patterns, pattern_sum

    if config["vec"] == WIDE and gpu.properties.capability < WIDE_CAPABILITY:
        skip("256-bit loads need compute capability 10.0 or newer")
    kernel = gpu.kernel(variant(config), f"stream_{operation}")
    block = config["block"]
    per_sm = gpu.occupancy(kernel, block)
    tile = block * config["unroll"] * config["vec"]
    grid = -(-size // tile) if config["once"] else per_sm * gpu.properties.sms
    arrays = [gpu.allocate(size) for _ in range(ARRAYS[operation])]
    target = arrays[0]
    sums = gpu.allocate(4 * grid)
    patterns = Patterns(gpu)
    count = np.uint64(size // config["vec"])
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
                raise VerificationFailed(f"read: the sum of the words is {found}, not {expected}")
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
        samples=sample_count(operation, size),
        peak=peak,
        peak_basis=PeakBasis.QUERIED if peak else None,
        flags=("cache-served",)
        if len(arrays) * size < CACHE_MULTIPLE * gpu.properties.l2_bytes
        else (),
        detail={
            **{name: config[name] for name in ("vec", "unroll", "block", "once")},
            "hint": HINTS[config["hint"]],
            "per_sm": per_sm,
            "in_flight": per_sm * tile * (LOADS[operation] or 1),
            "registers": kernel.registers,
            "bus_bits": gpu.properties.bus_bits,
            "memory_mhz": gpu.properties.memory_khz // 1000,
        },
    )


def _fill(patterns: Patterns, operation: str, arrays: Sequence[Buffer]) -> None:
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


def sample_seconds(operation: str, size: int) -> float:
    """Estimated seconds of one sample at 2.5 TB/s; at least `MIN_SAMPLE_S`.

    ``size`` is the bytes of one array.
    """
    return max(MIN_SAMPLE_S, ACCESSES[operation] * size / 2.5e12)


def sample_count(operation: str, size: int) -> int:
    fewest, most = SAMPLES
    return min(most, max(fewest, round(SAMPLED_S / sample_seconds(operation, size))))
