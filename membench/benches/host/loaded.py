"""Loaded latency of main memory: one CPU measures latency while the other CPUs cause traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from membench.core.axes import AUTO
from membench.core.case import Needs, axis, bench
from membench.core.errors import MembenchError, VerificationFailed, skip
from membench.core.terms import BytesConvention, Metric, Stat
from membench.core.text import counted
from membench.core.units import MIB
from membench.core.work import Observation, Observed, Work
from membench.host.memory.sharing import PAGE, require_mixture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from membench.host.memory.backend import CpuBackend
    from membench.host.memory.thread_pool import ThreadSlot

LOADS = 32768  # loads per sample: about 5 ms
OBSERVE_S = 0.3
LEAST_OBSERVE_S = 0.1
IDLE_S = 0.03  # six samples or more on most machines
MOST_SAMPLES = 512
RUNNING_BYTES = MIB  # bytes that every traffic generator moves before the first sample
MOST_PAUSE = 1_000_000  # ns; with longer pauses, samples would have no traffic
UNSTABLE = 0.10  # largest accepted relative change of the idle latency


@bench(
    "host/loaded",
    version=2,  # version 2: `size=auto`; the CPU that runs the chase links the ring
    needs=(Needs.JIT, Needs.TWO_CPUS),
    yields=((Metric.LATENCY, Stat.MEDIAN), (Metric.BANDWIDTH, Stat.MEDIAN)),
    grid=("reads", "pause"),
    seconds=0.5,
    memory=lambda size, **_: 2 * size + MIB,
)
@axis("size", quick=AUTO, least=PAGE, power=True)
@axis("reads", quick=(100, 50), full=(100, 67, 50, 0), most=100)
@axis("pause", quick=(0, 2000), full=(0, 200, 2000, 5000, 20000), most=MOST_PAUSE)
def loaded(cpu: CpuBackend, size: int, reads: int, pause: int) -> Work:
    """Loaded latency: a pointer chase on one CPU, with traffic from all other CPUs.

    A traffic generator moves chunks of 16 KiB and waits ``pause`` ns between two chunks. The
    generator reads ``reads`` percent of the chunks and writes the other chunks. The bandwidth is
    the number of bytes that the generators counted during a latency sample, divided by the
    duration of the sample. ``size`` is the size of the ring, and also the total size of the
    generators' regions. Samples without traffic are left out; their share is the entry `still` of
    the row's detail.
    """
    scene = _HostScene(cpu, size, reads, pause)
    return Observed(
        observe=scene.observe,
        seconds=OBSERVE_S,
        least_seconds=LEAST_OBSERVE_S,
        timer=cpu.timer,
        size_bytes=scene.size_bytes,
        bytes_convention=BytesConvention.RW_SUM,
        verify=scene.verify,
        detail={
            "engine": "numba",
            "generators": scene.generators,
            "huge": cpu.huge_share("thp"),
        },
    )


class _HostScene:
    def __init__(self, cpu: CpuBackend, size: int, reads: int, pause: int) -> None:
        import numpy as np

        from membench.host.compiled.pattern import CHUNK, SALT_A
        from membench.host.memory.kernels import host_traffic
        from membench.host.memory.ring import HostRing, Walk

        cpu.streams.prepare("read", "plain")
        self._cpu, self._reads, self._pause = cpu, reads, pause
        self._generate = host_traffic.generate
        self._chase = host_traffic.chase_beside
        self._check = host_traffic.check_chunks
        count = len(cpu.cpus)
        self.generators = count - 1
        self._chunk = CHUNK
        self._chunks = size // CHUNK // self.generators
        if not self._chunks:
            skip(f"size {size} B is too small for traffic from {counted(self.generators, 'CPU')}")
        require_mixture(reads, self._chunks)
        traffic_bytes = self._chunks * CHUNK * self.generators
        memory, traffic = cpu.arrays("thp", [size, traffic_bytes], count)
        self.size_bytes = size + traffic_bytes
        self._regions = np.split(traffic.view(np.float64), self.generators)
        self._seen = [0] * self.generators
        self._out = np.zeros(1 + 2 * MOST_SAMPLES, np.int64)
        ring = HostRing.over(memory, cpu.line_bytes)

        def fill(thread: int) -> None:
            if thread == 0:  # no other CPU's cache has lines of the ring
                ring.link()
            else:
                cpu.streams.fill(self._regions[thread - 1], 0, SALT_A)

        cpu.touch(memory, count)
        cpu.each(count, fill)
        self._walk = Walk(ring)

    def observe(self, seconds: float) -> Observation:
        import statistics

        before, _ = self._samples(IDLE_S, 0)
        latencies, bandwidths = self._samples(seconds, self.generators)
        after, _ = self._samples(IDLE_S, 0)
        refuse_starved(bandwidths)
        taken = len(latencies)
        loaded = [pair for pair in zip(latencies, bandwidths, strict=True) if pair[1] > 0]
        latencies, bandwidths = map(list, zip(*loaded, strict=True))
        idles = [statistics.median(before), statistics.median(after)]
        detail: dict[str, str | int | float] = {"idle_ns": round(statistics.mean(idles), 2)}
        if max(idles) > (1 + UNSTABLE) * min(idles):
            detail["idle"] = "unstable"
        if len(loaded) < taken:
            detail["still"] = f"{100 - 100 * len(loaded) / taken:.0f}%"
        return Observation(
            {
                (Metric.LATENCY, Stat.MEDIAN): latencies,
                (Metric.BANDWIDTH, Stat.MEDIAN): bandwidths,
            },
            detail,
        )

    def _samples(self, seconds: float, generators: int) -> tuple[list[float], list[float]]:
        """Latency (ns per load) and traffic (bytes per ns) of each sample."""

        def walk(slot: ThreadSlot) -> int:
            return int(
                self._chase(
                    *slot.barrier,
                    self._walk.at,
                    LOADS,
                    int(seconds * 1e9),
                    MOST_SAMPLES,
                    RUNNING_BYTES,
                    self._out.ctypes.data,
                )
            )

        def load(slot: ThreadSlot) -> None:
            region = self._regions[slot.index - 1].ctypes.data
            self._generate(*slot.barrier, region, self._chunks, self._reads, self._pause)

        end = self._cpu.launch([walk, *[load] * generators])[0]
        taken = int(self._out[0])
        self._walk.moved(end, taken * LOADS)
        for generator in range(generators):
            passed = self._cpu.moved(generator + 1) // self._chunk
            self._seen[generator] = max(self._seen[generator], passed)
        spans, moved = self._out[1 : 1 + 2 * taken].reshape(taken, 2).T
        return (spans / LOADS).tolist(), (moved / spans).tolist()

    def verify(self) -> None:
        self._walk.verify()

        def wrong(generator: int) -> int:
            region = self._regions[generator].ctypes.data
            seen = self._seen[generator]
            return int(self._check(region, 0, self._chunks, self._reads, seen))

        found = self._cpu.each(self.generators, wrong)
        if any(index >= 0 for index in found):
            raise VerificationFailed(f"a generator wrote wrong data at element {max(found)}")


def refuse_starved(bandwidths: Sequence[float]) -> None:
    """Raise `MembenchError` if at least half of the samples have no traffic."""
    still = sum(one == 0 for one in bandwidths)
    if 2 * still >= len(bandwidths):
        raise MembenchError(
            f"the traffic generators were idle in {still} of {len(bandwidths)} samples",
            "other processes may use these CPUs: 'membench doctor' names the processes",
        )
