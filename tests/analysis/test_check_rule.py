"""The bands of a check at their edges, and general properties of the verdict."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.analysis.check.rule import (
    LINK,
    LOOK,
    PASS,
    TOO_FAST,
    TOO_HIGH,
    WIDE,
    CheckVerdict,
    is_above,
    judge,
    without_range,
)
from membench.core.terms import Better, Metric, Tier

UP, DOWN = Better.HIGHER, Better.LOWER
VALUES = st.floats(0.01, 1e6)


def of_memory(value: float, low: float = 100, high: float = 100) -> CheckVerdict:
    """The verdict on ``value`` GB/s of GPU memory, for figures from ``low`` to ``high``."""
    found = judge(value, low, high, tier=Tier.HBM, metric=Metric.BANDWIDTH, better=UP)
    return found.verdict


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (104.9, "pass"),
        (95, "pass"),
        (94.9, "look"),
        (90, "look"),
        (89.9, "fail"),
        (50, "fail"),
        (105.1, "measurement fault"),
    ],
)
def test_bands_of_memory(value: float, verdict: str) -> None:
    assert of_memory(value) == verdict


@pytest.mark.parametrize(
    ("value", "verdict"), [(87, "pass"), (86.9, "fail"), (106, "measurement fault")]
)
def test_bands_of_a_link(value: float, verdict: str) -> None:
    found = judge(value, 100, 100, tier=Tier.LINK, metric=Metric.BANDWIDTH, better=UP)
    assert found.verdict == verdict


def test_a_wide_range_gives_the_ratio_alone() -> None:
    found = judge(50, 100, 111, tier=Tier.HBM, metric=Metric.BANDWIDTH, better=UP)
    assert (found.verdict, found.share) == (CheckVerdict.NOT_JUDGED, 0.5)
    assert of_memory(50, 100, 110) is CheckVerdict.FAIL
    assert of_memory(120, 100, 111) is CheckVerdict.FAULT  # above all figures


def test_without_a_figure_nothing_passes() -> None:
    for value in (1, 69, 71, 99):
        assert without_range(value, 100, UP).verdict is CheckVerdict.NOT_JUDGED
    assert "below 70 % of the peak" in without_range(69, 100, UP).why
    assert "floor" not in without_range(71, 100, UP).why
    assert without_range(1, None, DOWN).verdict is CheckVerdict.NOT_JUDGED


def test_a_value_above_the_peak() -> None:
    assert is_above(102, 100, UP)
    assert not is_above(100.9, 100, UP)  # clocks are whole numbers of MHz
    assert not is_above(1e9, None, UP)


@given(VALUES, VALUES, st.floats(1, 1 + WIDE - 0.001), st.sampled_from(list(Tier)))
def test_a_latency_is_judged_as_the_rate_that_it_is(
    value: float, low: float, width: float, tier: Tier
) -> None:
    high = low * width
    rate = judge(value, low, high, tier=tier, metric=Metric.BANDWIDTH, better=UP)
    time = judge(1 / value, 1 / high, 1 / low, tier=tier, metric=Metric.LATENCY, better=DOWN)
    assert time.share == pytest.approx(rate.share)
    edges = (PASS * low, LOOK * low, LINK * low, TOO_HIGH * high, TOO_FAST * high)
    near_an_edge = any(value == pytest.approx(edge) for edge in edges)
    between = TOO_HIGH < value / high < TOO_FAST  # tools include different timer overheads
    if not (near_an_edge or between):
        assert time.verdict is rate.verdict


@given(VALUES, VALUES, VALUES)
def test_more_is_never_a_worse_machine(low: float, one: float, other: float) -> None:
    order = [CheckVerdict.FAIL, CheckVerdict.LOOK, CheckVerdict.GOOD, CheckVerdict.FAULT]
    less, more = sorted((one, other))
    assert order.index(of_memory(less, low, low)) <= order.index(of_memory(more, low, low))
