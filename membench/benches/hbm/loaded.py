"""Latency of GPU memory under load: one thread follows pointers while other SMs cause traffic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from membench.core.axes import AUTO
from membench.core.case import Needs, axis, bench
from membench.core.errors import VerificationFailed
from membench.core.terms import BytesConvention, Metric, Stat
from membench.core.text import counted
from membench.core.units import MIB
from membench.core.work import Observation, Observed, Work
from membench.gpu.units import LINE

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from membench.gpu.protocol import Argument, Gpu

LOADS = 32
TURNS = 8
"""Loop turns per sample. A sample has LOADS x TURNS hops and takes about 0.2 ms under load."""

SAMPLES = 64
SINGLE_HOPS = 128
"""Number of hops after each sample that are timed individually."""

IDLE_SAMPLES = 32
WARM_SAMPLES = 16
"""Number of samples in the first run, which fill the TLBs.

They have 6,144 hops: in a ring of 4 GiB, three for each page of 2 MiB.
"""

TRAFFIC_BYTES = 512 * MIB
CHUNK = 4096
CYCLE = 6
"""Number of chunks after which the sequence of reads and writes repeats."""

READS = {100: 6, 67: 4, 50: 3, 0: 0}
"""Chunks per cycle that a warp reads, by percentage of reads; the warp writes the other chunks."""

FLAT_OUT = 100
"""The value of ``load`` for traffic without pauses."""

LOADS_OF_PEAK = (FLAT_OUT, 95, 90, 80, 70, 50, 30, 10)
"""Requested traffic in percent of the card's peak.

