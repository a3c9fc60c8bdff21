"""Computes the scatter of the earlier rounds of a case, so that later rounds can stop sooner.

The confidence interval of a row depends on the scatter of its round values. If the error within a
round is much smaller than this scatter, more samples hardly narrow the interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median, stdev

from membench.core.terms import QUANTILE
from membench.results.case_result import CaseResult, Reading

LEAST_ROUNDS = 2
"""Minimum number of earlier rounds."""

FIRST_SHARE = 2 / 3
"""Share of the usual samples, or of the usual seconds, in rounds before the scatter is known.

In two of five rounds, this share widens the interval of a row by at most 10 %, because the variance
of a round value is at most inversely proportional to the number of samples.
"""

RESOLVED = 4
"""Minimum number of samples for a standard error.

A quantile above the median needs as many samples above it.
"""


@dataclass(frozen=True)
class EarlierRounds:
    """The scatter of the earlier rounds of a case.

    If the case has several metrics or statistics, ``scatter`` is the smallest of their values, and
    ``error`` is the largest.

    Attributes:
        scatter: relative standard deviation of the round values.
        error: median standard error of a round value, divided by the standard deviation of the
            round values; at most 1, and 1 if unknown.
    """

    scatter: float
    error: float


def earlier_rounds(units: Iterable[CaseResult]) -> EarlierRounds | None:
    """The scatter of a case. ``units`` are the case's results with the status `ok`, one per round.

    The result is None for fewer than `LEAST_ROUNDS` results, or if a result has no readings.
    """
    rounds = [unit.readings for unit in units]
    if len(rounds) < LEAST_ROUNDS or not all(rounds):
        return None
    of_readings = [_scatter(readings) for readings in zip(*rounds, strict=False)]
    return EarlierRounds(
        scatter=min(scatter for scatter, _ in of_readings),
        error=max(error for _, error in of_readings),
    )


def _scatter(readings: Sequence[Reading]) -> tuple[float, float]:
    """The ``scatter`` and ``error`` of one metric and statistic, from one reading per round."""
    values = [reading.value for reading in readings]
    deviation = stdev(values)
    errors = [standard_error(reading) for reading in readings]
    known = [error for error in errors if error is not None]
    if len(known) < len(errors) or deviation <= 0:
        return max(0.0, deviation) / abs(sum(values) / len(values)), 1.0
    return deviation / abs(sum(values) / len(values)), min(1.0, median(known) / deviation)


def sampling_share(earlier: EarlierRounds | None, rounds: int) -> float:
    """The share of the usual samples, or of the usual seconds, that the next round takes.

    The share is `FIRST_SHARE` until ``earlier`` is known, and then 1. It is always 1 if a case has
    so few ``rounds`` that the scatter stays unknown.
    """
    return FIRST_SHARE if earlier is None and rounds > LEAST_ROUNDS else 1.0


def standard_error(reading: Reading) -> float | None:
    """Standard error of the value of ``reading``, in its unit.

    The result is None for fewer than `RESOLVED` samples, and for a quantile above the median with
    fewer than `RESOLVED` samples above it.

    Of n samples, the number below the quantile q has the standard deviation sqrt(n q (1 - q)). So
    with d = sqrt(q (1 - q) / n), the standard error is half the distance between the quantiles
    q - d and q + d. A median of few samples has the standard error s sqrt(pi / (2 n)), as if the
    samples were normal with the standard deviation s.
    """
    share = QUANTILE[reading.stat]
    if reading.n * (1 - share) < RESOLVED:
        if share != 0.5 or reading.n < RESOLVED:
            return None
        return stdev(reading.samples) * math.sqrt(math.pi / 2 / reading.n)
    step = math.sqrt(share * (1 - share) / reading.n)
    ordered = sorted(reading.samples)
    return (_quantile(ordered, share + step) - _quantile(ordered, share - step)) / 2


def _quantile(ordered: Sequence[float], share: float) -> float:
    """The quantile ``share`` (0 to 1) of ascending values, linearly interpolated."""
    at = min(1.0, max(0.0, share)) * (len(ordered) - 1)
    low = min(int(at), len(ordered) - 2) if len(ordered) > 1 else 0
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (at - low) * (ordered[high] - ordered[low])
