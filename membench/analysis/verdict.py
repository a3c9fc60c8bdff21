"""The verdict on a difference: whether the two sides differ, and by enough to matter."""

from __future__ import annotations

import math

from membench.core.terms import Better, Word

_DUST = 1e-9  # tolerance for rounding: a difference equal to the threshold is within it


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
"""Classes on which a gate can fail: verdicts, and missing or failed numbers."""


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
    SIZE = "size"  # one side's size was requested, the other side's was chosen by membench
    CASE = "case"  # the nearest case to a published figure, which is not comparable
    ABOVE_PEAK = "above-peak"  # a value above the peak of the hardware


def judge(
    log_interval: tuple[float, float] | None, threshold: float, better: Better
) -> tuple[Verdict, Reason]:
    """The verdict on a ratio whose logarithm is within ``log_interval``.

    Better or worse: the whole interval is beyond 1 + ``threshold`` or its inverse. Same: the whole
    interval is between the two. Swapping the sides exchanges better and worse and changes nothing
    else.
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
