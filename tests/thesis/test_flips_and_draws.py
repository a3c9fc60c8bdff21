"""Reproducible draws, the smallest change that flips a verdict, and the order of tornado bars."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from membench.core.terms import ClaimVerdict
from membench.thesis.claims.draws import Floats, bootstrap, latin_hypercube
from membench.thesis.claims.flip import Judge, smallest_flip
from membench.thesis.claims.scenario import NoData, Scenario
from membench.thesis.claims.tornado import tornado
from membench.thesis.replay.curves import computed, curves


@given(st.floats(0.1, 10), st.floats(0, 10), st.integers(1, 200), st.integers(0, 9))
def test_a_hypercube_has_one_value_in_each_part(
    low: float, width: float, draws: int, seed: int
) -> None:
    values = latin_hypercube("a", low, low + width, draws=draws, seed=seed)
    assert values.shape == (draws,)
    assert (values >= low).all()
    assert (values <= low + width).all()
    if width > 1e-3:
        parts = np.floor((np.sort(values) - low) / width * draws + 1e-9)
        assert np.abs(parts - np.arange(draws)).max() <= 1


def test_streams_are_independent_of_each_other_and_repeat() -> None:
    one = latin_hypercube("a", 0, 1, draws=400, seed=1)
    assert (one == latin_hypercube("a", 0, 1, draws=400, seed=1)).all()
    for other in (
        latin_hypercube("b", 0, 1, draws=400, seed=1),
        latin_hypercube("a", 0, 1, draws=400, seed=2),
    ):
        assert stats.pearsonr(one, other).pvalue > 0.01


@given(st.lists(st.floats(1, 1e6), min_size=1, max_size=9))
def test_a_bootstrap_stays_within_the_rounds(rounds: list[float]) -> None:
    values = bootstrap("a", rounds, draws=50, seed=1)
    assert min(rounds) <= values.min()
    assert values.max() <= max(rounds)


def test_a_bootstrap_is_spread_as_scipy_says() -> None:
    rounds = [90.0, 97.0, 99.0, 100.0, 101.0, 104.0, 108.0]
    ours = bootstrap("a", rounds, draws=4000, seed=1)
    theirs = stats.bootstrap(
        (rounds,), np.median, n_resamples=4000, method="percentile", rng=np.random.default_rng(1)
    )
    low, high = theirs.confidence_interval
    assert np.percentile(ours, (2.5, 97.5)) == pytest.approx([low, high], abs=1.0)


def above(limit: float, values: dict[str, float]) -> Judge:
    """A judge that returns supported if the product of the changed ``values`` reaches ``limit``."""

    def judge(name: str, step: float) -> ClaimVerdict:
        product = math.prod(values.values()) * math.exp(step)
        assert name in values
        return ClaimVerdict.SUPPORTED if product >= limit else ClaimVerdict.CONTRADICTED

    return judge


def test_the_nearest_change_is_found() -> None:
    judge = above(12.0, {"a": 2, "b": 3})
    found = smallest_flip(judge, ["a", "b"], ClaimVerdict.CONTRADICTED, {})
    assert found is not None
    assert math.exp(found.step) == pytest.approx(2.0, rel=0.01)
    assert math.exp(found.step) >= 2.0
    assert found.becomes is ClaimVerdict.SUPPORTED


@given(st.floats(0.02, 4.0), st.floats(0.02, 4.0))
def test_of_two_inputs_the_one_that_moves_less(down: float, up: float) -> None:
    def judge(name: str, step: float) -> ClaimVerdict:
        flips = step <= -down if name == "a" else step >= up
        return ClaimVerdict.CONTRADICTED if flips else ClaimVerdict.SUPPORTED

    found = smallest_flip(judge, ["a", "b"], ClaimVerdict.SUPPORTED, {})
    assert found is not None
    least = min(down, up)
    assert abs(found.step) == pytest.approx(least, rel=0.02, abs=0.01)
    assert abs(found.step) >= least
    assert judge(found.name, found.step) is found.becomes


def test_a_share_is_not_moved_beyond_one() -> None:
    judge = above(2.0, {"a": 0.5})
    limits = {"a": math.log(2)}
    assert smallest_flip(judge, ["a"], ClaimVerdict.CONTRADICTED, limits) is None
    assert smallest_flip(judge, ["a"], ClaimVerdict.CONTRADICTED, {}) is not None


def test_a_date_moves_by_years_and_a_quantity_by_a_factor() -> None:
    of = Scenario(values={"a": np.full(3, 2026.5), "b": np.ones(3)}, dates=frozenset({"a"}))
    assert of.moved("a", 0.5)["a"].tolist() == [2027.0] * 3
    assert of.moved("b", math.log(3))["b"] == pytest.approx(3.0)
    assert of["b"].tolist() == [1.0] * 3


def test_no_change_and_no_data_are_no_flip() -> None:
    def refuses(_name: str, _step: float) -> ClaimVerdict:
        raise NoData("gone")

    for judge in (lambda *_: ClaimVerdict.SUPPORTED, refuses):
        assert smallest_flip(judge, ["a"], ClaimVerdict.SUPPORTED, {}) is None


def test_the_longest_bar_comes_first_and_what_moves_nothing_is_left_out() -> None:
    def statistic(of: Scenario) -> dict[str, Floats]:
        return {"one": of["a"] * of["b"], "two": of["a"] * of["b"] + 0 * of["c"]}

    rounds = np.linspace(2, 4, 101)
    of = Scenario(values={"a": np.full(101, 9.0), "b": rounds, "c": np.full(101, 9.0)})
    bars = tornado(statistic, of, ("a", "b", "c"), {"a": (1, 2, 6), "c": (1, 2, 3)})
    assert [bar.name for bar in bars] == ["a", "b"]
    assert (bars[0].at_low, bars[0].at_high) == (3.0, 18.0)
    assert bars[1].at_low == pytest.approx(2 * np.percentile(rounds, 2.5))
    assert bars[1].swing == pytest.approx(2 * (bars[1].high - bars[1].low))


@pytest.mark.parametrize("name", ["conversation", "agent"])
def test_a_hit_rate_is_that_of_numpy_to_the_last_bit(name: str) -> None:
    (curve,) = (one for one in curves() if one.name == name)
    random = np.random.default_rng(1)
    low, high = (float(np.log(end)) for end in (curve.capacity[0] / 3, curve.capacity[-1] * 3))
    spread = np.exp(random.uniform(low, high, (20, 500)))
    points = np.concatenate([np.nextafter(curve.capacity, end) for end in (0, np.inf)])
    for tokens in (spread, points, curve.capacity, np.array([0.0, -1.0, np.inf, np.nan])):
        place = np.log(np.maximum(tokens, curve.capacity[0]))
        expected = np.interp(place, np.log(curve.capacity), curve.hits)
        np.testing.assert_array_equal(curve.hit_rate(tokens), expected)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", ["conversation", "agent"])
def test_the_shipped_curve_is_that_of_its_trace(name: str) -> None:
    (curve,) = (one for one in curves() if one.name == name)
    again = computed(name)
    assert curve.capacity.tolist() == again["capacity_tokens"]
    assert curve.hits.tolist() == again["hit_rate"]
    assert curve.requests_per_s == again["requests_per_s"]
    assert curve.tokens_per_request == again["tokens_per_request"]
    assert (np.diff(curve.hits) >= 0).all()
    assert curve.hit_rate(np.array([0.0, 1e15])).tolist() == [curve.hits[0], curve.hits[-1]]
