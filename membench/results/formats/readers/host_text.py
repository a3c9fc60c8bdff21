"""Finds the memory tier of a working set, for all readers of host memory benchmarks."""

from __future__ import annotations

from membench.core.terms import Tier
from membench.core.units import GIB, KIB, MIB
from membench.results.formats.figures import Origin, case_id

SURELY_IN_CACHE = 256 * KIB
"""Size in bytes that fits into the second-level cache of any server or desktop since 2008."""
_IN_MEMORY = 2 * GIB  # the largest last-level cache is 1.1 GiB
_LIKELY = 32 * MIB


def place(origin: Origin, footprint: int | None) -> tuple[Tier, dict[str, str]]:
    """The tier of a working set of ``footprint`` bytes, and facts for the column `detail`.

    The file does not describe the caches. So unless the user gives the tier, the facts may say that
    the tier is assumed. If ``footprint`` is None (unknown), the assumed tier is DDR.
    """
    if "tier" in origin.given:
        return origin.tier(of=(Tier.DDR, Tier.CACHE)), {}
    if footprint is None:
        return Tier.DDR, {"assumed": "tier"}
    likely = Tier.DDR if footprint >= _LIKELY else Tier.CACHE
    certain = footprint <= SURELY_IN_CACHE or footprint >= _IN_MEMORY
    return likely, {} if certain else {"assumed": "tier"}


def host_case(tier: Tier, tool: str, *params: str) -> str:
    """The case id ``ddr/<tool>/...``, or ``host/<tool>/...`` for a working set in a cache."""
    return case_id("ddr" if tier is Tier.DDR else "host", tool, *params)
