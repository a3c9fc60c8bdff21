"""Whether a device kept its clock during a measurement, judged by the measured clock."""

from __future__ import annotations

from collections.abc import Sequence

LEAST_SHARE = 0.75
"""Share of the highest SM clock below which a number does not represent the device.

NVBench discards samples below it by default; here they are kept and flagged.
"""

MOST_FALL = 0.05
"""Largest difference between the clocks of one case, as a share of the highest of them."""


def clock_fell(clocks: Sequence[float], highest: float) -> bool:
    """Whether the clock fell below `LEAST_SHARE` of ``highest``, or by more than `MOST_FALL`.

    Args:
        clocks: measured SM clocks in MHz, one per sample set or round; empty if none is known.
        highest: the highest clock of the device in the same unit, 0 if unknown.
    """
    if not clocks:
        return False
    lowest = min(clocks)
    return lowest < LEAST_SHARE * highest or lowest < (1 - MOST_FALL) * max(clocks)
