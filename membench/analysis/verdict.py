"""The verdict: is a difference there, is it large enough to matter, and what would settle it."""

from __future__ import annotations

import math
from enum import StrEnum

from membench.core.terms import Better

_DUST = 1e-9  # of rounding: a difference of exactly the threshold is within it


class Verdict(StrEnum):
    """What the values of a label are against those of the reference."""

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
"""What a gate can fail on: verdicts that no change should earn, and numbers that are not there."""


class Reason(StrEnum):
    """Why the verdict is what it is."""

    BEYOND = "beyond-threshold"  # the whole interval is
    WITHIN = "within-threshold"  # the whole interval is
    WIDE = "interval-wide"  # the interval reaches over the threshold
    FEW = "too-few-values"  # there is no interval
    CASE_VERSION = "case-version"
    UNIT = "unit"
    BYTES = "bytes-convention"
    BACKEND = "backend"
    PAGES = "pages"  # one side had the huge pages of its name, the other had not
    SIZE = "size"  # of one side the size was asked for, of the other the machine decided it
    CASE = "case"  # the nearest case to a published figure, and not alike
    ABOVE_PEAK = "above-peak"  # a number that cannot be


def judge(
    log_interval: tuple[float, float] | None, threshold: float, better: Better
) -> tuple[Verdict, Reason]:
    """The verdict on a ratio whose logarithm lies in ``log_interval``.

    Better or worse: the whole interval lies beyond 1 + ``threshold`` or its
    inverse.  Same: all of it lies between them.  Both sides of the comparison
    may be swapped: better becomes worse, and nothing else changes.
    """
    if log_interval is None:
        return Verdict.UNCLEAR, Reason.FEW
    low, high = log_interval if better is Better.HIGHER else (-log_interval[1], -log_interval[0])
    limit = math.log1p(threshold) + _DUST
    if low > limit:
        return Verdict.BETTER, Reason.BEYOND
    if high < -limit:
        return Verdict.WORSE, Reason.BEYOND
    if -limit <= low and high <= limit:
        return Verdict.SAME, Reason.WITHIN
    return Verdict.UNCLEAR, Reason.WIDE
