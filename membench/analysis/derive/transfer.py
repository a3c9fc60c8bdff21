"""The cost of a transfer of any size: a fixed part and a part per byte.

The model is T(V) = a + V / b (R. W. Hockney, "Parallel Computers 2", section 1.3): `a` the start-up
time, `b` the asymptotic bandwidth, and a * b the size that reaches half of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from membench.core.record import record


@record
class TransferFit:
    """T(V) = start_ns + V / bandwidth.

    Attributes:
        start_ns: nanoseconds before the first byte; not negative.
        bandwidth: asymptote in GB/s, which equals bytes per nanosecond.
        worst: largest relative error of a fitted time at any point, a fraction.
    """

    start_ns: float
    bandwidth: float
    worst: float

    @property
    def half_size(self) -> float:
        """Bytes of the transfer that reaches half of the bandwidth."""
        return self.start_ns * self.bandwidth

    def time_ns(self, size: float) -> float:
        """Nanoseconds of a transfer of ``size`` bytes."""
        return self.start_ns + size / self.bandwidth


def fit_transfer(sizes: Sequence[float], bandwidths: Sequence[float]) -> TransferFit | None:
    """The fit through sizes in bytes and their bandwidths in GB/s (both > 0, same length).

    It minimizes the squared relative error of the time, so that small transfers, which the start-up
    time dominates, count as much as large ones. None for fewer than three sizes, or if the time
    does not increase with size.
    """
    volume = np.asarray(sizes, float)
    if np.unique(volume).size < 3:
        return None
    time = volume / np.asarray(bandwidths, float)
    # (a + V c) / T = 1 in the least squares' sense, c = 1 / b.
    design = np.stack([1 / time, volume / time], axis=1)
    scale = np.linalg.norm(design, axis=0)  # the columns differ by many powers of ten
    solution, *_ = np.linalg.lstsq(design / scale, np.ones(time.size), rcond=None)
    start, slope = (float(part) for part in solution / scale)
    if start < 0:  # the start-up time is below the noise
        start = 0.0
        rates = volume / time
        slope = float(np.sum(rates) / np.sum(rates**2))
    if not (slope > 0 and math.isfinite(slope)):
        return None
    worst = float(np.max(np.abs((start + volume * slope) / time - 1)))
    return TransferFit(start, 1 / slope, worst)
