"""The work that a bench returns to the engine.

A bench function allocates and fills its buffers and returns one of

* `Timed`: the engine places the clock around repetitions, batches repetitions so that a sample is
  long compared with the timer's resolution, and decides how many samples to take;
* `Observed`: the work runs for a given time and returns the samples that it stamped itself (per
  I/O, in a kernel, on two threads at once).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Literal

from membench.core.record import record
from membench.core.terms import BytesConvention, CacheState, Metric, PeakBasis, Stat

StopName = Literal["count", "agreed", "rse", "stdrel"]
"""When to stop sampling: after a fixed count (``count``), earlier if the first samples agree
(``agreed``), or when the standard error (``rse``) or the standard deviation (``stdrel``) is small
compared with the mean.
"""

Detail = Mapping[str, str | int | float]
"""Facts about how a number was made, for the row's `detail`: engine, threads, page size, ..."""


def nothing() -> None:
    """The `close` of work that holds no resources."""


def unverified(iterations: int) -> None:
    """The `verify` of work whose result cannot be wrong; `verified` stays empty in its row."""


@record(kw_only=True)
class Timed:
    """Work that the engine times.

    Attributes:
        run: does the given number of iterations.  On a GPU it queues them on the backend's stream;
            on the host it returns when they are done.
        size_bytes: working set in bytes.
        metric: the quantity that is computed from the elapsed time: BANDWIDTH needs `bytes_moved`;
            LATENCY (ns per operation), RATE (operations per second) and FLOPS (GFLOP/s) need
            `operations`.
        also: further metrics that are computed from the same elapsed times.
        bytes_moved: payload of one iteration in bytes, counted as `bytes_convention` says.
        operations: dependent loads, gathered elements, tokens, ... in one iteration.
        verify: called once per round after the last sample, with the number of iterations since the
            work was built; raises `VerificationFailed`.
        batchable: whether one sample may consist of several iterations.
        samples: number of samples per round; the maximum if `stop` may end earlier.
        stop: when to stop sampling; see `StopName`.
        min_sample_s: minimum duration of a sample in seconds; the engine batches iterations to
            reach it.
        cold: whether the device's caches are flushed before every sample; a sample is then one
            iteration.
        may_block: whether the device's queue may be held until a whole sample is queued. False for
            work that waits for the device itself, such as copies of pageable memory.
        launches: number of entries that one iteration adds to the device's queue.
        flags: codes that the bench sets, such as ``cache-served``.
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
        """``metric`` (default `self.metric`), in its unit, of ``iterations`` in ``elapsed_ns``."""
        metric = metric or self.metric
        if metric is Metric.BANDWIDTH:
            return self.bytes_moved * iterations / elapsed_ns  # B/ns = GB/s
        if metric is Metric.LATENCY:
            return elapsed_ns / (self.operations * iterations)
        per_ns = self.operations * iterations / elapsed_ns
        return per_ns if metric is Metric.FLOPS else per_ns * 1e9


@record
class Observation:
    """The result of `Observed.observe`: samples by (metric, stat), and facts for `detail`.

    Samples are in the unit of their metric.

    Attributes:
        sm_mhz: the GPU's SM clock during the observation in MHz, if measured.
    """

    samples: Mapping[tuple[Metric, Stat], Sequence[float]]
    detail: Detail = field(default_factory=dict)
    sm_mhz: float | None = None


@record(kw_only=True)
class Observed:
    """Work that takes its own samples.

    Attributes:
        observe: takes samples for about the given number of seconds.
        seconds: duration of the observation in one round.
        timer: name of the clock that stamps the samples.
        size_bytes: working set in bytes.
        bytes_moved: payload of one sample in bytes, or 0 if it varies.
        flags: codes that the bench sets, such as ``cache-served``.
        verify: called once after `observe`; raises `VerificationFailed`.
        close: frees the resources of the work.
    """

    observe: Callable[[float], Observation]
    seconds: float
    timer: str
    size_bytes: int
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
