"""Stopping rules, tested on many sequences of samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.core.terms import BytesConvention
from membench.core.work import StopName, Timed
from membench.measure.worker.stopping import (
    WALL_CAP_S,
    Agreement,
    Capped,
    FixedCount,
    RelativeDeviation,
    RelativeStandardError,
    Stop,
    StopRule,
    rule_for,
)

RULES: list[StopRule] = [FixedCount(10), RelativeStandardError(), RelativeDeviation()]
SAMPLES = st.lists(st.floats(1.0, 1e9), max_size=80)


def first_stop(rule: StopRule, samples: list[float]) -> tuple[int, Stop] | None:
    """(number of samples at which ``rule`` stops, reason); None if the rule never stops."""
    for count in range(len(samples) + 1):
        if why := rule.stop(samples[:count], 0.0):
            return count, why
    return None


@pytest.mark.parametrize("rule", RULES)
@given(samples=SAMPLES)
def test_a_rule_sees_nothing_but_its_samples(rule: StopRule, samples: list[float]) -> None:
    assert rule.stop(samples, 0.0) == rule.stop(list(samples), 5.0)


@pytest.mark.parametrize("rule", RULES)
@given(samples=SAMPLES, factor=st.sampled_from([0.5, 2.0, 1024.0]))
def test_a_rule_does_not_depend_on_the_unit(
    rule: StopRule, samples: list[float], factor: float
) -> None:
    assert rule.stop(samples, 0.0) == rule.stop([factor * one for one in samples], 0.0)


@pytest.mark.parametrize("rule", RULES)
def test_identical_samples_are_enough_as_soon_as_there_are_ten(rule: StopRule) -> None:
    found = first_stop(rule, [7.0] * 50)
    assert found is not None
    assert found[0] == 10


def test_the_standard_error_is_that_of_the_mean() -> None:
    samples = list(np.random.default_rng(1).normal(100.0, 1.0, 400))
    found = first_stop(RelativeStandardError(limit=0.001), samples)
    assert found is not None
    count, why = found
    seen = np.array(samples[:count])
    assert seen.std(ddof=1) / np.sqrt(count) / seen.mean() <= 0.001
    assert 50 <= count <= 200  # 1 % noise needs 100 samples for 0.1 %
    assert why == Stop("rse", converged=True)


def test_a_few_samples_that_agree_are_enough_and_others_are_counted() -> None:
    rule = Agreement(8)
    assert first_stop(rule, [100.0, 100.5, 99.6, 100.1, 100.0]) == (4, Stop("agreed"))
    assert first_stop(rule, [100.0, 110.0] * 10) == (8, Stop("count"))
    late = [100.0, 104.0, *[102.0] * 6]  # the deviation is 1.6 % at first
    assert first_stop(rule, late) == (8, Stop("count"))
    assert first_stop(rule, [100.0, 101.0, *[100.5] * 6]) == (4, Stop("agreed"))


def test_a_quiet_device_stops_early_and_a_noisy_one_when_its_noise_is_known() -> None:
    rng = np.random.default_rng(2)
    quiet = first_stop(RelativeDeviation(), list(rng.normal(100.0, 0.1, 200)))
    noisy = first_stop(RelativeDeviation(), list(rng.normal(100.0, 5.0, 2000)))
    assert quiet is not None
    assert noisy is not None
    assert quiet == (10, Stop("stdrel", converged=True))
    assert noisy[1] == Stop("noise-stable", converged=True)
    assert noisy[0] >= 64


def test_a_drifting_device_does_not_converge() -> None:
    drifting = [100.0 * 1.05**n for n in range(200)]
    assert first_stop(RelativeDeviation(), drifting) is None
    assert first_stop(Capped(RelativeDeviation(), most=100, wall_s=1e9), drifting) == (
        100,
        Stop("most-samples", converged=False),
    )


def test_the_wall_cap_waits_for_one_sample() -> None:
    rule = Capped(FixedCount(5), most=5, wall_s=3.0)
    assert rule.stop([], 100.0) is None
    assert rule.stop([1.0], 2.9) is None
    assert rule.stop([1.0], 3.0) == Stop("wall-cap", converged=False)
    assert rule.stop([1.0] * 5, 100.0) == Stop("count")


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("count", FixedCount(12)),
        ("agreed", Agreement(12)),
        ("rse", RelativeStandardError()),
        ("stdrel", RelativeDeviation()),
    ],
)
def test_work_names_its_rule(name: StopName, rule: StopRule) -> None:
    work = Timed(
        run=lambda _iterations: None,
        size_bytes=1,
        bytes_moved=1,
        bytes_convention=BytesConvention.RW_SUM,
        samples=12,
        stop=name,
    )
    assert rule_for(work) == Capped(rule, most=12, wall_s=WALL_CAP_S)
