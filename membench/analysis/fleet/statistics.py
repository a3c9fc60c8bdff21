"""Find outliers among the machines of a fleet.

The functions get the values of one case, one value per machine. The values are positive and finite,
of shape (n,). All functions work on logarithms, so that twice the time and half the bandwidth are
equally far from the median.

Sources:

- Iglewicz and Hoaglin, "How to Detect and Handle Outliers", ASQC (1993), for the modified z-score,
  its bound 3.5, and the mean absolute deviation if the median absolute deviation is 0.
- Rousseeuw and Croux, "Alternatives to the Median Absolute Deviation", JASA 88 (1993), for the
  factor 1.4826.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SLOW_Z = 3.5
"""Robust z-score above which a machine counts as slow."""
FAR_Z = 10.0
"""Robust z-score above which one case makes a straggler, in fleets of at least `FAR_MACHINES`."""
FAR_MACHINES = 20
MACHINES_NEEDED = 5
"""Minimum number of machines to find outliers.

With fewer machines, the scale cannot be estimated: of 3 normal machines, one exceeds a score of 3.5
in every seventh case.
"""
CHANCE = 0.05
"""Probability (see `chance_of`) below which chance does not explain that a machine is slow."""

_MAD, _MEAN = 1.4826, 1.253314  # factors to the standard deviation of a normal fleet

# Probability that a machine of a normal fleet of n machines has a score above `SLOW_Z`. It was
# computed from 4e6 / n simulated fleets of each size. The test
# tests/analysis/test_fleet_statistics.py repeats the simulation.
_BEYOND = (
    *((5, 2.67e-2), (6, 1.54e-2), (8, 1.11e-2), (10, 8.4e-3), (15, 5.4e-3), (20, 3.3e-3)),
    *((50, 1.05e-3), (100, 5.8e-4), (1000, 2.55e-4), (10**6, 2.33e-4)),
)


def slowness(values: Floats, *, higher_is_better: bool) -> Floats:
    """Log of the factor by which each machine is slower than the median, shape (n,)."""
    logs = np.log(values)
    apart: Floats = logs - np.median(logs)
    return -apart if higher_is_better else apart


def robust_z(apart: Floats) -> Floats:
    """The modified z-scores of ``apart``, the deviations from the median; shape (n,).

    If more than half of the deviations are 0, the scale is the mean absolute deviation. If all
    deviations are 0, every score is 0.
    """
    absolute = np.abs(apart)
    scale = _MAD * float(np.median(absolute)) or _MEAN * float(absolute.mean())
    return apart / scale if scale else np.zeros_like(apart)


def fleet_spread(apart: Floats) -> float:
    """The spread e^s - 1, with the robust standard deviation s of the log deviations ``apart``."""
    return math.expm1(_MAD * float(np.median(np.abs(apart))))


def share_beyond(machines: int) -> float:
    """Probability that a machine has a score above `SLOW_Z` in a fleet of ``machines``.

    The values of the fleet are assumed to have a normal distribution.
    """
    sizes, shares = zip(*_BEYOND, strict=True)
    return float(np.exp(np.interp(math.log(machines), np.log(sizes), np.log(shares))))


def chance_of(slow: int, shares: Sequence[float], machines: int) -> float:
    """Upper bound of the probability that any machine is slow in ``slow`` cases or more.

    All machines are assumed to be equal, and the cases independent. The probability is exact for
    one machine (a Poisson binomial distribution).

    Args:
        shares: for each case in which the machine was judged, the result of `share_beyond`.
    """
    if not slow:
        return 1.0
    fewer = np.zeros(slow)  # probabilities of exactly 0, 1, ..., slow - 1 slow cases
    fewer[0] = 1.0
    for share in shares:
        fewer[1:] = fewer[1:] * (1 - share) + fewer[:-1] * share
        fewer[0] *= 1 - share
    return min(1.0, machines * max(0.0, 1.0 - float(fewer.sum())))
