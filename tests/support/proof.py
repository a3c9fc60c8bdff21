"""Running a bench's work on the emulator: what it really does, against what it declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from emulator import Counts, EmulatedGpu

from membench.core.axes import Value
from membench.core.case import Bench, Config
from membench.core.work import Observation, Observed, Timed


@dataclass(frozen=True)
class Proven:
    """Work that was timed by nobody, and verified.

    Attributes:
        counts: of the timed part alone, filling and checking left out.
    """

    work: Timed
    iterations: int
    counts: Counts

    @property
    def declared(self) -> int:
        """Bytes that the work says it moved."""
        return self.work.bytes_moved * self.iterations


def prove(
    bench: Bench,
    params: Mapping[str, Value],
    gpu: EmulatedGpu,
    iterations: int = 2,
    config: Config | None = None,
) -> Proven:
    """Build, run and verify the work of ``bench`` at ``params``, and count its timed part."""
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
    """Build, observe and verify; what it says of time is of the emulator's steps, not of time."""
    work = bench.build(gpu, params)
    assert isinstance(work, Observed)
    observation = work.observe(seconds)
    if work.verify is not None:
        work.verify()
    work.close()
    return work, observation
