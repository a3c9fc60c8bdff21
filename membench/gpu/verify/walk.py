"""Pointer chases with ``kernels/chase.cu`` through memory of this GPU, the host or another GPU."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from membench.core.errors import VerificationFailed
from membench.core.terms import Metric, Stat
from membench.core.work import Observation
from membench.gpu.bulk import require_bulk
from membench.gpu.protocol import Buffer, Gpu, KernelVariant, Stream
from membench.gpu.units import LINE
from membench.gpu.verify.pattern import Patterns
from membench.gpu.verify.ring import GpuRing

LOADS = 32
SINGLE_HOPS = 1024
"""Number of loads per launch that membench times one by one."""

HINTS = ("plain", "ca", "cg", "cv")
"""Cache operators of a load.

``plain`` is a load without an operator, as in ordinary kernels (machine code ``LDG.E``). ``ca`` is
a different instruction (``LDG.E.STRONG.SM``). ``cg`` caches only in L2. ``cv`` bypasses the caches.
"""

_SEED = 0x5EED


def hint_macro(hint: str) -> str:
    """The value of the macro `HINT` in ``chase.cu`` and ``cache.cu`` for ``hint``."""
    return '""' if hint == "plain" else f'".{hint}"'


def chase_variant(hint: str) -> KernelVariant:
    return KernelVariant.of("chase.cu", HINT=hint_macro(hint), LOADS=LOADS)


class Walker:
    """One GPU thread that follows a random cycle over ``lines`` lines of ``memory``.

    Args:
        lines: number of lines, at least 2.
        hint: the load's cache operator, one of `HINTS`.
        bulk: whether each hop is a bulk copy of 16 bytes into shared memory (TMA). With bulk
            copies, membench does not time single hops.

    Raises:
        Skip: ``bulk`` is True, but the device has no bulk copies.
    """

    def __init__(
        self, gpu: Gpu, memory: Buffer, lines: int, hint: str = "cv", *, bulk: bool = False
    ) -> None:
        self._gpu = gpu
        self._memory = memory
        self._ring = GpuRing.random(lines, _SEED)
        variant = chase_variant(hint)
        if bulk:
            require_bulk(gpu)
            # a bulk copy moves 16 bytes, but chase_link writes only the 8 bytes of the address
            Patterns(gpu).fill(memory, 0)
            self._run = gpu.kernel(KernelVariant.of("tma.cu", LOADS=LOADS), "tma_chase")
        else:
            self._run = gpu.kernel(variant, "chase_run")
        self._hops = gpu.kernel(variant, "chase_hops")
        self._out = gpu.allocate(24)
        self._took = gpu.allocate(4 * SINGLE_HOPS)
        self._starts = np.random.default_rng(_SEED)
        self._wrong: list[str] = []
        self._pair = 0
        link = gpu.kernel(variant, "chase_link")
        args = (memory, *(np.uint32(n) for n in (lines, self._ring.bits, self._ring.seed)))
        gpu.launch(link, 8 * gpu.properties.sms, 256, args)
        gpu.synchronize()

    def queue(self, turns: int, start: int = 0, stream: Stream | None = None) -> None:
        """Queue a walk of ``turns * LOADS`` hops, from position ``start`` of the ring on."""
        args = (self._out, self._address(start), np.uint32(turns))
        self._gpu.launch(self._run, 1, 1, args, stream=stream)

    def check(self, turns: int, start: int = 0) -> None:
        """Compare the last line of the last queued walk with the line that the ring predicts.

        ``turns`` and ``start`` are as in `queue`. If the lines differ, `verify` raises the error.
        """
        end = int(self._gpu.download(self._out, np.uint64, 1)[0])
        self._check(start, turns * LOADS, end)

    def walk(self, turns: int) -> tuple[float, float]:
        """Nanoseconds and cycles per hop in a walk of ``turns * LOADS`` hops from a random line."""
        start = int(self._starts.integers(self._ring.lines))
        self.queue(turns, start)
        end, ns, cycles = (int(word) for word in self._gpu.download(self._out, np.uint64, 3))
        self._check(start, turns * LOADS, end)
        return ns / (turns * LOADS), cycles / (turns * LOADS)

    def single_hops(self, walks: Sequence[tuple[float, float]]) -> list[float]:
        """Nanoseconds of each of `SINGLE_HOPS` hops.

        The GPU counts cycles. ``walks`` are results of `walk`, whose median clock rate converts the
        cycles to nanoseconds.
        """
        ghz = float(np.median([cycles / ns for ns, cycles in walks]))
        start = int(self._starts.integers(self._ring.lines))
        args = (self._out, self._took, self._address(start), np.uint32(SINGLE_HOPS))
        self._gpu.launch(self._hops, 1, 1, args, shared=4 * SINGLE_HOPS)
        end, pair = (int(word) for word in self._gpu.download(self._out, np.uint64, 2))
        self._check(start, SINGLE_HOPS, end)
        self._pair = pair
        return [int(one) / ghz for one in self._gpu.download(self._took, np.uint32, SINGLE_HOPS)]

    def bulk_trips(self, hops: int, launches: int) -> Observation:
        """The latency of a bulk copy in ns. Each copy depends on the previous copy.

        Each launch of ``hops`` hops gives one sample: the mean time of a hop.
        """
        turns = hops // LOADS
        self.walk(turns)
        walks = [self.walk(turns) for _ in range(launches)]
        return Observation(
            {(Metric.LATENCY, Stat.MEDIAN): [ns for ns, _ in walks]},
            {"hops": hops, "cycles": round(float(np.median([one for _, one in walks])), 1)},
            sm_mhz=float(np.median([1e3 * cycles / ns for ns, cycles in walks])),
        )

    def round_trips(self, hops: int, launches: int) -> Observation:
        """The latency of a load in ns.

        Each launch of ``hops`` hops gives one sample for the median: the mean time of a hop. The
        p99 is over hops that are timed one by one.
        """
        turns = hops // LOADS
        self.walk(turns)
        walks = [self.walk(turns) for _ in range(launches)]
        singles = [one for _ in range(launches) for one in self.single_hops(walks)]
        return Observation(
            {
                (Metric.LATENCY, Stat.MEDIAN): [ns for ns, _ in walks],
                (Metric.LATENCY, Stat.P99): singles,
            },
            {"hops": hops, "clock_cycles": self._pair},
        )

    def _check(self, start: int, count: int, end: int) -> None:
        expected = int(self._address((start + count) % self._ring.lines))
        if end != expected:
            self._wrong.append(
                f"after {count} hops from position {start}, the pointer chase is at {end:#x}, "
                f"not at {expected:#x}"
            )

    def _address(self, index: int) -> np.uint64:
        return np.uint64(self._memory.address + LINE * self._ring.place(index))

    def verify(self) -> None:
        """Raise `VerificationFailed` if a walk ended at a wrong line."""
        if self._wrong:
            raise VerificationFailed(self._wrong[0])
