"""The timed loop: warm up, batch against the timer's resolution, sample until the rule stops it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from membench.backends.base import HostBackend
from membench.errors import MembenchError, skip
from membench.measure.stop import StopRule
from membench.work import Timed

RESOLUTION_FACTOR = 20
"""A sample is at least this many times longer than the smallest step of its clock (5 %)."""

_GROWTH = 10.0  # one calibration step multiplies the batch by at most this


@dataclass(frozen=True)
class Sampled:
    """The samples of one round.

    Attributes:
        elapsed_ns: one number a sample, nanoseconds.
        iterations: iterations in each sample.
        total: iterations done since the work was made, warm-up included.
    """

    elapsed_ns: tuple[float, ...]
    iterations: int
    total: int
    stop_reason: str


def take_samples(
    backend: HostBackend,
    work: Timed,
    rule: StopRule,
    iterations: int | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Sampled:
    """Time ``work`` on ``backend``.

    Args:
        iterations: the batch of an earlier round, so that all rounds time the
            same thing; None calibrates.
        clock: seconds; it only feeds the wall cap of the rule.

    Raises:
        Skip: the work cannot be batched and is too short for the clock.
    """
    total = 1
    once = _elapsed(backend, work, 1)  # the warm-up: page tables, code and caches
    if iterations is None:
        iterations, calibrating = _calibrate(backend, work, once)
        total += calibrating
    samples: list[float] = []
    start = clock()
    while not (why := rule.reason(samples, clock() - start)):
        samples.append(_elapsed(backend, work, iterations))
        total += iterations
    return Sampled(tuple(samples), iterations, total, why)


def _calibrate(backend: HostBackend, work: Timed, once: float) -> tuple[int, int]:
    """The batch that makes a sample long enough, and the iterations spent on finding it."""
    target = max(RESOLUTION_FACTOR * backend.resolution_ns, work.min_sample_s * 1e9)
    if not work.batchable:
        if once < RESOLUTION_FACTOR * backend.resolution_ns:
            skip(f"one repetition takes {once:.0f} ns, too short for {backend.timer}")
        return 1, 0
    iterations, elapsed, spent = 1, once, 0
    while elapsed < target:
        grow = min(_GROWTH, 1.1 * target / elapsed)
        iterations = max(iterations + 1, math.ceil(iterations * grow))
        elapsed = _elapsed(backend, work, iterations)
        spent += iterations
    return iterations, spent


def _elapsed(backend: HostBackend, work: Timed, iterations: int) -> float:
    elapsed = backend.elapsed_ns(work.run, iterations)
    if not elapsed > 0:
        raise MembenchError(
            f"the clock {backend.timer} did not advance over {iterations} iterations"
        )
    return elapsed
