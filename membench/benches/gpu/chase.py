"""Latency of the GPU's memory hierarchy, measured by one thread that follows pointers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from membench.core.axes import Value, expand
from membench.core.case import Needs, axis, bench
from membench.core.errors import VerificationFailed, skip
from membench.core.sizes.working_set import most_of_gpu
from membench.core.snapshot import Machine
from membench.core.terms import REACH, Metric, Stat, Tier
from membench.core.units import GIB, KIB, MIB, format_size
from membench.core.work import Observation, Observed, Work
from membench.gpu.room import room_for
from membench.gpu.units import LINE

if TYPE_CHECKING:
    from membench.gpu.protocol import Gpu
    from membench.gpu.verify.ring import GpuRing

LOADS = 32
"""Hops (dependent loads) in the loop body, as in `membench.gpu.verify.walk`."""

HOPS = 100_000
"""Minimum hops per launch."""

WARM_MULTIPLE = 4
"""If a ring has at most this multiple of the L2 size, an untimed walk warms L2."""

TLB_WINDOW = 2 * MIB
"""Bytes of a page of device memory."""

DENSE = 4 * GIB
"""The full profile measures every power of two from 2 KiB to this footprint."""

LINKS_PER_S = 1e9
"""Estimated number of lines that the kernel links per second."""

HINTED = (16 * KIB, 16 * MIB, 1024 * MIB)
"""Footprints in bytes (in L1, L2 and memory) at which the full profile compares cache operators."""

TIMED_HOPS = 2048

LAUNCHES = 3
"""Launches per round; fewer if the launches are long."""

_SEED = 0x5EED

L1_BYTES = 128 * KIB
"""Minimum bytes of L1 and shared memory together, for GPUs from Ampere to Blackwell."""

L2_BYTES = {"8.0": 40, "8.6": 6, "8.9": 48, "9.0": 50, "10.0": 126, "10.3": 126, "12.0": 96}
"""MiB of L2 in the usual card of each compute capability.

membench uses these sizes only to list a case under a tier before membench opens the device.
Sources: NVIDIA's architecture whitepapers (A100, GA102, Ada, H100, RTX Blackwell); for the B200's
126 MB, Chips and Cheese.
"""


def tier(machine: Machine, size: int, **_: Value) -> Tier:
    """The tier of a pointer chase over ``size`` bytes on the first GPU: L1, L2 or HBM."""
    devices = machine.gpus.devices
    capability = devices[0].compute_capability if devices else ""
    if size <= L1_BYTES // 2:
        return Tier.L1
    return Tier.L2 if size <= L2_BYTES.get(capability, 50) * MIB else Tier.HBM


def sensible(_profile: str, size: int, order: str, hint: str) -> bool:
    """Whether the profiles measure this combination of axes.

    The order ``page`` is measured only for rings above `TLB_WINDOW` and up to `DENSE`, at every
    second size. Cache operators are compared only with the random order at the sizes `HINTED`.
    """
    if order == "page" and not TLB_WINDOW < size <= DENSE:
        # within one page both orders are equal
        return False
    if order == "page" and size.bit_length() % 2 == 0:
        return False  # the curve is smooth here
    return hint == "plain" or (order == "random" and size in HINTED)


def footprints(machine: Machine) -> tuple[Value, ...]:
    """Ring sizes of the full profile, up to most of the GPU's memory.

    The TLBs of a GPU cover tens of GiB (64 GB on an A100: arXiv 2405.11425), so only larger rings
    have TLB misses. A KV cache can be as large as these rings.
    """
    dense = expand(f"2KiB..{format_size(DENSE)} *2", machine)
    most = most_of_gpu(machine)
    sparse = [size * GIB for size in (16, 64, 256) if size * GIB < most]
    beyond = (*sparse, most) if most > DENSE else ()
    return (*dense, *(format_size(size) for size in beyond))


def walks(size: int, l2_bytes: int) -> tuple[int, int, int]:
    """Hops per launch, number of launches, and hops of the warm-up."""
    lines = size // LINE
    if size > WARM_MULTIPLE * l2_bytes:
        return HOPS, LAUNCHES, 0
    hops = max(HOPS, lines)
    return hops, max(1, LAUNCHES * HOPS // hops), lines


def _ring(size: int, order: str) -> GpuRing:
    """The ring over ``size`` bytes.

    Raises:
        Skip: the order is by pages, and the last page would be partial.
    """
    from membench.gpu.verify.ring import GpuRing

    lines = size // LINE
    if order != "page" or size <= TLB_WINDOW:
        return GpuRing.random(lines, _SEED)
    if size % TLB_WINDOW:
        skip(f"order=page needs whole pages of {TLB_WINDOW} B, but size is {size} B")
    return GpuRing(lines, TLB_WINDOW // LINE, _SEED)


def _seconds(size: int, **_: Value) -> float:
    """Estimated seconds from an H100's latencies: 25 ns in L1, 0.25 us in L2, 0.5 us in memory."""
    l2_bytes = 50 * MIB
    hop_s = 25e-9 if size <= L1_BYTES else 0.25e-6 if size <= l2_bytes else 0.5e-6
    hops, launches, before = walks(size, l2_bytes)
    return 0.07 + (hops * launches + before) * hop_s + size / LINE / LINKS_PER_S


