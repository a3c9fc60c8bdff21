"""Change points: `find_changes` finds real changes, and almost never reports a false change."""

from __future__ import annotations

import math

import numpy as np
import pytest
from history_files import noise
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sampling import examples
from scipy import stats

from membench.analysis.history import changepoints
from membench.analysis.history.changepoints import LEAST, find_changes

LINES, RUNS = 12, 100


def places(values: NDArray[np.float64], beside: int = 3, seed: int = 5) -> list[int]:
    """Positions of the changes of ``values``.

    The history also has ``beside`` cases of pure noise.
    """
    others = noise(np.random.default_rng(seed), (beside, len(values)))
    return [one.place for one in find_changes([values, *others])[0]]


def step(runs: int, at: int, size: float, seed: int = 1) -> NDArray[np.float64]:
    made: NDArray[np.float64] = noise(np.random.default_rng(seed), (runs,))
    made[at:] += size
    return made


@pytest.mark.parametrize(("runs", "at"), [(30, 15), (100, 50), (100, 90), (100, 7), (300, 297)])
def test_a_step_is_found_where_it_is(runs: int, at: int) -> None:
    (found,) = places(step(runs, at, 8))
    assert abs(found - at) <= 1


def test_slow_weeks_that_end_are_two_changes() -> None:
    values = noise(np.random.default_rng(2), (RUNS,))
    values[40:52] -= 6
    assert [abs(one - of) <= 1 for one, of in zip(places(values), (40, 52), strict=True)] == [
        True,
        True,
    ]


def test_single_disturbed_runs_are_no_change() -> None:
    values = noise(np.random.default_rng(3), (RUNS,))
    values[[20, 60, 61, 99]] -= 50
    assert places(values) == []


@pytest.mark.parametrize("correlation", [0.5, 0.8])
def test_runs_that_resemble_the_one_before_are_no_change(correlation: float) -> None:
    rng = np.random.default_rng(4)
    assert not any(find_changes(list(noise(rng, (LINES, RUNS), correlation))))


def test_constants_and_short_series_have_no_change() -> None:
    short = np.arange(2.0 * LEAST - 1)
    assert find_changes([np.ones(50), short, np.zeros(0)]) == [(), (), ()]
    assert find_changes([]) == []


def test_constant_levels_without_any_noise() -> None:
    values = np.array([1.0] * 20 + [2.0] * 20)
    (found,) = find_changes([values])[0]
    assert found.place == 20
    assert found.p == pytest.approx(1 / 500)


@settings(max_examples=examples(15), deadline=None)
@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3), st.booleans(), st.integers(0, 1000))
def test_unit_and_direction_do_not_matter(
    shift: float, scale: float, falls: bool, seed: int
) -> None:
    values = step(40, 25, 6, seed)
    sign = -1 if falls else 1
    assert places(sign * scale * values + shift, 1) == places(values, 1)


def test_the_same_values_give_the_same_answer() -> None:
    values = list(noise(np.random.default_rng(6), (3, 40)))
    values[1][20:] += 4
    assert find_changes(values) == find_changes(values)


def test_so_few_permutations_show_no_such_chance() -> None:
    with pytest.raises(ValueError, match="98 permutations"):
        find_changes([step(20, 10, 3)], permutations=98)


def test_the_statistic_by_its_definition() -> None:
    scores = noise(np.random.default_rng(7), (23,))
    for length, starts, differences in changepoints._statistics(scores):
        for row, start in zip(differences, starts.tolist(), strict=True):
            window = scores[start : start + length]
            for split, found in enumerate(row.tolist(), LEAST):
                first, second = window[:split], window[split:]
                scale = math.sqrt(split * (length - split) / length)
                wanted = abs(float(first.mean() - second.mean())) * scale
                assert found == pytest.approx(wanted, abs=1e-12)


def test_every_split_of_the_whole_and_of_short_windows_is_looked_at() -> None:
    for runs in (6, 7, 29, 100, 1000):
        windows = changepoints._windows(runs)
        assert windows[0][0] == runs
        assert windows[-1][0] == 2 * LEAST
        for length, starts in windows:
            covered = np.zeros(runs, bool)
            for start in starts.tolist():
                assert 0 <= start <= runs - length
                covered[start : start + length] = True
            assert covered.all()
        assert sum(length * len(starts) for length, starts in windows) < 5 * runs * math.log2(runs)


def test_the_strength_of_a_change_is_that_of_a_t_test() -> None:
    """Without autocorrelation, the strength equals scipy's t-test with pooled variance."""
    scores = step(60, 30, 3, 8)
    scores = (scores - scores.mean()) / scores.std()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(changepoints, "_inflation", lambda *_: 1.0)
        (z,) = changepoints._strengths(scores, [30])
    t = abs(float(stats.ttest_ind(scores[:30], scores[30:]).statistic))
    assert z == pytest.approx(t * math.sqrt(60 / (58 + t * t)))


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.6])
def test_the_allowance_for_autocorrelation_is_seldom_too_small(correlation: float) -> None:
    rng = np.random.default_rng(9)
    true = (1 + correlation) / (1 - correlation)
    some = [
        changepoints._inflation(one - one.mean(), [])
        for one in noise(rng, (200, RUNS), correlation)
    ]
    assert np.mean(np.array(some) >= true) > 0.9


def alarms(histories: int, kind: str, correlation: float, runs: int = RUNS) -> int:
    """Number of histories with a false alarm. Each history has `LINES` cases and no change."""
    rng = np.random.default_rng(20260203)
    return sum(
        any(find_changes(list(noise(rng, (LINES, runs), correlation, kind))))
        for _ in range(histories)
    )


@pytest.mark.parametrize(("kind", "correlation"), [("normal", 0.0), ("slow", 0.3)])
def test_a_few_histories_without_a_change_have_none(kind: str, correlation: float) -> None:
    assert alarms(8, kind, correlation, 50) == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["normal", "heavy", "slow"])
@pytest.mark.parametrize("correlation", [0.0, 0.5])
def test_at_most_one_history_in_a_hundred_has_a_false_alarm(kind: str, correlation: float) -> None:
    """Checks 200 histories of 100 runs. docs/statistics.md reports larger simulations."""
    assert alarms(200, kind, correlation) <= 2
