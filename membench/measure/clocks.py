"""Decides from measured clocks whether a device kept its clock rate during a measurement."""

from __future__ import annotations

from collections.abc import Sequence

LEAST_SHARE = 0.75
"""Minimum share of the maximum SM clock. Below this clock, a result does not represent the device.

By default NVBench discards samples at a lower clock. membench keeps and flags them.
"""

MOST_FALL = 0.05
"""Maximum difference between the clocks of one case, as a share of the highest clock."""


def clock_fell(clocks: Sequence[float], highest: float) -> bool:
    """Whether the lowest of ``clocks`` is below one of two limits; False if ``clocks`` is empty.

    The limits are `LEAST_SHARE` times ``highest``, and (1 - `MOST_FALL`) times the largest of
    ``clocks``.

    Args:
        clocks: measured SM clocks in MHz, one per set of samples or per round; empty if unknown.
        highest: the device's maximum clock in MHz; 0 if unknown.
    """
    if not clocks:
        return False
    lowest = min(clocks)
    return lowest < LEAST_SHARE * highest or lowest < (1 - MOST_FALL) * max(clocks)
