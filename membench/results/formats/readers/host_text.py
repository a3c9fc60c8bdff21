"""Functions shared by the readers of host memory benchmarks: the memory tier of a footprint."""

from __future__ import annotations

from membench.core.terms import Tier
from membench.core.units import GIB, KIB, MIB
from membench.results.formats.figures import Origin, case_id

SURELY_IN_CACHE = 256 * KIB
"""Bytes that fit into any second-level cache of a server or desktop since 2008."""
_IN_MEMORY = 2 * GIB  # the largest last-level cache is 1.1 GiB
_LIKELY = 32 * MIB


def place(origin: Origin, footprint: int | None) -> tuple[Tier, dict[str, str]]:
    """The tier of ``footprint`` bytes, and facts for `detail`.

    The file does not describe the machine's caches. If the tier is neither given by the user nor
    certain, it is marked as assumed.
    """
    if "tier" in origin.given:
        return origin.tier(of=(Tier.DDR, Tier.CACHE)), {}
    if footprint is None:
        return Tier.DDR, {"assumed": "tier"}
    likely = Tier.DDR if footprint >= _LIKELY else Tier.CACHE
    certain = footprint <= SURELY_IN_CACHE or footprint >= _IN_MEMORY
    return likely, {} if certain else {"assumed": "tier"}


def host_case(tier: Tier, tool: str, *params: str) -> str:
    """The case id for a test that only this tool has: ``ddr/<tool>/...``, or ``host/<tool>/...``.

    The second form is for footprints in a cache.
    """
    return case_id("ddr" if tier is Tier.DDR else "host", tool, *params)
