"""Decides from measured clocks whether a device kept its clock rate during a measurement."""

from __future__ import annotations

from collections.abc import Sequence

LEAST_SHARE = 0.75
"""Minimum clock as a share of the device's maximum SM clock.

By default NVBench discards samples below the same share. membench keeps and flags them.
"""

MOST_FALL = 0.05
"""Maximum difference between the clocks of one case, as a share of the highest clock."""


def clock_fell(clocks: Sequence[float], highest: float) -> bool:
    """Whether the lowest clock is too far below the highest clock or the device's maximum.

    Args:
        clocks: measured SM clocks in MHz, one per set of samples or per round; empty if unknown.
        highest: the maximum SM clock of the device in MHz; 0 if unknown.
    """
    if not clocks:
        return False
    lowest = min(clocks)
    return lowest < LEAST_SHARE * highest or lowest < (1 - MOST_FALL) * max(clocks)
