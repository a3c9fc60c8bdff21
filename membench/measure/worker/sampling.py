"""The timed loop. It warms up, chooses a batch size that the timer resolves, and takes samples."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from statistics import median

from membench.core.errors import MembenchError, skip
from membench.core.work import Timed
from membench.measure.worker.span import Span
from membench.measure.worker.stopping import Stop, StopRule
from membench.measure.worker.stopwatch import Stopwatch

RESOLUTION_FACTOR = 20
"""Minimum length of a sample as a multiple of the clock's resolution, for an error of 5 %."""

_GROWTH = 10.0  # maximum factor by which a calibration step increases the batch size


@dataclass(frozen=True)
class Sampled:
    """The samples of one round.

    Attributes:
        iterations: number of iterations per sample.
        total: number of iterations since the work was built, including the warm-up.
    """

    spans: tuple[Span, ...]
    iterations: int
    total: int
    stop: Stop

    @cached_property
    def elapsed_ns(self) -> tuple[float, ...]:
        return tuple(span.elapsed_ns for span in self.spans)

    @property
    def sm_mhz(self) -> tuple[float, ...]:
        """The measured SM clocks in MHz in ascending order."""
        return tuple(sorted(span.sm_mhz for span in self.spans if span.sm_mhz is not None))

    @property
    def clock(self) -> float | None:
        """Median SM clock in MHz; None if no sample measured the clock."""
        return median(self.sm_mhz) if self.sm_mhz else None


def take_samples(
    stopwatch: Stopwatch,
    work: Timed,
    rule: StopRule,
    iterations: int | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Sampled:
    """Time ``work`` with ``stopwatch``.

    Args:
        iterations: the batch size of an earlier round, so that all rounds time the same work; None
            to calibrate the batch size.
        clock: function that returns seconds, for the rule's time limit.

    Raises:
        Skip: even a sample with the maximum number of iterations is too short for the clock.
        MembenchError: the clock did not advance during a sample.
    """
    total = 1
    once = stopwatch.warm()
    if iterations is None:
        iterations, calibrating = _calibrate(stopwatch, work, once)
        total += calibrating
    spans: list[Span] = []
    values: list[float] = []
    start = clock()
    while not (why := rule.stop(values, clock() - start)):
        spans.append(_advanced(stopwatch, stopwatch.span(iterations), iterations))
        values.append(spans[-1].elapsed_ns)
        total += iterations
    return Sampled(tuple(spans), iterations, total, why)


def _calibrate(stopwatch: Stopwatch, work: Timed, once: Span | None) -> tuple[int, int]:
    """The batch size that makes samples long enough, and how many iterations the search ran."""
    least = RESOLUTION_FACTOR * stopwatch.step_ns
    target = max(least, work.min_sample_s * 1e9)
    iterations, spent = 1, 0
    if once is None:
        once, spent = stopwatch.span(1), 1
    elapsed = _advanced(stopwatch, once, 1).elapsed_ns
    while elapsed < target and iterations < stopwatch.most:
        grow = min(_GROWTH, 1.1 * target / elapsed)
        iterations = max(iterations + 1, math.ceil(iterations * grow))
        iterations = int(min(iterations, stopwatch.most))
        elapsed = _advanced(stopwatch, stopwatch.span(iterations), iterations).elapsed_ns
        spent += iterations
    if elapsed < least:
        what = "one repetition takes" if iterations == 1 else f"{iterations} repetitions take"
        skip(f"{what} {elapsed:.0f} ns, too short for the clock {stopwatch.timer}")
    return iterations, spent


def _advanced(stopwatch: Stopwatch, span: Span, iterations: int) -> Span:
    if not span.elapsed_ns > 0:
        raise MembenchError(
            f"the clock {stopwatch.timer} did not advance over {iterations} iterations"
        )
    return span
