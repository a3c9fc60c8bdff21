"""Whether a device kept its clock while it was measured: judged by the measured clock."""

from __future__ import annotations

from collections.abc import Sequence

LEAST_SHARE = 0.75
"""Share of the highest SM clock below which a number is not the device's.

NVBench's default bound for throwing a sample away; here the sample is kept and flagged.
"""

MOST_FALL = 0.05
"""By how much clocks of one case may differ, as a share of the highest of them."""


def clock_fell(clocks: Sequence[float], highest: float) -> bool:
    """The clock fell below `LEAST_SHARE` of ``highest``, or by more than `MOST_FALL` meanwhile.

    Args:
        clocks: measured SM clocks in MHz, one a sample set or round; empty where none is known.
        highest: the highest clock that the device has, in the same unit, 0 where unknown.
    """
    if not clocks:
        return False
    lowest = min(clocks)
    return lowest < LEAST_SHARE * highest or lowest < (1 - MOST_FALL) * max(clocks)
