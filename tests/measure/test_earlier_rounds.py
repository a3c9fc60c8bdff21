"""Later rounds take fewer samples where rounds scatter more than the samples of a round."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from membench.analysis.statistics import estimates
from membench.core.terms import Metric, Stat, Status, Tier
from membench.core.work import Observation, Observed, StopName, Timed
from membench.measure.rounds.earlier import (
    FIRST_SHARE,
    LEAST_ROUNDS,
    EarlierRounds,
    earlier_rounds,
    sampling_share,
    standard_error,
)
from membench.measure.rounds.protocol import RoundRequest, decode, encode
from membench.measure.worker.readings import reading
from membench.measure.worker.stopping import (
    Agreement,
    FixedCount,
    RoundScatter,
    Stop,
    StopRule,
    observation_seconds,
    rule_for,
)
from membench.results.case_result import CaseResult
from membench.results.plan import PlannedCase

POSITIVE = st.floats(1.0, 1e6)


def result(*samples: list[float], round_: int = 1, stat: Stat = Stat.MEDIAN) -> CaseResult:
    """A case result with one reading for each list of samples."""
    return CaseResult(
        round=round_,
        case="ddr/copy",
        status=Status.OK,
        started="2026-01-31T08:04:12Z",
        readings=tuple(reading(Metric.LATENCY, stat, one) for one in samples),
    )


def taken(rule: StopRule, samples: list[float]) -> int:
    """Number of samples at which ``rule`` stops."""
    return next(n for n in range(len(samples) + 1) if rule.stop(samples[:n], 0.0))


@given(st.lists(POSITIVE, min_size=8, max_size=8), st.floats(0, 10))
def test_a_round_ends_between_its_minimum_and_its_usual_number(
    samples: list[float], scatter: float
) -> None:
    rule = RoundScatter(FixedCount(8), scatter)
    assert 3 <= taken(rule, samples) <= 8


@given(st.lists(POSITIVE, min_size=8, max_size=8), st.floats(0, 1), st.floats(0, 1))
def test_more_scatter_of_the_rounds_never_asks_for_more_samples(
    samples: list[float], one: float, other: float
) -> None:
    less, more = sorted((one, other))
    few = taken(RoundScatter(FixedCount(8), more), samples)
    assert few <= taken(RoundScatter(FixedCount(8), less), samples)


@given(
    st.lists(POSITIVE, min_size=8, max_size=8), st.floats(0, 1), st.sampled_from([0.5, 2.0, 1024.0])
)
def test_the_unit_of_the_samples_does_not_matter(
    samples: list[float], scatter: float, factor: float
) -> None:
    rule = RoundScatter(FixedCount(8), scatter)
    assert taken(rule, samples) == taken(rule, [factor * one for one in samples])


def test_the_reason_tells_which_rule_ended_the_round() -> None:
    rule = RoundScatter(Agreement(8), scatter=0.10)
    assert rule.stop([100.0, 104.0, 99.0, 101.0], 0.0) == Stop("round-scatter")
    assert rule.stop([100.0, 100.0, 100.0, 100.0], 0.0) == Stop("agreed")
    assert rule.stop([100.0, 200.0] * 4, 0.0) == Stop("count")
    assert rule.stop([100.0, 200.0] * 3, 0.0) is None


@given(st.lists(st.lists(POSITIVE, min_size=8, max_size=20), min_size=2, max_size=9))
def test_the_scatter_is_that_of_the_round_values(rounds: list[list[float]]) -> None:
    found = earlier_rounds(result(samples, round_=n) for n, samples in enumerate(rounds, 1))
    assert found is not None
    values = [float(np.median(samples)) for samples in rounds]
    assert found.scatter == pytest.approx(np.std(values, ddof=1) / np.mean(values), abs=1e-9)
    assert 0 <= found.error <= 1


def test_one_round_says_nothing_about_the_scatter() -> None:
    assert earlier_rounds([]) is None
    assert earlier_rounds([result([1.0] * 8)]) is None


def test_the_reading_with_the_smallest_scatter_decides() -> None:
    quiet, loud = [100.0] * 8, [50.0] * 8
    first, second = result(quiet, loud), result([101.0] * 8, [100.0] * 8, round_=2)
    found = earlier_rounds([first, second])
    assert found is not None
    assert found.scatter == pytest.approx(1 / math.sqrt(2) / 100.5)


def test_an_unresolved_quantile_prevents_a_shorter_observation() -> None:
    rounds = [result([1.0 + n] * 999, round_=n, stat=Stat.P999) for n in (1, 2)]
    found = earlier_rounds(rounds)
    assert found is not None
    assert found.error == 1.0


@pytest.mark.parametrize("count", [4, 7, 50, 400, 5000])
def test_the_standard_error_of_a_median(count: int) -> None:
    rng = np.random.default_rng(count)
    errors = [
        standard_error(reading(Metric.LATENCY, Stat.MEDIAN, rng.normal(100, 1, count).tolist()))
        for _ in range(200)
    ]
    assert None not in errors
    assert np.mean([one for one in errors if one is not None]) == pytest.approx(
        math.sqrt(math.pi / 2 / count), rel=0.15
    )


@pytest.mark.parametrize(("stat", "count"), [(Stat.MEDIAN, 3), (Stat.P95, 79), (Stat.P99, 399)])
def test_the_standard_error_of_too_few_samples_is_unknown(stat: Stat, count: int) -> None:
    samples = [1.0 + n for n in range(count + 1)]
    assert standard_error(reading(Metric.LATENCY, stat, samples[:-1])) is None
    assert standard_error(reading(Metric.LATENCY, stat, samples)) is not None


def observed(least_seconds: float | None) -> Observed:
    return Observed(
        observe=lambda _seconds: Observation({}),
        seconds=0.2,
        least_seconds=least_seconds,
        timer="t",
        size_bytes=1,
    )


def test_an_observation_is_as_long_as_its_error_needs() -> None:
    work = observed(0.1)
    assert observation_seconds(work, None) == 0.2
    assert observation_seconds(work, EarlierRounds(0.1, 1.0)) == 0.2
    assert observation_seconds(work, EarlierRounds(0.1, 0.56)) == pytest.approx(0.128)
    assert observation_seconds(work, EarlierRounds(0.1, 0.01)) == 0.1
    assert observation_seconds(observed(None), EarlierRounds(0.1, 0.01)) == 0.2


def timed(stop: StopName) -> Timed:
    return Timed(
        run=lambda _: None,
        size_bytes=1,
        operations=1,
        metric=Metric.LATENCY,
        samples=8,
        stop=stop,
    )


@pytest.mark.parametrize("stop", ["rse", "stdrel"])
def test_a_rule_with_a_criterion_for_convergence_is_not_cut_short(stop: StopName) -> None:
    assert rule_for(timed(stop), EarlierRounds(10.0, 0.0)) == rule_for(timed(stop))


def test_the_request_carries_the_scatter_to_the_worker() -> None:
    case = PlannedCase(
        id="ddr/copy",
        bench="ddr/copy",
        params={},
        version=1,
        tier=Tier.DDR,
        yields=(),
        seconds=1.0,
        memory=0,
        disk=0,
        backend="cpu",
    )
    request = RoundRequest(3, case, earlier=EarlierRounds(0.25, 0.5))
    assert decode(RoundRequest, encode(request).strip()) == request


@pytest.mark.parametrize(
    ("earlier", "rounds", "share"),
    [
        (None, 1, 1.0),
        (None, LEAST_ROUNDS, 1.0),
        (None, LEAST_ROUNDS + 1, FIRST_SHARE),
        (EarlierRounds(0.1, 0.1), 5, 1.0),
    ],
)
def test_only_rounds_before_the_scatter_is_known_take_a_share(
    earlier: EarlierRounds | None, rounds: int, share: float
) -> None:
    assert sampling_share(earlier, rounds) == share


@pytest.mark.parametrize("stop", ["count", "agreed"])
def test_a_round_without_scatter_takes_its_share_of_the_samples(stop: StopName) -> None:
    scattered = [100.0, 130.0] * 4
    rule = rule_for(timed(stop), None, 0.75)
    assert taken(rule, scattered) == 6
    assert rule_for(timed("rse"), None, 0.75) == rule_for(timed("rse"))


def test_an_observation_without_scatter_takes_its_share_of_the_time() -> None:
    assert observation_seconds(observed(0.1), None, 0.75) == pytest.approx(0.15)
    assert observation_seconds(observed(0.1), None, 0.1) == 0.1
    assert observation_seconds(observed(None), None, 0.75) == 0.2


PAIRS = 2000
ROUNDS, SAMPLES = 5, 8  # as in the STREAM cases


def simulated(
    rng: np.random.Generator, between: float, within: float, *, early: bool
) -> NDArray[np.float64]:
    """Round values of `PAIRS` runs, of shape (PAIRS, ROUNDS).

    Args:
        between: deviation of the logarithm between rounds.
        within: deviation of the logarithm between the samples of a round.
        early: whether rounds end early, as in membench.
    """
    offsets = rng.normal(0, between, (PAIRS, ROUNDS, 1))
    times = np.exp(offsets + rng.normal(0, within, (PAIRS, ROUNDS, SAMPLES)))
    if not early:
        return cast("NDArray[np.float64]", np.median(times, axis=2))
    values = np.empty((PAIRS, ROUNDS))
    for run, rounds in enumerate(times):
        for number, samples in enumerate(rounds):
            before = values[run, :number]
            if number < LEAST_ROUNDS:
                count = math.ceil(FIRST_SHARE * SAMPLES)
            else:
                scatter = float(np.std(before, ddof=1) / np.mean(before))
                rule = RoundScatter(FixedCount(SAMPLES), scatter)
                count = taken(rule, samples.tolist())
            values[run, number] = np.median(samples[:count])
    return values


def coverage(values: tuple[NDArray[np.float64], NDArray[np.float64]]) -> tuple[float, float]:
    """Share of the 95 % intervals of a ratio that contain the true ratio 1, and median width."""
    found = estimates(values[0].tolist(), values[1].tolist())
    intervals = np.array([one.log_interval for one in found], dtype=float)
    low, high = intervals.T
    return float(np.mean((low <= 0) & (high >= 0))), float(np.median(high - low))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("between", "within"), [(0.0, 0.05), (0.01, 0.05), (0.03, 0.05), (0.05, 0.05), (0.05, 0.01)]
)
def test_intervals_keep_their_coverage_and_width(between: float, within: float) -> None:
    """``pytest -s`` prints the table in docs/statistics.md."""
    rng = np.random.default_rng(20260105)
    found = {
        early: coverage(
            (
                simulated(rng, between, within, early=early),
                simulated(rng, between, within, early=early),
            )
        )
        for early in (False, True)
    }
    (all_in, all_width), (early_in, early_width) = found[False], found[True]
    print(
        f"| {between:.0%} | {within:.0%} | {all_in:.1%} | {early_in:.1%} "
        f"| {early_width / all_width:.2f} |"
    )
    assert early_in >= all_in - 0.012  # twice the standard error of the difference
    assert early_width <= 1.1 * all_width