With less traffic, all warps can pause at the same time for as long as a sample, and a sample
without traffic is an error.
"""

SPARSE = (FLAT_OUT, 80, 30)
"""Values of ``load`` at which the bench measures mixed reads and writes."""

BLOCK = 1024
DEADLINE_NS = 2_000_000_000
"""Time limit in nanoseconds of kernels that wait for each other."""

_WARPS = BLOCK // 32
_HEAD, _WORDS = 8, 4  # words of `out` for all samples, and per sample
_SALT = 83
_SEED = 0x10AD


def sensible(_profile: str, reads: int, load: int, sms: int, **_: int) -> bool:
    if sms != 100:
        return load == FLAT_OUT and reads in (100, 50)
    return reads == 100 or load in SPARSE


def pause_ns(load: int, warps: int, peak: float) -> float:
    """Nanoseconds from the start of a chunk to the start of the warp's next chunk.

    With this interval, all ``warps`` together request ``load`` percent of ``peak`` GB/s. The result
    is 0 (no pauses) for `FLAT_OUT`.
    """
    return 0.0 if load == FLAT_OUT else warps * CHUNK / (load / 100 * peak)


@bench(
    "hbm/loaded",
    # Since version 2: quantiles over single hops. Since version 3: `size=auto`, plain loads, and
    # traffic in percent of the peak.
    version=3,
    needs=Needs.GPU,
    yields=(
        (Metric.LATENCY, Stat.MEDIAN),
        (Metric.LATENCY, Stat.P50),
        (Metric.LATENCY, Stat.P95),
        (Metric.LATENCY, Stat.P99),
        (Metric.BANDWIDTH, Stat.MEDIAN),
    ),
    seconds=0.15,
    gpu_memory=lambda size, **_: size + TRAFFIC_BYTES + 16 * MIB,
    full_grid=("reads", "load", "sms"),
    where=sensible,
)
@axis("size", quick=AUTO, least=2 * LINE, step=LINE)
@axis("reads", quick=100, full=(100, 67, 50, 0), closed=True)
@axis("load", quick=(FLAT_OUT, 80, 50), full=LOADS_OF_PEAK, least=min(LOADS_OF_PEAK), most=100)
@axis("sms", quick=100, full=(100, 50, 25, 12), most=100)
def loaded(gpu: Gpu, size: int, reads: int, load: int, sms: int) -> Work:
    """Loaded latency: a pointer chase on one SM, with traffic from the other SMs.

    The traffic consists of chunks of 4 KiB, of which ``reads`` percent are read and the others
    written. ``sms`` percent of the other SMs run traffic generators. Their warps pause between
    chunks, so that all warps together request ``load`` percent of the card's peak. At 100 percent,
    the warps do not pause. If the peak is unknown, the measured bandwidth without pauses replaces
    the peak.

    The bandwidth is the number of bytes that the generators counted during the samples, divided by
    the time of the samples. The median is over samples, each the mean of 256 hops. p50, p95 and p99
    are over single hops between the samples, under the same traffic. A single hop includes one
    clock read.
    """
    scene = _Scene(gpu, size, reads, load, sms)
    return Observed(
        observe=scene.observe,
        seconds=0.05,
        timer="globaltimer",
        size_bytes=size + scene.traffic,
        bytes_convention=BytesConvention.RW_SUM,
        verify=scene.verify,
        detail={"generators": scene.blocks, "warps": scene.warps, "hops": LOADS * TURNS},
    )


@dataclass(frozen=True)
class _ChaseRun:
    """The samples of one run of the pointer chase.

    Attributes:
        means: ns per hop, one value per sample.
        singles: ns of single hops, each with one clock read.
        bandwidths: GB/s of the traffic, one value per sample.
        apart: whether no traffic generator ran on the SM of the chase.
        clock_cycles: cycles between two consecutive reads of the clock.
    """

    means: list[float]
    singles: list[float]
    bandwidths: list[float]
    mhz: float
    apart: bool
    clock_cycles: int


class _Scene:
    def __init__(self, gpu: Gpu, size: int, reads: int, load: int, share: int) -> None:
        import numpy as np

        from membench.gpu.protocol import KernelVariant
        from membench.gpu.verify.ring import GpuRing
        from membench.gpu.verify.walk import chase_variant

        self._gpu = gpu
        properties = gpu.properties
        self.blocks = max(1, (properties.sms - 1) * share // 100)
        self.warps = self.blocks * _WARPS
        self._chunks = max(CYCLE, TRAFFIC_BYTES // (self.warps * CHUNK) // CYCLE * CYCLE)
        self.traffic = self.warps * self._chunks * CHUNK
        self._reads = READS[reads]
        self._load = load
        self._pause = 0
        # With this much shared memory per block, an SM runs only one generator block.
        self._spoiler = min(properties.shared_per_block, properties.shared_per_sm // 2)
        variant = KernelVariant.of("loaded.cu", LOADS=LOADS)
        self._kernels = {
            entry: gpu.kernel(variant, f"loaded_{entry}")
            for entry in ("prepare", "generate", "chase", "check")
        }
        self._ring = GpuRing.random(size // LINE, _SEED)
        self._memory, self._region = gpu.allocate(size), gpu.allocate(self.traffic)
        self._out = gpu.allocate(8 * (_HEAD + _WORDS * SAMPLES))
        self._took = gpu.allocate(4 * SINGLE_HOPS * SAMPLES)
        self._moved, self._done = gpu.allocate(LINE * self.blocks), gpu.allocate(8 * self.warps)
        self._where, self._stop = gpu.allocate(4 * self.blocks), gpu.allocate(4)
        self._found = gpu.allocate(8)
        self._streams = gpu.stream(), gpu.stream(urgent=True)
        link = gpu.kernel(chase_variant("plain"), "chase_link")
        shape = (self._ring.lines, self._ring.bits, self._ring.seed)
        args = (self._memory, *(np.uint32(number) for number in shape))
        gpu.launch(link, 8 * properties.sms, 256, args)
        self._each("prepare", np.uint32(_SALT))
        self._start = 0
        self._wrong: list[str] = []

    def _each(self, entry: str, *more: Argument, first: tuple[Argument, ...] = ()) -> None:
        """Launch the kernel ``entry`` over the chunks of all traffic warps, one block per SM."""
        import numpy as np

        shape = (np.uint64(self.traffic // 16), np.uint32(self._chunks), np.uint32(self._reads))
        args = (*first, self._region, *shape, *more)
        self._gpu.launch(self._kernels[entry], self._gpu.properties.sms, BLOCK, args)

    def observe(self, _seconds: float) -> Observation:
        import numpy as np

        self._run(WARM_SAMPLES, loaded=False)
        idle = self._run(IDLE_SAMPLES, loaded=False)
        known = self._gpu.properties.peak_bandwidth
        asked: dict[str, float | str] = {}
        if self._load != FLAT_OUT:
            peak = known or self._reached()
            self._pause = round(pause_ns(self._load, self.warps, peak) * idle.mhz / 1e3)
            offered = round(self._load / 100 * peak, 1)
            asked = {"offered": offered, "offered_of": "peak" if known else "reached"}
        run = self._run(SAMPLES, loaded=True)
        return Observation(
            {
                (Metric.LATENCY, Stat.MEDIAN): run.means,
                (Metric.LATENCY, Stat.P50): run.singles,
                (Metric.LATENCY, Stat.P95): run.singles,
                (Metric.LATENCY, Stat.P99): run.singles,
                (Metric.BANDWIDTH, Stat.MEDIAN): run.bandwidths,
            },
            {
                "idle_ns": round(float(np.median(idle.means)), 1),
                "idle_p99_ns": round(float(np.quantile(idle.singles, 0.99)), 1),
                "apart": "yes" if run.apart else "no",
                "clock_cycles": run.clock_cycles,
                **asked,
            },
            sm_mhz=run.mhz,
        )

    def _reached(self) -> float:
        """GB/s of the traffic without pauses."""
        self._pause = 0
        if reached := max(self._run(IDLE_SAMPLES, loaded=True).bandwidths):
            return reached
        raise VerificationFailed("hbm/loaded: the traffic generators moved no bytes")

    def _run(self, samples: int, *, loaded: bool) -> _ChaseRun:
        import numpy as np

        gpu, blocks = self._gpu, self.blocks if loaded else 0
        self._queue(samples, blocks)
        background, urgent = self._streams
        gpu.wait(urgent)
        gpu.wait(background)
        out = gpu.download(self._out, np.uint64, _HEAD + _WORDS * samples)
        took = gpu.download(self._took, np.uint32, SINGLE_HOPS * samples)
        spans, windows, moved, meanwhile = out[_HEAD:].reshape(samples, _WORDS).T.astype(np.float64)
        self._start = (self._start + self._hops(samples)) % self._ring.lines
        self._check_walk(int(out[0]), int(out[1]), blocks)
        self._check_singles(int((took == 0).sum()), int((meanwhile == 0).sum()) if loaded else 0)
        generators = gpu.download(self._where, np.uint32, self.blocks) if loaded else ()
        ghz = int(out[3]) / max(1, int(out[4]))
        return _ChaseRun(
            means=(spans / (LOADS * TURNS)).tolist(),
            singles=(took / ghz).tolist(),
            bandwidths=(moved / windows).tolist(),
            mhz=1e3 * ghz,
            apart=int(out[2]) not in generators,
            clock_cycles=int(out[5]),
        )

    @staticmethod
    def _hops(samples: int) -> int:
        return samples * (LOADS * TURNS + SINGLE_HOPS)

    def _queue(self, samples: int, blocks: int) -> None:
        """Queue the generator on ``blocks`` SMs, and the chase, whose end stops the generator."""
        import numpy as np

        gpu = self._gpu
        for buffer in (self._stop, self._moved, self._done, self._where, self._took):
            gpu.fill(buffer, 0)
        gpu.synchronize()
        deadline = np.uint64(DEADLINE_NS)
        background, urgent = self._streams
        if blocks:
            numbers = (self._chunks, self._reads, _SALT, self._pause)
            args = (
                *(self._region, *(np.uint32(number) for number in numbers), self._stop),
                *(self._moved, self._done, self._where, deadline),
            )
            gpu.launch(
                *(self._kernels["generate"], blocks, BLOCK, args),
                shared=self._spoiler,
                stream=background,
            )
        begin = np.uint64(self._memory.address + LINE * self._ring.place(self._start))
        counts = (np.uint32(number) for number in (TURNS, SINGLE_HOPS, samples))
        watched = (self._moved, np.uint32(blocks), self._stop, deadline)
        gpu.launch(
            *(self._kernels["chase"], 1, 1, (self._out, self._took, begin, *counts, *watched)),
            shared=4 * SINGLE_HOPS * samples,
            stream=urgent,
        )

    def _check_walk(self, end: int, running: int, blocks: int) -> None:
        must = self._memory.address + LINE * self._ring.place(self._start)
        if end != must:
            self._wrong.append(f"the pointer chase ends at {end:#x}, not at {must:#x}")
        if running != blocks:
            self._wrong.append(f"only {running} of {blocks} generators started in time")

    def _check_singles(self, missing: int, still: int) -> None:
        if missing:
            self._wrong.append(f"{counted(missing, 'single hop')} without a time")
        if still:
            samples = counted(still, "sample")
            self._wrong.append(f"the traffic stopped too early: {samples} without traffic")

    def verify(self) -> None:
        import numpy as np

        if self._wrong:
            raise VerificationFailed(self._wrong[0])
        counts, sums = self._gpu.download(self._done, np.uint32, 2 * self.warps).reshape(-1, 2).T
        moved = self._gpu.download(self._moved, np.uint64, LINE // 8 * self.blocks)
        if int(moved.sum()) != CHUNK * int(counts.sum(dtype=np.uint64)):
            raise VerificationFailed(
                "hbm/loaded: the generators did not move the bytes that they counted"
            )
        wrong = np.flatnonzero(sums != self._sums(counts))
        if wrong.size:
            raise VerificationFailed(f"hbm/loaded: warp {wrong[0]} read wrong data")
        self._gpu.fill(self._found, 0)
        self._each("check", np.uint32(_SALT), self._done, first=(self._found,))
        if bad := int(self._gpu.download(self._found, np.uint64, 1)[0]):
            raise VerificationFailed(
                f"hbm/loaded: the traffic generators wrote {bad} vectors with wrong data"
            )

    def _sums(self, counts: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
        """For each warp: the expected sum, modulo 2^32, of the words that it read."""
        import numpy as np

        from membench.gpu.verify.pattern import STEP

        words, chunks = CHUNK // 4, self._chunks
        chunk = np.arange(chunks, dtype=np.uint64)
        warp = np.arange(self.warps, dtype=np.uint64)[:, None]
        first = (warp * np.uint64(chunks) + chunk) * np.uint64(words)
        indices = np.uint64(words) * first + np.uint64(words * (words - 1) // 2)
        of_chunk = np.uint64(STEP) * indices + np.uint64(_SALT * words)
        of_chunk *= (chunk % np.uint64(CYCLE) < np.uint64(self._reads)).astype(np.uint64)
        before = np.concatenate([np.zeros_like(warp), np.cumsum(of_chunk, axis=1)], axis=1)
        laps, rest = np.divmod(counts.astype(np.uint64), np.uint64(chunks))
        total = laps * before[:, -1] + before[np.arange(self.warps), rest.astype(np.int64)]
        wrapped: npt.NDArray[np.uint32] = total.astype(np.uint32)
        return wrapped