@bench(
    "gpu/chase",
    # Version 2: plain loads replace `ca`, and one clock read ends a hop and starts the next hop.
    version=2,
    needs=Needs.GPU,
    yields=(
        (Metric.LATENCY, Stat.MEDIAN),
        (Metric.LATENCY, Stat.P50),
        (Metric.LATENCY, Stat.P95),
        (Metric.LATENCY, Stat.P99),
    ),
    tier=tier,
    seconds=_seconds,
    gpu_memory=lambda size, **_: size + MIB,
    full_grid=("size", "order", "hint"),
    where=sensible,
)
@axis(
    "size",
    quick=("1GiB", "16KiB", "1MiB", "16MiB", "256MiB"),
    full=footprints,
    least=2 * LINE,
    step=LINE,
)
@axis("order", quick="random", full=("random", "page"))
@axis("hint", quick="plain", full=("plain", "ca", "cg", "cv"))
def chase(gpu: Gpu, size: int, order: str, hint: str) -> Work:
    """Latency of one dependent load, from L1 to device memory.

    The pointers form one cycle (a ring) over all lines of the footprint. ``order=random`` is random
    over the whole footprint. ``order=page`` is random within pages of 2 MiB, page after page, so
    that all loads of a page use one address translation.

    ``hint`` is the cache operator of the load: ``plain`` is a load without an operator, as in
    ordinary kernels; ``ca`` is a different instruction that also uses L1; ``cg`` caches only in L2;
    ``cv`` fetches the data again. The median is over whole launches. p50, p95 and p99 are over
    single hops, and include one clock read (``clock_cycles`` in the detail).
    """
    import numpy as np

    from membench.gpu.verify.walk import chase_variant

    variant = chase_variant(hint)
    ring = _ring(size, order)
    run, hops = (gpu.kernel(variant, f"chase_{entry}") for entry in ("run", "hops"))
    gpu.prefer_l1(run, hops)
    memory = room_for(gpu, size)
    out = gpu.allocate(24)
    took = gpu.allocate(4 * TIMED_HOPS)
    link = gpu.kernel(variant, "chase_link")
    shape = (np.uint32(number) for number in (ring.lines, ring.bits, ring.seed))
    gpu.launch(link, 8 * gpu.properties.sms, 256, (memory, *shape))
    hops_each, launches, before = walks(size, gpu.properties.l2_bytes)
    turns = -(-hops_each // LOADS)
    starts = np.random.default_rng(_SEED)
    wrong: list[str] = []
    pairs: list[int] = []

    def address(index: int) -> np.uint64:
        return np.uint64(memory.address + LINE * ring.place(index % ring.lines))

    def walk(turns: int) -> tuple[float, float]:
        """Walk ``turns`` loop turns from a random line. Returns nanoseconds and cycles per hop."""
        start = int(starts.integers(ring.lines))
        gpu.launch(run, 1, 1, (out, address(start), np.uint32(turns)))
        end, ns, cycles = (int(word) for word in gpu.download(out, np.uint64, 3))
        check(start, turns * LOADS, end)
        return ns / (turns * LOADS), cycles / (turns * LOADS)

    def walk_slowly() -> list[int]:
        """Walk from a random line. Returns the cycles of each single hop."""
        start = int(starts.integers(ring.lines))
        args = (out, took, address(start), np.uint32(TIMED_HOPS))
        gpu.launch(hops, 1, 1, args, shared=4 * TIMED_HOPS)
        end, pair = (int(word) for word in gpu.download(out, np.uint64, 2))
        check(start, TIMED_HOPS, end)
        pairs.append(pair)
        return [int(one) for one in gpu.download(took, np.uint32, TIMED_HOPS)]

    def check(start: int, count: int, end: int) -> None:
        expected = int(address(start + count))
        if end != expected:
            wrong.append(
                f"after {count} hops from position {start}, the pointer chase is at {end:#x}, "
                f"not at {expected:#x}"
            )

    def observe(_seconds: float) -> Observation:
        if before:
            walk(-(-before // LOADS))
        walked = [walk(turns) for _ in range(launches)]
        ghz = float(np.median([cycles / ns for ns, cycles in walked]))
        single = [one / ghz for _ in range(LAUNCHES) for one in walk_slowly()]
        return Observation(
            samples={
                (Metric.LATENCY, Stat.MEDIAN): [ns for ns, _ in walked],
                (Metric.LATENCY, Stat.P50): single,
                (Metric.LATENCY, Stat.P95): single,
                (Metric.LATENCY, Stat.P99): single,
            },
            detail={
                "cycles": round(float(np.median([cycles for _, cycles in walked])), 1),
                "clock_cycles": min(pairs),
            },
            sm_mhz=1e3 * ghz,
        )

    def verify() -> None:
        if wrong:
            raise VerificationFailed(wrong[0])

    return Observed(
        observe=observe,
        seconds=1.0,
        timer="globaltimer",
        size_bytes=size,
        verify=verify,
        detail={
            "hops": turns * LOADS,
            "registers": run.registers,
            "carveout": 0,
            REACH: gpu.properties.l2_bytes,
        },
    )
