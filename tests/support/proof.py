"""Run the work of a bench on the emulator, to compare counted bytes with declared bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from emulator import Counts, EmulatedGpu

from membench.core.axes import Value
from membench.core.case import Bench, Config
from membench.core.work import Observation, Observed, Timed


@dataclass(frozen=True)
class Proven:
    """Verified work, with the counts of its execution.

    Attributes:
        counts: counts of the timed work only, without filling and checking the buffers.
    """

    work: Timed
    iterations: int
    counts: Counts

    @property
    def declared(self) -> int:
        """Number of bytes that the work declares to move."""
        return self.work.bytes_moved * self.iterations


def prove(
    bench: Bench,
    params: Mapping[str, Value],
    gpu: EmulatedGpu,
    iterations: int = 2,
    config: Config | None = None,
) -> Proven:
    """Build, run and verify the work of ``bench`` with ``params``. Count only the timed work."""
    work = bench.build(gpu, params, config)
    assert isinstance(work, Timed)
    gpu.synchronize()
    gpu.forget_counts()
    work.run(iterations)
    gpu.synchronize()
    counts = Counts()
    for one in gpu.counts.values():
        counts.add(one)
    work.verify(iterations)
    work.close()
    return Proven(work, iterations, counts)


def observe(
    bench: Bench, params: Mapping[str, Value], gpu: EmulatedGpu, seconds: float = 0.01
) -> tuple[Observed, Observation]:
    """Build, observe and verify the work of ``bench``. Times are steps of the emulator."""
    work = bench.build(gpu, params)
    assert isinstance(work, Observed)
    observation = work.observe(seconds)
    if work.verify is not None:
        work.verify()
    work.close()
    return work, observation
