"""The rule by which a measured value is judged, and its numbers.

How others set theirs, from which these numbers were taken, stands in ``docs/check.md``:
SuperBench's documentation and CSCS call a memory figure defective 5 % below its reference,
SuperBench's published rule, CSCS for GPUs, gpu-fryer and Microsoft's documentation 10 % below;
Azure's health checks let host links fall to 87 % of what others measured, because root complexes
and switches differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from membench.core.messages import tr
from membench.core.terms import Better, Metric, Tier

PASS = 0.95
"""Share of the low end of the expected range from which on memory and compute pass."""
LOOK = 0.90
"""From here on they deserve a look; below, they fail."""
LINK = 0.87
"""From here on a link passes; below, it fails."""
WIDE = 0.10
"""A range that is wider than this share of its low end allows no verdict."""
TOO_HIGH = 1.05
"""Above this multiple of the high end the measurement is at fault, not the machine."""
TOO_FAST = 1.25
"""The same for latencies, of which tools subtract more or less of what the timer costs."""
FLOOR = 0.70
"""Share of the peak that every kind of memory exceeds; below it something is wrong, above it
nothing is shown."""
PEAK_TOLERANCE = 0.01
"""By how much a value may exceed a peak: clocks are reported in whole MHz."""


_DUST = 1e-9  # of rounding: a value that lies on an edge has reached it


class CheckVerdict(StrEnum):
    """What is said of a tier, the worst last."""

    GOOD = "pass"
    LOOK = "look"
    NOT_JUDGED = "not judged"
    FAULT = "measurement fault"
    FAIL = "fail"


@dataclass(frozen=True)
class TierJudgement:
    """A verdict on one value.

    Attributes:
        share: of the end of the range that the machine must reach; 1 is exactly that. None
            without a range.
        why: the reason where the number alone does not tell it, empty otherwise.
        brief: the same in two or three words, for a table; empty where that takes more.
    """

    verdict: CheckVerdict
    share: float | None
    why: str = ""
    brief: str = ""


def share_of(value: float, low: float, high: float, better: Better) -> float:
    """``value`` as a share of the worse end of the range; above 1 it is better than that."""
    return value / low if better is Better.HIGHER else high / value


def width(low: float, high: float) -> float:
    """How wide a range is, a share of its low end."""
    return high / low - 1


def judge(
    value: float, low: float, high: float, *, tier: Tier, metric: Metric, better: Better
) -> TierJudgement:
    """The verdict on ``value`` where others got ``low`` to ``high``, all in one unit above 0."""
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
            tr("published figures differ by more than 10 %: only the ratio is given"),
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
    """What can be said of ``value`` without a figure to hold it to: never that it passes."""
    why, brief = tr("no figure to compare with"), tr("no figure")
    if peak is not None and better is Better.HIGHER and value < FLOOR * peak:
        why = tr("no figure to compare with, and below the floor of 70 % of the peak")
        brief = tr("below the floor")
    return TierJudgement(CheckVerdict.NOT_JUDGED, None, why, brief)


def is_above(value: float, peak: float | None, better: Better) -> bool:
    """``value`` is better than the hardware can be."""
    return peak is not None and better is Better.HIGHER and value > peak * (1 + PEAK_TOLERANCE)
