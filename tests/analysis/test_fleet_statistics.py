"""Outliers in a fleet: properties of the scores, simulated fleets, and the whole summary."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from membench.analysis.fleet.statistics import (
    MACHINES_NEEDED,
    SLOW_Z,
    chance_of,
    fleet_spread,
    robust_z,
    share_beyond,
    slowness,
)

VALUES = st.lists(st.floats(1e-3, 1e6), min_size=5, max_size=40).map(np.array)


@given(VALUES, st.floats(1e-3, 1e3))
def test_the_unit_does_not_matter_and_the_inverse_is_the_opposite(
    values: np.ndarray[tuple[int], np.dtype[np.float64]], factor: float
) -> None:
    apart = slowness(values, higher_is_better=False)
    assert slowness(values * factor, higher_is_better=False) == pytest.approx(apart, abs=1e-9)
    assert slowness(values, higher_is_better=True) == pytest.approx(-apart)
    assert slowness(1 / values, higher_is_better=True) == pytest.approx(apart, abs=1e-9)


@given(VALUES)
def test_the_score_is_that_of_scipy(
    values: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> None:
    apart = slowness(values, higher_is_better=False)
    deviation = float(stats.median_abs_deviation(apart, scale="normal"))
    if deviation > 1e-9:
        assert robust_z(apart) == pytest.approx(apart / deviation, rel=1e-4, abs=1e-6)
        assert fleet_spread(apart) == pytest.approx(math.expm1(deviation), rel=1e-4)


def test_a_fleet_that_is_alike_but_for_one_still_has_a_scale() -> None:
    apart = np.array([0.0] * 9 + [0.1])
    assert robust_z(apart)[9] == pytest.approx(10 / 1.253314)
    assert not robust_z(np.zeros(5)).any()


@pytest.mark.slow
@pytest.mark.parametrize("machines", [5, 8, 20, 100])
def test_the_share_beyond_is_that_of_simulated_fleets(machines: int) -> None:
    draws = np.random.default_rng(5).standard_normal((200_000 // machines, machines))
    beyond = sum(int((robust_z(fleet - np.median(fleet)) > SLOW_Z).sum()) for fleet in draws)
    expected = share_beyond(machines) * draws.size
    # Machines of one fleet share one estimate of the scale, so the counts scatter more than a
    # Poisson distribution.
    assert abs(beyond - expected) < 6 * math.sqrt(expected) + 0.15 * expected


def test_the_chance_is_the_tail_of_a_binomial_distribution() -> None:
    for slow in (1, 2, 5):
        tail = float(stats.binom.sf(slow - 1, 30, 0.01))
        assert chance_of(slow, [0.01] * 30, 1) == pytest.approx(tail, rel=1e-9)
        assert chance_of(slow, [0.01] * 30, 7) == pytest.approx(min(1.0, 7 * tail))
    assert chance_of(0, [0.01], 9) == 1.0


@given(st.lists(st.floats(0, 0.1), max_size=9), st.integers(1, 4))
def test_of_unlike_cases_the_chance_is_what_counting_all_outcomes_gives(
    shares: list[float], slow: int
) -> None:
    total = math.fsum(
        math.prod(
            share if outcome >> place & 1 else 1 - share for place, share in enumerate(shares)
        )
        for outcome in range(1 << len(shares))
        if outcome.bit_count() >= slow
    )
    assert chance_of(slow, shares, 1) == pytest.approx(total, abs=1e-12)


def test_fewer_machines_than_needed_would_be_judged_by_a_guess() -> None:
    draws = np.random.default_rng(5).standard_normal((10_000, 3))
    any_slow = statistics.fmean(bool((robust_z(x - np.median(x)) > SLOW_Z).any()) for x in draws)
    assert any_slow == pytest.approx(1 / 7, abs=0.015)
    assert MACHINES_NEEDED > 3
