"""The rule that judges a measured value, with its thresholds.

The thresholds follow published rules (``docs/check.md``). `PASS`: SuperBench's documentation and
the STREAM tests of CSCS reject values more than 5 % below the reference. `LOOK`: SuperBench's
published rule, the GPU tests of CSCS, gpu-fryer and Microsoft's documentation reject values more
than 10 % below the reference. `LINK`: Azure's health checks accept host links down to 87 % of
published measurements, because root complexes and switches differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from membench.core.messages import tr
from membench.core.record import record
from membench.core.terms import Better, Metric, Tier

PASS = 0.95
"""Memory and compute pass if they reach this share of the worse end of the expected range."""
LOOK = 0.90
"""Memory and compute between this share and `PASS` get the verdict "look"; below, they fail."""
LINK = 0.87
"""A link passes if it reaches this share of the worse end of the range; below, it fails."""
WIDE = 0.10
"""Width of a range, as a fraction of its low end, above which a value cannot pass or fail."""
TOO_HIGH = 1.05
"""A value above the high end times this factor is a measurement fault, not a fast machine."""
TOO_FAST = 1.25
"""`TOO_HIGH` for latencies: larger, because tools subtract the cost of the timer differently."""
FLOOR = 0.70
"""Share of the peak below which a value without an expected value gets a hint."""
PEAK_TOLERANCE = 0.01
"""Fraction by which a value may exceed the peak, because clocks are reported in whole MHz."""


_DUST = 1e-9  # tolerance for rounding: a value on the threshold counts as reaching it


class CheckVerdict(StrEnum):
    """The verdict on a value, a quantity or a tier, in the order from best to worst."""

    GOOD = "pass"
    LOOK = "look"
    NOT_JUDGED = "not judged"
    FAULT = "measurement fault"
    FAIL = "fail"


@record
class TierJudgement:
    """The verdict on one value.

    Attributes:
        share: factor by which the value is better than the worse end of the expected range, below 1
            if it is worse; None without an expected range.
        why: the reason for the verdict; empty if ``share`` is the reason.
        brief: the reason in two or three words for a table; may be empty.
    """

    verdict: CheckVerdict
    share: float | None
    why: str = ""
    brief: str = ""


def share_of(value: float, low: float, high: float, better: Better) -> float:
    """Factor by which ``value`` is better than the worse end of the range; below 1 if worse."""
    return value / low if better is Better.HIGHER else high / value


def width(low: float, high: float) -> float:
    return high / low - 1


def judge(
    value: float,
    low: float,
    high: float,
    *,
    tier: Tier,
    metric: Metric,
    better: Better,
    noisy: Sequence[float] = (),
) -> TierJudgement:
    """Judge ``value`` against the expected range.

    ``value``, ``low`` and ``high`` are above 0 and have the same unit. ``noisy`` has the rounds of
    a noisy row, and is empty for any other row. If one of these rounds passes, the verdict is
    "look" instead of "fail".
    """
    share = share_of(value, low, high, better)
    best = value / high if better is Better.HIGHER else low / value
    limit = TOO_FAST if metric is Metric.LATENCY else TOO_HIGH
    if best > limit + _DUST:
        return TierJudgement(
            CheckVerdict.FAULT,
            share,
            tr(
                "better than every expected value: check whether a cache served the data, or "
                "whether bytes were counted differently"
            ),
            tr("too good"),
        )
    if width(low, high) > WIDE + _DUST:
        return TierJudgement(
            CheckVerdict.NOT_JUDGED,
            share,
            tr("the expected range is wider than 10 %: only the ratio is shown"),
            tr("wide range"),
        )
    least = (LINK if tier is Tier.LINK else PASS) - _DUST
    if share >= least:
        return TierJudgement(CheckVerdict.GOOD, share)
    if tier is not Tier.LINK and share >= LOOK - _DUST:
        return TierJudgement(CheckVerdict.LOOK, share)
    if any(share_of(one, low, high, better) >= least for one in noisy):
        return TierJudgement(
            CheckVerdict.LOOK,
            share,
            tr("the row is too noisy to judge: only some of its rounds pass"),
            tr("too noisy"),
        )
    return TierJudgement(CheckVerdict.FAIL, share)


def without_range(value: float, peak: float | None, better: Better) -> TierJudgement:
    """The judgement without an expected value: `not judged`.

    The reason has a hint if higher is better and ``value`` is below `FLOOR` times ``peak``.
    """
    why, brief = tr("no expected value to compare with"), tr("no expected value")
    if peak is not None and better is Better.HIGHER and value < FLOOR * peak:
        why = tr("no expected value to compare with; the value is below 70 % of the peak")
        brief = tr("below 70 % of the peak")
    return TierJudgement(CheckVerdict.NOT_JUDGED, None, why, brief)


def is_above(value: float, peak: float | None, better: Better) -> bool:
    """Whether ``value`` is more than `PEAK_TOLERANCE` above ``peak``; False if lower is better."""
    return peak is not None and better is Better.HIGHER and value > peak * (1 + PEAK_TOLERANCE)
