"""Judge a difference by a threshold: better, worse, same, or unclear."""

from __future__ import annotations

import math

from membench.core.terms import Better, Word

_DUST = 1e-9  # tolerance for rounding: a difference equal to the threshold is not beyond it


class Verdict(Word):
    """How the values of a label compare with the values of the reference."""

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
"""Classes of lines that ``--fail-on`` accepts: verdicts, and missing or failed results."""


class Reason(Word):
    BEYOND = "beyond-threshold"  # the whole interval is beyond the threshold
    WITHIN = "within-threshold"  # the whole interval is within the threshold
    WIDE = "interval-wide"  # the interval crosses the threshold
    FEW = "too-few-values"  # there is no interval
    CASE_VERSION = "case-version"
    UNIT = "unit"
    BYTES = "bytes-convention"
    BACKEND = "backend"
    PAGES = "pages"  # only one label had the huge pages that its case requires
    SIZE = "size"  # a size that the user requested, against a size that membench chose
    CASE = "case"  # the nearest case to a published figure, which is not comparable
    ABOVE_PEAK = "above-peak"  # a value above the peak of the hardware


def judge(
    log_interval: tuple[float, float] | None, threshold: float, better: Better
) -> tuple[Verdict, Reason]:
    """Judge a ratio from ``log_interval``, the confidence interval of its logarithm.

    - same: the whole interval is between 1 / (1 + ``threshold``) and 1 + ``threshold``
    - better or worse: the whole interval is outside these limits
    - unclear: the interval contains a limit, or there is no interval
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
    """The logarithm of 1 + ``threshold``, plus a tolerance for rounding errors."""
    return math.log1p(threshold) + _DUST
