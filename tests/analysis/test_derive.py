"""Fits, capacities, knees and Pareto fronts of curves with a known answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from membench.analysis.derive.load import load_curve, pareto_front
from membench.analysis.derive.steps import climbs, falls, levels
from membench.analysis.derive.transfer import fit_transfer

KIB, MIB = 2**10, 2**20
SIZES = [4 * KIB * 4**n for n in range(10)]


@given(st.floats(10, 1e5), st.floats(0.1, 1e4))
def test_a_transfer_without_noise_is_found_again(start: float, bandwidth: float) -> None:
    reached = [size / (start + size / bandwidth) for size in SIZES]
    fit = fit_transfer(SIZES, reached)
    assert fit is not None
    assert fit.worst < 1e-6
    assert fit.time_ns(SIZES[0]) == pytest.approx(start + SIZES[0] / bandwidth, rel=1e-6)
    assert fit.time_ns(SIZES[-1]) == pytest.approx(start + SIZES[-1] / bandwidth, rel=1e-6)
    half = fit.half_size
    if half:
        assert half / fit.time_ns(half) == pytest.approx(fit.bandwidth / 2)


@given(st.lists(st.floats(0.9, 1.1), min_size=len(SIZES), max_size=len(SIZES)))
def test_the_fit_is_that_of_scipy(noise: list[float]) -> None:
    times = [(2000 + size / 50) * factor for size, factor in zip(SIZES, noise, strict=True)]
    fit = fit_transfer(SIZES, [size / time for size, time in zip(SIZES, times, strict=True)])
    assert fit is not None
    design = [[1 / time, size / time] for size, time in zip(SIZES, times, strict=True)]
    bounded = optimize.lsq_linear(design, [1.0] * len(SIZES), bounds=(0, float("inf")), tol=1e-14)
    assert fit.start_ns == pytest.approx(bounded.x[0], rel=1e-3, abs=1)
    assert 1 / fit.bandwidth == pytest.approx(bounded.x[1], rel=1e-3)


def test_no_fit_where_there_is_none() -> None:
    assert fit_transfer([4096, 8192], [1.0, 2.0]) is None
    assert fit_transfer([4096, 4096, 4096], [1.0, 1.0, 1.0]) is None
    # Larger sizes take longer than the bandwidth allows, so no fit exists.
    assert fit_transfer([1000, 2000, 4000], [1.0, 4.0, 64.0]) is None


def test_a_staircase_gives_the_capacities_between_which_they_lie() -> None:
    sizes = [KIB * 2**n for n in range(4, 21)]  # 16 KiB .. 1 GiB
    latency = [20.0 if s <= 128 * KIB else 150.0 if s <= 32 * MIB else 500.0 for s in sizes]
    first, second = climbs(sizes, latency)
    assert (first.inside, first.outside) == (128 * KIB, 256 * KIB)
    assert (second.inside, second.outside) == (32 * MIB, 64 * MIB)
    assert (second.before, second.after) == (150.0, 500.0)


def test_a_ramp_belongs_to_no_level() -> None:
    sizes = [float(2**n) for n in range(8)]
    (step,) = climbs(sizes, [10, 10.2, 9.9, 10, 40, 100, 101, 99])
    assert (step.inside, step.outside) == (8.0, 32.0)


def test_a_bandwidth_falls_where_a_latency_climbs() -> None:
    sizes = [float(2**n) for n in range(8)]
    (step,) = falls(sizes, [5000, 5100, 5000, 4900, 2500, 2600, 2500, 2550])
    assert (step.inside, step.outside) == (8.0, 16.0)
    assert step.before > step.after


@given(
    st.lists(st.floats(1.0, 1e4), min_size=1, max_size=24),
    st.floats(1e-3, 1e3),
)
def test_levels_cover_every_size_and_do_not_depend_on_the_unit(
    values: list[float], factor: float
) -> None:
    sizes = [float(2**n) for n in range(len(values))]
    found = levels(sizes, values)
    assert sum(level.points for level in found) == len(values)
    assert found[0].first == sizes[0]
    assert found[-1].last == sizes[-1]
    scaled = levels(sizes, [value * factor for value in values])
    assert len(scaled) <= len(values)
    for level in found:
        assert min(values) <= level.value <= max(values)


@given(st.lists(st.floats(0.97, 1.03), min_size=2, max_size=30))
def test_noise_of_three_percent_is_no_step(noise: list[float]) -> None:
    assert climbs([float(2**n) for n in range(len(noise))], noise) == ()


def test_nothing_has_no_levels() -> None:
    assert levels([], []) == ()
    assert climbs([], []) == ()


def test_the_knee_of_a_queue_lies_before_its_wall() -> None:
    bandwidths = [100.0, 500, 1000, 1500, 2000, 2400, 2700, 2900, 2950]
    latencies = [300 / (1 - b / 3000) for b in bandwidths]
    curve = load_curve(bandwidths[::-1], latencies[::-1])
    assert curve is not None
    assert curve.unloaded_ns == pytest.approx(latencies[0])
    assert curve.most == pytest.approx((2950.0, latencies[-1]))
    assert curve.knee is not None
    assert 2000 < curve.knee[0] < 2900


def test_a_straight_or_falling_line_has_no_knee() -> None:
    straight = load_curve([1, 2, 3], [10, 20, 30])
    assert straight is not None
    assert straight.knee is None
    flat = load_curve([1, 2, 3], [10, 10, 10])
    assert flat is not None
    assert flat.knee is None
    assert load_curve([1, 2], [10, 20]) is None


POINTS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=30)


@given(POINTS)
def test_nothing_beats_the_front_and_the_front_beats_the_rest(
    points: list[tuple[int, int]],
) -> None:
    costs, gains = [float(c) for c, _ in points], [float(g) for _, g in points]
    front = pareto_front(costs, gains)

    def beats(one: int, other: int) -> bool:
        no_worse = costs[one] <= costs[other] and gains[one] >= gains[other]
        return no_worse and (costs[one], gains[one]) != (costs[other], gains[other])

    everyone = range(len(points))
    for index in front:
        assert not any(beats(other, index) for other in everyone)
    for index in set(everyone) - set(front):
        alike = [(costs[f], gains[f]) == (costs[index], gains[index]) for f in front]
        assert any(alike) or any(beats(f, index) for f in front)
    assert sorted(gains[index] for index in front) == [gains[index] for index in front]
