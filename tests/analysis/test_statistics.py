"""The statistics of a comparison, compared with SciPy and with general properties."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from membench.analysis import many_ratios, statistics
from membench.analysis.statistics import (
    VALUES_NEEDED,
    estimate,
    geometric_mean,
    half_range,
    interval_rank,
    median,
    null_counts,
)

SIDES = st.lists(st.floats(1e-6, 1e12), min_size=1, max_size=24)
ANY_POSITIVE = st.floats(min_value=0, exclude_min=True, allow_infinity=False)


def sides(seed: int, n: int, m: int) -> tuple[list[float], list[float]]:
    """Two sides with ``n`` and ``m`` different log-normal values."""
    rng = np.random.default_rng(seed)
    return list(np.exp(rng.normal(0, 0.1, n))), list(np.exp(rng.normal(0.05, 0.1, m)))


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 7), (4, 4), (5, 9), (20, 20)])
def test_the_null_distribution_counts_every_order_once(n: int, m: int) -> None:
    counts = null_counts(n, m)
    assert sum(counts) == math.comb(n + m, n)
    assert len(counts) == n * m + 1
    assert list(counts) == list(counts[::-1])
    assert list(counts) == list(null_counts(m, n))


@pytest.mark.parametrize(("n", "m"), [(4, 4), (5, 5), (4, 9), (10, 10), (20, 20)])
@pytest.mark.parametrize("confidence", [0.95, 0.99])
def test_the_interval_is_what_the_test_of_scipy_does_not_reject(
    n: int, m: int, confidence: float
) -> None:
    a, b = sides(11, n, m)
    interval = estimate(a, b, confidence).log_interval
    if interval is None:
        # Even two sides without overlap are not significant.
        least = stats.mannwhitneyu(range(n), range(n, n + m), method="exact").pvalue
        assert least > 1 - confidence
        return
    for bound, outwards in zip(interval, (-1e-9, 1e-9), strict=True):
        inside, outside = (
            stats.mannwhitneyu(np.array(b) / math.exp(bound + step), a, method="exact").pvalue
            for step in (-outwards, outwards)
        )
        assert outside <= 1 - confidence < inside


def test_the_smallest_comparison_that_has_an_interval() -> None:
    assert VALUES_NEEDED == 4
    assert interval_rank(4, 4) == 1
    assert interval_rank(3, 3) is None
    assert interval_rank(5, 5) == 3
    assert interval_rank(4, 4, 0.99) is None
    assert interval_rank(5, 5, 0.99) == 1
    assert interval_rank(2, 8) is None  # the null distribution alone would allow an interval


@pytest.mark.parametrize("n", [20, 15])
def test_the_approximation_takes_over_where_the_exact_one_ends(n: int) -> None:
    exact, approximated = interval_rank(n, 20), interval_rank(n, 21)
    assert exact is not None
    assert approximated is not None
    # C = nm/2 - z sqrt(nm(n+m+1)/12), Hollander and Wolfe, section 4.3
    for m, rank in ((20, exact), (21, approximated)):
        about = n * m / 2 - 1.959964 * math.sqrt(n * m * (n + m + 1) / 12)
        assert rank == pytest.approx(about, abs=1.5)


def test_the_ratio_is_the_median_of_all_pairwise_ratios() -> None:
    a, b = [10.0, 20.0, 40.0], [30.0, 50.0]
    ratios = sorted(two / one for one in a for two in b)
    assert estimate(a, b).ratio == pytest.approx(math.sqrt(ratios[2] * ratios[3]))


@pytest.mark.parametrize(("n", "m"), [(129, 128), (500, 480), (2000, 20), (17000, 1)])
@pytest.mark.parametrize("kind", ["normal", "skewed", "ties", "constant", "two peaks", "drift"])
def test_of_many_values_it_is_the_same_number_without_all_the_ratios(
    n: int, m: int, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(n)
    kinds: dict[str, Callable[[int], NDArray[Any]]] = {
        "normal": lambda size: rng.normal(2, 0.003, size),
        "skewed": lambda size: rng.lognormal(0, 2, size),
        "ties": lambda size: np.round(rng.normal(2, 0.003, size), 3),
        "constant": lambda size: np.full(size, 2.2),
        "two peaks": lambda size: rng.normal(rng.choice([1, 7], size), 0.001),
        "drift": lambda size: np.arange(size) * 1e-3 + 1,
    }
    a, b = kinds[kind](n), kinds[kind](m)
    logs = [[math.log(value) for value in side] for side in (a.tolist(), b.tolist())]
    differences = np.sort(np.subtract.outer(logs[1], logs[0]), axis=None)
    rank = interval_rank(n, m)
    ends = None if rank is None else (differences[rank - 1], differences[-rank])
    for few in (0, n * m):  # by arrays, and by sorting
        monkeypatch.setattr(statistics, "_FEW_DIFFERENCES", few)
        found = estimate(a.tolist(), b.tolist())
        assert found.log_ratio == np.mean(differences[[(n * m - 1) // 2, n * m // 2]])
        assert found.log_interval == ends


def test_a_sample_that_misleads_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = (np.exp(np.random.default_rng(seed).normal(size=300)).tolist() for seed in (1, 2))
    expected = estimate(a, b)
    monkeypatch.setattr(statistics, "_FEW_DIFFERENCES", 0)
    for bounds in ((-9.0, -8.0), (8.0, 9.0), (-0.001, 0.001), (3.0, -3.0)):
        monkeypatch.setattr(many_ratios, "_bounds", lambda *_, found=bounds: found)
        assert estimate(a, b) == expected


@given(SIDES, SIDES)
def test_swapping_the_sides_inverts_ratio_and_interval(a: list[float], b: list[float]) -> None:
    there, back = estimate(a, b), estimate(b, a)
    assert there.log_ratio == -back.log_ratio
    assert there.ratio * back.ratio == pytest.approx(1)
    if there.log_interval is None:
        assert back.log_interval is None
    else:
        assert back.log_interval == (-there.log_interval[1], -there.log_interval[0])


@given(SIDES, SIDES, st.floats(1e-3, 1e3))
def test_a_factor_on_one_side_is_a_factor_on_the_ratio(
    a: list[float], b: list[float], factor: float
) -> None:
    plain, scaled = estimate(a, b), estimate(a, [factor * value for value in b])
    assert scaled.log_ratio == pytest.approx(plain.log_ratio + math.log(factor), abs=1e-9)
    both = estimate([factor * value for value in a], [factor * value for value in b])
    assert both.log_ratio == pytest.approx(plain.log_ratio, abs=1e-9)


@given(SIDES, SIDES)
def test_the_interval_holds_the_ratio_and_grows_with_the_confidence(
    a: list[float], b: list[float]
) -> None:
    narrow, wide = estimate(a, b, 0.95), estimate(a, b, 0.99)
    if narrow.log_interval is not None:
        low, high = narrow.log_interval
        assert low <= narrow.log_ratio <= high
    if wide.log_interval is not None:
        assert narrow.log_interval is not None
        assert wide.log_interval[0] <= narrow.log_interval[0]
        assert wide.log_interval[1] >= narrow.log_interval[1]


@given(st.lists(ANY_POSITIVE, min_size=1, max_size=12))
def test_a_side_against_itself_is_centred_on_one(values: list[float]) -> None:
    same = estimate(values, values)
    assert same.log_ratio == 0
    assert same.ratio == 1
    if same.log_interval is not None:
        assert same.log_interval[0] == -same.log_interval[1]


@given(st.lists(ANY_POSITIVE, min_size=1, max_size=9), st.lists(ANY_POSITIVE, min_size=1))
def test_everything_stays_finite_whatever_is_put_in(a: list[float], b: list[float]) -> None:
    estimated = estimate(a, b)
    numbers = [estimated.ratio, *(estimated.interval or ()), median(a)]
    assert all(math.isfinite(number) for number in numbers)
    assert min(a) <= median(a) <= max(a)
    half = half_range(a)
    assert half is None or half >= 0


@pytest.mark.parametrize("count", [4, 5, 30])
def test_identical_values_give_an_interval_of_no_width(count: int) -> None:
    same = estimate([2.0] * count, [4.0] * count)
    assert same.ratio == pytest.approx(2)
    assert same.interval == (same.ratio, same.ratio)


@pytest.mark.parametrize(("a", "b"), [([1.0], [2.0]), ([1.0], [2.0, 3.0, 4.0, 5.0, 6.0])])
def test_one_value_has_a_ratio_and_no_interval(a: Sequence[float], b: Sequence[float]) -> None:
    one = estimate(a, b)
    assert one.ratio == pytest.approx(median(b) / a[0])
    assert one.interval is None


def test_geometric_mean_and_half_range() -> None:
    assert geometric_mean([2.0, 0.5]) == pytest.approx(1)
    assert geometric_mean([2.0, 8.0]) == pytest.approx(4)
    assert half_range([90.0, 100.0, 110.0]) == pytest.approx(0.1)
    assert half_range([100.0]) is None
