"""The rule by which a measured value is judged, with its thresholds.

The thresholds follow those of others (``docs/check.md``): SuperBench's documentation and CSCS call
a memory figure defective 5 % below its reference, SuperBench's published rule, CSCS for GPUs,
gpu-fryer and Microsoft's documentation 10 % below; Azure's health checks let host links fall to 87
% of what others measured, because root complexes and switches differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from membench.core.messages import tr
from membench.core.terms import Better, Metric, Tier

PASS = 0.95
"""Share of the low end of the expected range at or above which memory and compute pass."""
LOOK = 0.90
"""Memory and compute between this share and `PASS` get the verdict "look"; below it they fail."""
LINK = 0.87
"""Share at or above which a link passes; below it, it fails."""
WIDE = 0.10
"""A range that is wider than this share of its low end permits no verdict."""
TOO_HIGH = 1.05
"""Above this multiple of the high end the measurement is wrong, not the machine."""
TOO_FAST = 1.25
"""The same for latencies, from which tools subtract different parts of the timer's cost."""
FLOOR = 0.70
"""Share of the peak that every kind of memory exceeds: a value below it means a fault, a value
above it proves nothing.
"""
PEAK_TOLERANCE = 0.01
"""Fraction by which a value may exceed a peak: clocks are reported in whole MHz."""


_DUST = 1e-9  # for rounding: a value on the edge counts as having reached it


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
        share: value over the end of the range that the machine must reach; 1 is exactly that. None
            without a range.
        why: the reason if the number alone does not show it; empty otherwise.
        brief: the same in two or three words, for a table; empty if that is too short.
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
    """The verdict on ``value`` if others got ``low`` to ``high``, all in one unit above 0."""
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
    """The judgement on ``value`` without a figure to compare with, which is never a pass."""
    why, brief = tr("no figure to compare with"), tr("no figure")
    if peak is not None and better is Better.HIGHER and value < FLOOR * peak:
        why = tr("no figure to compare with, and below the floor of 70 % of the peak")
        brief = tr("below the floor")
    return TierJudgement(CheckVerdict.NOT_JUDGED, None, why, brief)


def is_above(value: float, peak: float | None, better: Better) -> bool:
    """Whether ``value`` is better than the hardware allows."""
    return peak is not None and better is Better.HIGHER and value > peak * (1 + PEAK_TOLERANCE)
