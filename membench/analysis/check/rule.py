"""The rule by which a measured value is judged, with its thresholds.

The thresholds follow published ones (``docs/check.md``). SuperBench's documentation and CSCS call a
memory figure defective if it is 5 % below its reference. SuperBench's published rule, CSCS for
GPUs, gpu-fryer and Microsoft's documentation use 10 %. Azure's health checks let host links fall to
87 % of what others measured, because root complexes and switches differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from membench.core.messages import tr
from membench.core.terms import Better, Metric, Tier

PASS = 0.95
"""Memory and compute pass at or above this share of the low end of the expected range."""
LOOK = 0.90
"""Memory and compute between this share and `PASS` get the verdict "look"; below it they fail."""
LINK = 0.87
"""Share at or above which a link passes; below it, it fails."""
WIDE = 0.10
"""A range wider than this share of its low end is too uncertain for a verdict."""
TOO_HIGH = 1.05
"""A value above this multiple of the high end is a measurement fault, not a fast machine."""
TOO_FAST = 1.25
"""`TOO_HIGH` for latencies, because tools subtract different parts of the timer's cost."""
FLOOR = 0.70
"""Share of the peak that every kind of memory exceeds.

A value below it indicates a fault; a value above it proves nothing.
"""
PEAK_TOLERANCE = 0.01
"""Fraction by which a value may exceed a peak: clocks are reported in whole MHz."""


_DUST = 1e-9  # tolerance for rounding: a value on the threshold counts as reaching it


class CheckVerdict(StrEnum):
    """The verdict on a tier, in the order from best to worst."""

    GOOD = "pass"
    LOOK = "look"
    NOT_JUDGED = "not judged"
    FAULT = "measurement fault"
    FAIL = "fail"


@dataclass(frozen=True)
class TierJudgement:
    """A verdict on one value.

    Attributes:
        share: value over the end of the range that the machine must reach, so 1 just reaches it;
        None without a range.
        why: the reason for the verdict; empty if the number shows it.
        brief: the reason in two or three words for a table; may be empty.
    """

    verdict: CheckVerdict
    share: float | None
    why: str = ""
    brief: str = ""


def share_of(value: float, low: float, high: float, better: Better) -> float:
    """``value`` as a share of the worse end of the range; above 1 it is better than that end."""
    return value / low if better is Better.HIGHER else high / value


def width(low: float, high: float) -> float:
    """The width of a range as a fraction of its low end."""
    return high / low - 1


def judge(
    value: float, low: float, high: float, *, tier: Tier, metric: Metric, better: Better
) -> TierJudgement:
    """The verdict on ``value`` if others measured ``low`` to ``high``, in the same unit (> 0)."""
    share = share_of(value, low, high, better)
    best = value / high if better is Better.HIGHER else low / value
    limit = TOO_FAST if metric is Metric.LATENCY else TOO_HIGH
    if best > limit + _DUST:
        return TierJudgement(
            CheckVerdict.FAULT,
            share,
            tr("better than any published measurement: look for a cache or another byte count"),
            tr("too good"),
        )
    if width(low, high) > WIDE + _DUST:
        return TierJudgement(
            CheckVerdict.NOT_JUDGED,
            share,
            tr("the expected range is wider than 10 %: only the ratio is given"),
            tr("wide"),
        )
    if tier is Tier.LINK:
        return TierJudgement(
            CheckVerdict.GOOD if share >= LINK - _DUST else CheckVerdict.FAIL, share
        )
    if share >= PASS - _DUST:
        return TierJudgement(CheckVerdict.GOOD, share)
    return TierJudgement(CheckVerdict.LOOK if share >= LOOK - _DUST else CheckVerdict.FAIL, share)


def without_range(value: float, peak: float | None, better: Better) -> TierJudgement:
    """The judgement on ``value`` without a figure to compare with; it is never a pass."""
    why, brief = tr("no figure to compare with"), tr("no figure")
    if peak is not None and better is Better.HIGHER and value < FLOOR * peak:
        why = tr("no figure to compare with, and below the floor of 70 % of the peak")
        brief = tr("below the floor")
    return TierJudgement(CheckVerdict.NOT_JUDGED, None, why, brief)


def is_above(value: float, peak: float | None, better: Better) -> bool:
    """Whether ``value`` exceeds ``peak`` by more than `PEAK_TOLERANCE`; never for latencies."""
    return peak is not None and better is Better.HIGHER and value > peak * (1 + PEAK_TOLERANCE)
