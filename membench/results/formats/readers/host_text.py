"""Shared by the readers of host memory benchmarks: the memory level of a footprint."""

from __future__ import annotations

from membench.core.terms import Tier
from membench.core.units import GIB, KIB, MIB
from membench.results.formats.figures import Origin, case_id

SURELY_IN_CACHE = 256 * KIB
"""Bytes that fit into any second-level cache of a server or desktop since 2008."""
_IN_MEMORY = 2 * GIB  # the largest last-level cache is 1.1 GiB
_LIKELY = 32 * MIB


def place(origin: Origin, footprint: int | None) -> tuple[Tier, dict[str, str]]:
    """The tier of ``footprint`` bytes, and the facts for `detail`.

    A tool does not know the machine's caches: a tier that is neither given nor certain is marked as
    assumed.
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
