"""The work that a bench function returns to the measuring engine.

- `Timed`: the engine times the work, and chooses the number of iterations per sample and of samples
  per round.
- `Observed`: the work runs for a given time and returns its own samples, for example one sample per
  I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Literal

from membench.core.record import record
from membench.core.terms import BytesConvention, CacheState, Metric, PeakBasis, Stat

StopName = Literal["count", "agreed", "rse", "stdrel"]
"""Rule for the end of sampling; a time limit may end it sooner.

- ``count``: after a fixed number of samples, or earlier if the error within the round is
  small compared with the scatter of the earlier rounds.
- ``agreed``: like ``count``, or earlier if the mean of the samples is precise.
- ``rse``: when the standard error of the mean is small compared with the mean.
- ``stdrel``: when the standard deviation is small compared with the mean.
"""

Detail = Mapping[str, str | int | float]
"""Conditions of a measurement for the column `detail`, such as engine, threads and page size."""


def nothing() -> None:
    """The default for `close`, for work without resources."""


def unverified(iterations: int) -> None:
    """The default for `verify`, for work without a result to check."""


@record(kw_only=True)
class Timed:
    """Work that the engine times.

    Attributes:
        run: runs the given number of iterations. On a GPU, `run` queues the iterations on the
            backend's stream. On the host, `run` returns when the iterations are done.
        size_bytes: working set in bytes.
        metric: the quantity to compute from the elapsed time. BANDWIDTH needs `bytes_moved`.
            LATENCY (ns per operation), RATE (operations per second) and FLOPS (GFLOP/s) need
            `operations`.
        also: further metrics to compute from the same elapsed times.
        bytes_moved: payload of one iteration in bytes, counted by `bytes_convention`.
        operations: number of operations of one iteration, such as loads, elements or tokens.
        verify: checks the result and raises `VerificationFailed`. The engine calls `verify` once
            per round after the last sample, with the total number of iterations.
        batchable: whether a sample may consist of several iterations.
        samples: maximum number of samples per round.
        min_sample_s: desired minimum of a sample's duration in seconds; decides the number of
            iterations if `batchable`.
        cold: whether the engine flushes the device's caches before every sample; a sample is then
            one iteration.
        may_block: whether the engine may block the device's queue until a whole sample is queued.
            False for work that waits for the device, such as copies of pageable memory.
        launches: number of entries that one iteration adds to the device's queue.
        peak: theoretical peak in the unit of `metric`; None if unknown.
        flags: codes that the bench sets, such as ``cache-served``.
        detail: conditions of the measurement, for the column `detail`.
        close: frees the resources of the work.
    """

    run: Callable[[int], None]
    size_bytes: int
    metric: Metric = Metric.BANDWIDTH
    also: tuple[Metric, ...] = ()
    bytes_moved: int = 0
    operations: int = 0
    bytes_convention: BytesConvention | None = None
    verify: Callable[[int], None] = unverified
    batchable: bool = True
    samples: int = 10
    stop: StopName = "count"
    min_sample_s: float = 0.01
    cold: bool = False
    may_block: bool = True
    launches: int = 1
    peak: float | None = None
    peak_basis: PeakBasis | None = None
    flags: tuple[str, ...] = ()
    detail: Detail = field(default_factory=dict)
    close: Callable[[], None] = nothing

    def __post_init__(self) -> None:
        for metric in (self.metric, *self.also):
            if metric is Metric.BANDWIDTH:
                if self.bytes_moved <= 0 or self.bytes_convention is None:
                    raise ValueError("bandwidth needs bytes_moved > 0 and a bytes_convention")
            elif metric in (Metric.LATENCY, Metric.RATE, Metric.FLOPS):
                if self.operations <= 0:
                    raise ValueError(f"{metric} needs operations > 0")
            else:
                raise ValueError(f"timed work cannot yield {metric}")

    def value(self, elapsed_ns: float, iterations: int, metric: Metric | None = None) -> float:
        """The value of ``metric``, in its unit, if ``iterations`` iterations took ``elapsed_ns``.

        ``metric`` is `self.metric` by default.
        """
        metric = metric or self.metric
        if metric is Metric.BANDWIDTH:
            return self.bytes_moved * iterations / elapsed_ns  # B/ns = GB/s
        if metric is Metric.LATENCY:
            return elapsed_ns / (self.operations * iterations)
        per_ns = self.operations * iterations / elapsed_ns
        return per_ns if metric is Metric.FLOPS else per_ns * 1e9


@record
class Observation:
    """The result of `Observed.observe`.

    Attributes:
        samples: the samples by (metric, statistic), in the unit of the metric.
        detail: conditions of the measurement, for the column `detail`.
        sm_mhz: the GPU's SM clock during the observation; None if not measured.
    """

    samples: Mapping[tuple[Metric, Stat], Sequence[float]]
    detail: Detail = field(default_factory=dict)
    sm_mhz: float | None = None


@record(kw_only=True)
class Observed:
    """Work that takes its own samples; `Timed` describes the attributes that are not listed here.

    Attributes:
        observe: takes samples for about the given number of seconds, and returns the samples.
        seconds: duration of the observation in one round, in seconds.
        least_seconds: shortest duration in seconds. A round may take less than `seconds` if more
            time would hardly narrow the confidence interval. None if every round needs `seconds`.
        timer: name of the clock that stamps the samples.
        bytes_moved: payload of one sample in bytes; 0 if the payload varies.
        verify: checks the result once after `observe`, and raises `VerificationFailed`; None if
            there is nothing to check.
        cache_state: whether the caches were flushed before each sample.
        peak: theoretical peak in the unit of the first metric; None if unknown.
    """

    observe: Callable[[float], Observation]
    seconds: float
    timer: str
    size_bytes: int
    least_seconds: float | None = None
    bytes_moved: int = 0
    bytes_convention: BytesConvention | None = None
    verify: Callable[[], None] | None = None
    cache_state: CacheState = CacheState.HOT
    peak: float | None = None
    peak_basis: PeakBasis | None = None
    flags: tuple[str, ...] = ()
    detail: Detail = field(default_factory=dict)
    close: Callable[[], None] = nothing


Work = Timed | Observed
