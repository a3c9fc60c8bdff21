"""The time of a transfer as a function of its size: a fixed time plus a time per byte.

The model is T(V) = a + V / b, with V bytes, the start-up time a and the asymptotic bandwidth b (R.
W. Hockney, "Parallel Computers 2", section 1.3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from membench.core.record import record


@record
class TransferFit:
    """The fit T(V) = start_ns + V / bandwidth of the time of a transfer of V bytes.

    Attributes:
        bandwidth: asymptotic bandwidth in GB/s, which equals bytes per nanosecond.
        worst: largest relative error of the fitted time over all points, a fraction.
    """

    start_ns: float
    bandwidth: float
    worst: float

    @property
    def half_size(self) -> float:
        """Size in bytes of a transfer that reaches half of the asymptotic bandwidth."""
        return self.start_ns * self.bandwidth

    def time_ns(self, size: float) -> float:
        return self.start_ns + size / self.bandwidth


def fit_transfer(sizes: Sequence[float], bandwidths: Sequence[float]) -> TransferFit | None:
    """Fit transfer times to sizes (bytes) and bandwidths (GB/s), both above 0.

    The fit minimizes the squared relative error of the time, so that small transfers count as much
    as large transfers. The result is None for fewer than three sizes, or if the time does not
    increase with the size.
    """
    import numpy as np

    volume = np.asarray(sizes, float)
    if np.unique(volume).size < 3:
        return None
    time = volume / np.asarray(bandwidths, float)
    # Least squares for (a + V c) / T = 1, with c = 1 / b.
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
