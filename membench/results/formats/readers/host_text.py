"""What the readers of host memory benchmarks share: which memory a footprint lies in."""

from __future__ import annotations

from membench.core.terms import Tier
from membench.core.units import GIB, KIB, MIB
from membench.results.formats.figures import Origin, case_id

SURELY_IN_CACHE = 256 * KIB
"""No second-level cache of a server or a desktop since 2008 is smaller."""
_IN_MEMORY = 2 * GIB  # the largest last-level cache is 1.1 GiB
_LIKELY = 32 * MIB


def place(origin: Origin, footprint: int | None) -> tuple[Tier, dict[str, str]]:
    """The tier of ``footprint`` bytes, and what `detail` says of it.

    A tool does not know the caches of the machine: what is neither given nor
    certain is named as assumed.
    """
    if "tier" in origin.given:
        return origin.tier(of=(Tier.DDR, Tier.CACHE)), {}
    if footprint is None:
        return Tier.DDR, {"assumed": "tier"}
    likely = Tier.DDR if footprint >= _LIKELY else Tier.CACHE
    certain = footprint <= SURELY_IN_CACHE or footprint >= _IN_MEMORY
    return likely, {} if certain else {"assumed": "tier"}


def host_case(tier: Tier, tool: str, *params: str) -> str:
    """The id of a tool's own test: ``ddr/<tool>/...``, or ``host/<tool>/...`` in a cache."""
    return case_id("ddr" if tier is Tier.DDR else "host", tool, *params)
