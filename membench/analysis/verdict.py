"""The verdict on a difference: whether it exists, whether it matters, and how to decide it."""

from __future__ import annotations

import math

from membench.core.terms import Better, Word

_DUST = 1e-9  # for rounding: a difference equal to the threshold is within it


class Verdict(Word):
    """How the values of a label compare with those of the reference."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "same"
    UNCLEAR = "unclear"
    NA = "n/a"


GATE_CLASSES = (
    Verdict.WORSE.value,
    Verdict.UNCLEAR.value,
    "missing",
    Verdict.NA.value,
    "failed",
)
"""Classes that a gate can fail on: verdicts that a change should not get, and missing or failed
numbers.
"""


class Reason(Word):
    """The reason for a verdict."""

    BEYOND = "beyond-threshold"  # the whole interval is beyond the threshold
    WITHIN = "within-threshold"  # the whole interval is within the threshold
    WIDE = "interval-wide"  # the interval crosses the threshold
    FEW = "too-few-values"  # there is no interval
    CASE_VERSION = "case-version"
    UNIT = "unit"
    BYTES = "bytes-convention"
    BACKEND = "backend"
    PAGES = "pages"  # only one side had the huge pages that its case asks for
    SIZE = "size"  # one side's size was requested, the other's was chosen for the machine
    CASE = "case"  # the nearest case to a published figure, but not comparable
    ABOVE_PEAK = "above-peak"  # an impossible number


def judge(
    log_interval: tuple[float, float] | None, threshold: float, better: Better
) -> tuple[Verdict, Reason]:
    """The verdict on a ratio whose logarithm is within ``log_interval``.

    Better or worse: the whole interval is beyond 1 + ``threshold`` or its inverse. Same: all of it
    is between them. Swapping the two sides turns better into worse and changes nothing else.
    """
    if log_interval is None:
        return Verdict.UNCLEAR, Reason.FEW
    low, high = log_interval if better is Better.HIGHER else (-log_interval[1], -log_interval[0])
    limit = log_limit(threshold)
    if low > limit:
        return Verdict.BETTER, Reason.BEYOND
    if high < -limit:
        return Verdict.WORSE, Reason.BEYOND
    if -limit <= low and high <= limit:
        return Verdict.SAME, Reason.WITHIN
    return Verdict.UNCLEAR, Reason.WIDE


def log_limit(threshold: float) -> float:
    """The largest logarithm of a ratio that is within ``threshold``."""
    return math.log1p(threshold) + _DUST
