"""Find the memory tier of each footprint of a pointer chase, from latencies and cache sizes.

The latency over growing footprints (working sets) is a staircase. Each flat step belongs to one
tier; a ramp between two steps belongs to no tier. The reported cache sizes decide the tier of a
step, unless the latencies contradict them. On a GPU, the cache operator of the loads decides
whether L1 can serve the loads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from membench.core.case_id import split_case
from membench.core.record import record
from membench.core.terms import FLAGS, OFF_TIER_FLAGS, REACH, Metric, Stat, Status, Tier
from membench.core.units import MIB
from membench.results.schema import Row, is_whole

FLAT = 1.25
"""Latencies whose ratio is below this factor may be on the same step."""

CLOSE = 1.1
"""Neighbouring latencies whose ratio is below this factor are always on the same step."""

HALF = 0.5
SHARE = 0.1
"""Largest rise of a latency on a step, as a fraction of the rise to a higher step."""

BEYOND = 4
"""Footprints of at least this many times the cache size are in memory (STREAM's rule)."""

LEAST_MEMORY = 256 * MIB
"""Minimum size in bytes of a footprint in memory if the system reports no cache size."""

L1_END = MIB
"""Size in bytes above every GPU's L1 cache and below every GPU's L2 cache."""

LEAST_L2 = 4 * MIB
"""Minimum size in bytes of an L2 cache whose size is not reported (Volta and later)."""

PAST_L1 = frozenset({"cg", "cv"})
"""Cache operators of loads that L1 never serves (PTX ISA, section on cache operators)."""

_TIERS: Mapping[str, tuple[Tier, Tier]] = {
    "host/chase": (Tier.CACHE, Tier.DDR),
    "gpu/chase": (Tier.L2, Tier.HBM),
}
"""Bench -> (tier of footprints in a cache, on a GPU beyond L1; tier of footprints in memory)."""


@record
class _Stair:
    """A footprint (working set) in bytes, and the time of one dependent load in ns."""

    size: int
    latency: float


def settled(rows: Sequence[Row]) -> list[Row]:
    """Return ``rows``, in which each row of a pointer chase has the tier that its curve shows.

    If two tiers serve the loads of a row, the row keeps its tier and gets the flag `transition`. If
    the curve does not show the tier of a row, the row keeps its tier and flags.
    """
    curves: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        if row.status is Status.OK and row.metric is Metric.LATENCY and row.stat is Stat.MEDIAN:
            name, params = split_case(row.case)
            if name in _TIERS and row.value and _footprint(row) and not row.cited:
                params.pop("size", None)
                others = (f"{key}={value}" for key, value in sorted(params.items()))
                curves.setdefault((row.run_id, row.device, name, *others), []).append(row)
    decided: dict[tuple[str, str], Tier | None] = {}
    for several in curves.values():
        several.sort(key=_footprint)
        for place, tier in _tiers(several).items():
            decided[several[place].run_id, several[place].case] = tier
    return [
        _placed(row, decided[row.run_id, row.case]) if (row.run_id, row.case) in decided else row
        for row in rows
    ]


def leading(rows: Sequence[Row]) -> list[Row]:
    """The rows that may show the best value of a tier, with their tiers from `settled`.

    Rows without a value, with a flag of `OFF_TIER_FLAGS`, or measured under load are left out.
    """
    return [
        row
        for row in settled(rows)
        if row.status is Status.OK
        and OFF_TIER_FLAGS.isdisjoint(row.flags)
        and not split_case(row.case)[0].endswith("/loaded")
    ]


def _placed(row: Row, tier: Tier | None) -> Row:
    codes = set(row.flags) - {"cache-served", "transition"}
    codes |= {"transition"} if tier is None and row.status is Status.OK else set()
    flags = tuple(code for code in FLAGS if code in codes)
    return replace(row, tier=tier or row.tier, flags=flags)


def _tiers(rows: Sequence[Row]) -> dict[int, Tier | None]:
    """Index in ``rows`` -> tier, for the rows of one curve; None if two tiers serve the row.

    Rows whose tier is uncertain are left out.
    """
    name, params = split_case(rows[0].case)
    caches, memory = _TIERS[name]
    stairs = [_Stair(_footprint(row), row.value or 0.0) for row in rows]
    cache = max((_reach(row) for row in rows), default=0) or None
    beyond = _of_memory(stairs, cache)
    seen = any(beyond)
    if not seen and cache is None:
        return {}
    least = cache or (LEAST_L2 if name == "gpu/chase" else 0)
    top = stairs[-1].latency if seen else math.inf
    cached = _cached(stairs, beyond, least, cache or math.inf, top)
    found: dict[int, Tier | None] = {}
    for place, stair in enumerate(stairs):
        if beyond[place]:
            found[place] = memory
        elif seen or cache is None or 2 * stair.size <= cache:
            found[place] = caches if cached[place] else None
        elif stair.size > cache:
            found[place] = None  # larger than the cache, but the curve does not reach memory
    if name == "gpu/chase" and params.get("hint") not in PAST_L1:
        large = {place: tier for place, tier in found.items() if stairs[place].size >= L1_END}
        return large | _beside_l1(stairs, cached)
    return found


def _beside_l1(stairs: Sequence[_Stair], cached: Sequence[bool]) -> dict[int, Tier | None]:
    """Index -> tier of each footprint below `L1_END`, for loads that L1 may serve.

    The first step is in L1, and the second step is in L2. A footprint between the two steps has the
    tier None. If the first step has no visible end, L1 and L2 cannot be distinguished, and the
    result is empty.
    """
    small = [place for place, one in enumerate(stairs) if one.size < L1_END]
    l1 = _first_step(stairs)
    if not l1:
        return {}
    steps = [one for one, good in zip(stairs, cached, strict=True) if good]
    last = next((one.latency for one in reversed(steps) if one.size < L1_END), 0.0)
    second = next((one.latency for one in steps if one.size >= L1_END), last)
    shares = {place: _share(stairs[place].latency, stairs[0].latency, second) for place in small}
    return {
        place: Tier.L1 if place < l1 else Tier.L2 if shares[place] >= 1 - SHARE else None
        for place in small
    }


def _of_memory(stairs: Sequence[_Stair], cache: int | None) -> list[bool]:
    """Whether no cache serves the loads, for each footprint.

    ``cache`` is the reported size of the last-level caches in bytes; None if unknown. The footprint
    must be on the last step of the curve. In addition, one of two conditions must be true:

    - The footprint is at least `BEYOND` times ``cache``.
    - The curve has several steps. The footprint is at least `BEYOND` times the first footprint of
      the last step. The footprint is larger than ``cache``, or at least `LEAST_MEMORY` if ``cache``
      is unknown.
    """
    top = stairs[-1].latency
    flat = len(stairs) - 1
    while flat and top / FLAT <= stairs[flat - 1].latency <= top * FLAT:
        flat -= 1
    least = LEAST_MEMORY if cache is None else cache + 1
    return [
        place >= flat
        and (
            (cache is not None and one.size >= BEYOND * cache)
            or (flat > 0 and one.size >= max(least, BEYOND * stairs[flat].size))
        )
        for place, one in enumerate(stairs)
    ]


def _cached(
    stairs: Sequence[_Stair], beyond: Sequence[bool], least: int, most: float, top: float
) -> list[bool]:
    """Whether a single cache serves the loads, for each footprint.

    ``beyond`` is the result of `_of_memory`. ``top`` is the latency of memory in ns, or infinity if
    unknown. The footprint must fit into a cache of ``most`` bytes. In addition, one of three
    conditions must be true:

    - The latency is hardly above the latency of the previous step.
    - The latency is close to the latency of a neighbour.
    - The footprint is at most half of ``least``, the minimum size of the cache, and the latency is
      nearer to the previous step than to memory.
    """
    below = [one for one, out in zip(stairs, beyond, strict=True) if not out]
    found: list[bool] = []
    step = stairs[0].latency
    for place, one in enumerate(below):
        near = any(
            one.latency / CLOSE <= other.latency <= one.latency * CLOSE
            for other in (*below[max(0, place - 1) : place], *below[place + 1 : place + 2])
        )
        share = _share(one.latency, step, top)
        on_a_step = share <= SHARE or near or (2 * one.size <= least and share <= HALF)
        found.append(on_a_step and one.size <= most)
        if found[-1]:
            step = one.latency
    return [*found, *([False] * (len(stairs) - len(below)))]


def _first_step(stairs: Sequence[_Stair]) -> int:
    """Number of footprints on the first step, below `L1_END`; 0 if the step has no visible end."""
    first = stairs[0].latency
    count = 0
    for one in stairs:
        if one.size >= L1_END or one.latency > CLOSE * first:
            break
        count += 1
    ends = any(one.latency >= FLAT * first for one in stairs[count:])
    return count if ends else 0


def _share(latency: float, low: float, high: float) -> float:
    """Position of ``latency`` between ``low`` and ``high``, as a fraction; 0 if high <= low."""
    return (latency - low) / (high - low) if high > low else 0.0


def _footprint(row: Row) -> int:
    return row.size_bytes or row.array_bytes or 0


def _reach(row: Row) -> int:
    text = row.detail.get(REACH, "")
    return int(text) if is_whole(text) else 0
