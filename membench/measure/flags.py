"""The flags that need a threshold or the machine to be seen; what a worker saw, a unit carries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from membench.machine import Machine
from membench.record.plan import Plan
from membench.record.rows import rows
from membench.record.schema import Row
from membench.record.unit import Unit
from membench.terms import FLAGS, NOISE_THRESHOLD, CacheState, Status, Tier

CACHE_MULTIPLE = 4
"""STREAM's rule: a working set for memory is at least four times the last-level cache."""

COLD_SHARE = 0.01
"""Share of a file that may be in the page cache while it is still called cold."""


def results(plan: Plan, units: Iterable[Unit], machine: Machine) -> list[Row]:
    """The rows of what was measured so far, flagged."""
    return [flagged(row, machine) for row in rows(plan, units, partial=True)]


def flagged(row: Row, machine: Machine) -> Row:
    """``row`` with the flags that it deserves; only `ok` rows carry any."""
    if row.status is not Status.OK:
        return row
    codes = set(row.flags)
    if row.spread is not None and row.spread > NOISE_THRESHOLD[row.tier]:
        codes.add("noisy")
    if machine.cpu.hypervisor:
        codes.add("vm")
    if row.stop_reason == "wall-cap":
        codes.add("not-converged")
    if _may_be_cached(row, machine):
        codes.add("cache-served")
    if _was_in_page_cache(row):
        codes.add("page-cache")
    return replace(row, flags=tuple(code for code in FLAGS if code in codes))


def _may_be_cached(row: Row, machine: Machine) -> bool:
    return (
        row.tier is Tier.DDR
        and row.backend == "cpu"
        and row.size_bytes is not None
        and row.size_bytes < CACHE_MULTIPLE * machine.cpu.last_level_bytes
    )


def _was_in_page_cache(row: Row) -> bool:
    """A cold case of which more than `COLD_SHARE` of the file was resident in some round."""
    if row.cache_state is not CacheState.COLD or "resident" not in row.detail:
        return False
    shares = row.detail["resident"].split(",")  # one text a round where they differ
    return any(float(share.rstrip("%")) > 100 * COLD_SHARE for share in shares)
