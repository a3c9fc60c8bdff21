"""Whether a device kept its clock rate during a measurement, according to measured clocks."""

from __future__ import annotations

from collections.abc import Sequence

LEAST_SHARE = 0.75
"""If the SM clock is below this share of its maximum, a result does not represent the device.

NVBench discards such samples by default; membench keeps and flags them.
"""

MOST_FALL = 0.05
"""Maximum difference between the clocks of one case, as a share of the highest one."""


def clock_fell(clocks: Sequence[float], highest: float) -> bool:
    """Whether the clock fell below `LEAST_SHARE` of ``highest``, or by more than `MOST_FALL`.

    Args:
        clocks: measured SM clocks in MHz, one per sample set or round; empty if unknown.
        highest: the device's maximum clock in MHz, 0 if unknown.
    """
    if not clocks:
        return False
    lowest = min(clocks)
    return lowest < LEAST_SHARE * highest or lowest < (1 - MOST_FALL) * max(clocks)
