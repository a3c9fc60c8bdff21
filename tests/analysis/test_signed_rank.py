"""The signed-rank statistics of pairs, compared with SciPy and with general properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from membench.analysis.signed_rank import (
    PairedEstimate,
    interval_rank,
    null_counts,
    paired_estimates,
    pairs_for,
)
from membench.measure.options import FEWEST_PAIRS, PAIRS

PAIRED = st.lists(
    st.tuples(st.floats(1e-6, 1e12), st.floats(1e-6, 1e12)), min_size=1, max_size=24
).map(lambda pairs: ([one for one, _ in pairs], [other for _, other in pairs]))


def estimated(first: list[float], second: list[float], confidence: float = 0.95) -> PairedEstimate:
    (one,) = paired_estimates([first], [second], confidence)
    return one


def sides(seed: int, n: int) -> tuple[list[float], list[float]]:
    """``n`` values per side. Each pair shares most of its noise, and all ratios differ."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(0, 0.1, n)
    return list(np.exp(shared)), list(np.exp(shared + rng.normal(0.02, 0.03, n)))


def rejected(log_ratios: list[float], shift: float) -> float:
    """SciPy's p-value for the hypothesis that the median of the log ratios is ``shift``."""
    p: float = stats.wilcoxon(np.array(log_ratios) - shift, method="exact").pvalue
    return p


@pytest.mark.parametrize("n", [0, 1, 2, 5, 12, 40])
def test_the_null_distribution_counts_every_choice_of_signs_once(n: int) -> None:
    counts = null_counts(n)
    assert counts.sum() == 2**n
    assert len(counts) == n * (n + 1) // 2 + 1
    assert list(counts) == list(counts[::-1])


def test_the_null_distribution_of_four_by_hand() -> None:
    sums = [sum(k for k in range(1, 5) if chosen >> k & 1) for chosen in range(0, 32, 2)]
    assert list(null_counts(4)) == [sums.count(total) for total in range(11)]


@pytest.mark.parametrize("n", [6, 7, 12, 20, 50])
@pytest.mark.parametrize("confidence", [0.95, 0.9])
def test_the_interval_is_what_the_test_of_scipy_does_not_reject(n: int, confidence: float) -> None:
    first, second = sides(n, n)
    interval = estimated(first, second, confidence).estimate.log_interval
    assert interval is not None
    log_ratios = np.log(second) - np.log(first)
    for bound, outwards in zip(interval, (-1e-9, 1e-9), strict=True):
        inside = rejected(list(log_ratios), bound - outwards)
        outside = rejected(list(log_ratios), bound + outwards)
        assert outside <= 1 - confidence < inside


def test_the_fewest_pairs_with_an_interval() -> None:
    assert FEWEST_PAIRS == 6
    assert interval_rank(5) is None
    assert interval_rank(6) == 1
    assert PAIRS == 12
    assert interval_rank(12) == 14  # Hollander and Wolfe, table A.4: P(T+ >= 65) = 0.021


def test_the_approximation_takes_over_where_the_exact_one_ends() -> None:
    exact, approximated = interval_rank(50), interval_rank(51)
    assert exact is not None
    assert approximated is not None
    for n, rank in ((50, exact), (51, approximated)):
        about = n * (n + 1) / 4 - 1.959964 * math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
        assert rank == pytest.approx(about, abs=1.5)


def test_the_ratio_is_the_median_of_the_walsh_averages() -> None:
    one = estimated([1.0, 1.0, 1.0], [math.exp(0.1), math.exp(0.2), math.exp(0.6)])
    # 0.1 0.15 0.2 0.35 0.4 0.6
    assert one.estimate.log_ratio == pytest.approx((0.2 + 0.35) / 2)


@pytest.mark.parametrize("n", [1, 6, 12, 60])
def test_many_at_once_are_what_each_is_alone(n: int) -> None:
    several = [sides(seed, n) for seed in range(9)]
    together = paired_estimates([one for one, _ in several], [other for _, other in several])
    assert together == [estimated(*one) for one in several]


def test_more_rows_than_are_looked_at_at_once_are_all_found() -> None:
    first, second = sides(3, 200)
    rows = 1 + (1 << 20) // (200 * 201 // 2) * 2
    found = paired_estimates([first] * rows, [second] * rows)
    assert len(found) == rows
    assert set(found) == {estimated(first, second)}


@given(PAIRED)
def test_swapping_the_sides_inverts_ratio_and_interval(
    pairs: tuple[list[float], list[float]],
) -> None:
    first, second = pairs
    there, back = estimated(first, second), estimated(second, first)
    assert there.estimate.log_ratio == -back.estimate.log_ratio
    assert there.deviation == pytest.approx(back.deviation, abs=1e-12)
    if there.estimate.log_interval is None:
        assert len(first) < FEWEST_PAIRS
        assert back.estimate.log_interval is None
    else:
        low, high = there.estimate.log_interval
        assert low <= there.estimate.log_ratio <= high
        assert back.estimate.log_interval == (-high, -low)


@given(PAIRED, st.lists(st.floats(1e-3, 1e3), min_size=24, max_size=24))
def test_what_both_values_of_a_pair_share_has_no_effect(
    pairs: tuple[list[float], list[float]], shared: list[float]
) -> None:
    first, second = pairs
    disturbed = estimated(
        [value * one for value, one in zip(first, shared, strict=False)],
        [value * one for value, one in zip(second, shared, strict=False)],
    )
    assert disturbed.estimate.log_ratio == pytest.approx(
        estimated(first, second).estimate.log_ratio, abs=1e-9
    )


@pytest.mark.parametrize("n", [6, 12, 60])
def test_ties_and_zeros_never_make_the_interval_narrower(n: int) -> None:
    """The ratios are rounded, so many ratios are equal.

    Ties must not make the interval narrower.
    """
    same = estimated([2.0] * n, [2.0] * n).estimate
    assert (same.log_ratio, same.log_interval) == (0, (0, 0))
    rng = np.random.default_rng(n)
    for _ in range(200):
        ratios = np.round(rng.normal(0, 0.01, n), 2)
        interval = estimated([1.0] * n, list(np.exp(ratios))).estimate.log_interval
        assert interval is not None
        # Breaking the ties at random changes the interval by almost nothing.
        apart = ratios + rng.uniform(-1e-6, 1e-6, n)
        other = estimated([1.0] * n, list(np.exp(apart))).estimate.log_interval
        assert other is not None
        assert interval == pytest.approx(other, abs=2e-6)


def test_the_deviation_is_that_of_normal_log_ratios() -> None:
    rng = np.random.default_rng(8)
    second = np.exp(rng.normal(0, 0.03, (2000, PAIRS)))
    found = [one.deviation for one in paired_estimates(np.ones_like(second).tolist(), second)]  # type: ignore[arg-type]
    assert np.median(found) == pytest.approx(0.03, rel=0.06)


def test_pairs_for_noise_of_three_percent_are_about_seventy() -> None:
    """Computed by hand: pi / 3 ((1.960 + 1.645) 0.0424 / (0.04879 - 0.02956))^2 = 66 pairs."""
    assert pairs_for(0.03 * math.sqrt(2), 0.03) == 67
    assert pairs_for(0.01 * math.sqrt(2), 0.03) < PAIRS
    assert pairs_for(0, 0.03) == 0
