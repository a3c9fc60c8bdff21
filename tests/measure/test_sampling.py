"""The timed loop with a scripted clock: every number is exact."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.core.backend import Device
from membench.core.errors import MembenchError, Skip
from membench.core.terms import BytesConvention, Metric, Stat
from membench.core.work import Timed
from membench.measure.worker.readings import KEPT_QUANTILES, KEPT_SAMPLES, reading
from membench.measure.worker.sampling import RESOLUTION_FACTOR, Sampled, take_samples
from membench.measure.worker.stopping import Capped, FixedCount
from membench.measure.worker.stopwatch import HostStopwatch


class ScriptedBackend:
    """A backend whose clock advances by a fixed number of ns per iteration."""

    timer = "scripted"
    kernel_digest = "0"

    def __init__(self, ns_per_iteration: float, resolution_ns: float = 1.0) -> None:
        self.ns = ns_per_iteration
        self.resolution_ns = resolution_ns
        self.batches: list[int] = []

    def describe(self) -> Device:
        return Device("cpu", "scripted")

    def elapsed_ns(self, run: Callable[[int], None], iterations: int) -> float:
        run(iterations)
        self.batches.append(iterations)
        return self.ns * iterations

    def reclaim(self) -> None:
        """Do nothing; the scripted backend has no memory."""

    def close(self) -> None:
        """Do nothing; the scripted backend has no resources."""


def sample(
    backend: ScriptedBackend, work: Timed, count: int, iterations: int | None = None
) -> Sampled:
    return take_samples(HostStopwatch(backend, work), work, FixedCount(count), iterations)


def timed(done: list[int], *, batchable: bool = True, min_sample_s: float = 0.0) -> Timed:
    return Timed(
        run=done.append,
        size_bytes=64,
        bytes_moved=100,
        bytes_convention=BytesConvention.RW_SUM,
        batchable=batchable,
        min_sample_s=min_sample_s,
    )


def test_a_long_repetition_is_one_sample() -> None:
    backend = ScriptedBackend(ns_per_iteration=1000.0)
    done: list[int] = []
    sampled = sample(backend, timed(done), 4)
    assert sampled.elapsed_ns == (1000.0,) * 4
    assert sampled.iterations == 1
    assert sampled.stop.reason == "count"
    assert sampled.stop.converged is None
    assert sampled.total == sum(done) == 5  # one warm-up and four samples


def test_short_repetitions_are_batched_until_the_clock_can_see_them() -> None:
    backend = ScriptedBackend(ns_per_iteration=2.0, resolution_ns=50.0)
    done: list[int] = []
    sampled = sample(backend, timed(done), 3)
    assert sampled.iterations * 2.0 >= RESOLUTION_FACTOR * 50.0
    # The sample is no longer than necessary.
    assert sampled.iterations * 2.0 < 2 * RESOLUTION_FACTOR * 50.0
    assert sampled.total == sum(done)


@given(st.floats(0.5, 1e8), st.floats(1.0, 1e3), st.floats(0.0, 0.05))
def test_a_batch_is_always_long_enough_and_every_iteration_is_counted(
    ns: float, resolution: float, min_sample_s: float
) -> None:
    backend = ScriptedBackend(ns, resolution)
    done: list[int] = []
    work = timed(done, min_sample_s=min_sample_s)
    sampled = sample(backend, work, 2)
    assert sampled.iterations * ns >= max(RESOLUTION_FACTOR * resolution, min_sample_s * 1e9)
    assert sampled.total == sum(done)
    assert set(sampled.elapsed_ns) == {ns * sampled.iterations}


def test_later_rounds_keep_the_batch_of_the_first() -> None:
    backend = ScriptedBackend(ns_per_iteration=2.0, resolution_ns=50.0)
    done: list[int] = []
    sampled = sample(backend, timed(done), 3, iterations=7)
    assert sampled.iterations == 7
    assert backend.batches == [1, 7, 7, 7]


def test_what_cannot_be_batched_and_is_too_short_is_skipped_with_the_reason() -> None:
    backend = ScriptedBackend(ns_per_iteration=2.0, resolution_ns=50.0)
    with pytest.raises(Skip, match="too short for the clock scripted"):
        sample(backend, timed([], batchable=False), 3)


def test_the_wall_cap_ends_a_slow_case_with_what_it_has() -> None:
    times = iter(range(100))
    work = timed([])
    sampled = take_samples(
        HostStopwatch(ScriptedBackend(1000.0), work),
        work,
        Capped(FixedCount(50), most=50, wall_s=3.0),
        clock=lambda: float(next(times)),
    )
    assert sampled.stop.reason == "wall-cap"
    assert sampled.stop.converged is False
    assert 1 <= len(sampled.elapsed_ns) < 50


def test_a_clock_that_stands_still_is_an_error_not_an_infinite_bandwidth() -> None:
    with pytest.raises(MembenchError, match="did not advance"):
        sample(ScriptedBackend(0.0), timed([]), 3)


@given(st.lists(st.floats(1e-3, 1e9), min_size=1, max_size=700), st.sampled_from(list(Stat)))
def test_a_reading_is_the_quantile_of_all_samples(samples: list[float], stat: Stat) -> None:
    made = reading(Metric.LATENCY, stat, samples)
    level = {"median": 50, "p50": 50, "p95": 95, "p99": 99, "p999": 99.9}[stat]
    assert made.value == pytest.approx(np.percentile(samples, level))
    assert made.n == len(samples)
    if len(samples) <= KEPT_SAMPLES:
        assert made.samples == tuple(samples)
        assert not made.quantiles
    else:
        assert made.quantiles
        assert len(made.samples) == KEPT_QUANTILES
        assert made.samples[0] == min(samples)
        assert made.samples[-1] == max(samples)
        assert list(made.samples) == sorted(made.samples)


def test_no_sample_is_no_reading() -> None:
    with pytest.raises(ValueError, match="no sample"):
        reading(Metric.LATENCY, Stat.MEDIAN, [])
