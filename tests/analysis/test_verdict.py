"""The verdict of a comparison from an interval, a threshold and the better direction."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.analysis.thresholds import PRESETS
from membench.analysis.verdict import Reason, Verdict, judge
from membench.core.terms import BETTER, Better, Metric, Tier

SHIFT = st.floats(-1, 1)
INTERVALS = st.tuples(SHIFT, SHIFT).map(lambda pair: (min(pair), max(pair)))
THRESHOLD = st.floats(0, 0.5)
OPPOSITE = {Verdict.BETTER: Verdict.WORSE, Verdict.WORSE: Verdict.BETTER}


@pytest.mark.parametrize(
    ("low", "high", "better", "verdict"),
    [
        (1.04, 1.06, Better.HIGHER, Verdict.BETTER),
        (1.04, 1.06, Better.LOWER, Verdict.WORSE),
        (0.90, 0.96, Better.HIGHER, Verdict.WORSE),
        (0.90, 0.96, Better.LOWER, Verdict.BETTER),
        (0.99, 1.02, Better.HIGHER, Verdict.SAME),
        (1.01, 1.02, Better.HIGHER, Verdict.SAME),  # a real difference that is too small to matter
        (1.02, 1.06, Better.HIGHER, Verdict.UNCLEAR),
        (0.90, 1.10, Better.LOWER, Verdict.UNCLEAR),
        # A ratio equal to the threshold counts as within the threshold.
        (1 / 1.03, 1.03, Better.HIGHER, Verdict.SAME),
        (1.03, 1.03, Better.HIGHER, Verdict.SAME),
    ],
)
def test_the_whole_interval_decides(
    low: float, high: float, better: Better, verdict: Verdict
) -> None:
    assert judge((math.log(low), math.log(high)), 0.03, better)[0] is verdict


def test_no_interval_no_verdict() -> None:
    assert judge(None, 0.03, Better.HIGHER) == (Verdict.UNCLEAR, Reason.FEW)


@given(INTERVALS, THRESHOLD, st.sampled_from(Better))
def test_swapping_the_sides_swaps_better_and_worse(
    interval: tuple[float, float], threshold: float, better: Better
) -> None:
    there, reason = judge(interval, threshold, better)
    back = judge((-interval[1], -interval[0]), threshold, better)
    assert back == (OPPOSITE.get(there, there), reason)


@given(INTERVALS, THRESHOLD, THRESHOLD, st.sampled_from(Better))
def test_a_larger_threshold_only_takes_alarms_away(
    interval: tuple[float, float], one: float, other: float, better: Better
) -> None:
    strict, lax = sorted((one, other))
    before, after = judge(interval, strict, better)[0], judge(interval, lax, better)[0]
    if before is Verdict.SAME:
        assert after is Verdict.SAME
    if after in OPPOSITE:
        assert before is after


def test_the_thresholds() -> None:
    default = PRESETS["default"]
    for metric in Metric:
        expected = 0.03 if BETTER[metric] is Better.HIGHER else 0.05
        assert default.of(Tier.HBM, metric) == expected
        assert default.of(Tier.SSD, metric) == 0.10
    for tier in Tier:
        for metric in Metric:
            strict, lax = (PRESETS[name].of(tier, metric) for name in ("strict", "permissive"))
            assert strict < default.of(tier, metric) < lax
