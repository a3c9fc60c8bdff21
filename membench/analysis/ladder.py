"""Find the best measurements of each tier, in the order of the memory hierarchy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from membench.core.case_id import split_case
from membench.core.messages import tr
from membench.core.record import record
from membench.core.terms import Better, Metric, Stat, Tier
from membench.results.schema import Row
from membench.results.staircase import leading

SHOWN = (Metric.BANDWIDTH, Metric.LATENCY, Metric.IOPS, Metric.FLOPS)
"""Metrics that the overview of the tiers shows.

The best of several energies, or of the rates of different operations, has no meaning.
"""

_BOTH_WAYS = frozenset({"link/bidir", "link/all", "peer/bidir"})
"""Benches that add up several transfers; the sum exceeds the rate of a single transfer."""
_INSIDE = frozenset({"kv/d2d"})
"""Benches of the tier `link` that move bytes only within the GPU."""
_NOT_READS = {
    "ssd/write": tr("write"),
    "ssd/sync": tr("write and flush"),
    "ssd/sustained": tr("sustained write"),
    "ssd/mix": tr("read and write"),
}
"""Benches of the tier `ssd` that do not only read, and their operations."""
_PEER = "peer/"


@record
class Rung:
    """The rows that represent one tier, one row for each metric.

    Attributes:
        peer: whether the tier is the link between two GPUs, not the link to the host.
        best: metric -> the best of the preferred rows (see `ladder`), in the order of `SHOWN`. Each
            row is a median.
    """

    tier: Tier
    peer: bool
    best: Mapping[Metric, Row]

    @property
    def flags(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(flag for row in self.best.values() for flag in row.flags))


def ladder(
    rows: Sequence[Row], judged: AbstractSet[tuple[str, Metric]] = frozenset()
) -> tuple[Rung, ...]:
    """Find the best rows of each tier; tiers without a usable row (see `leading`) are left out.

    Of a disk, reads are preferred to other operations.

    Args:
        judged: case and metric of the rows that a check judges; they are preferred to better rows.
    """
    groups: dict[tuple[Tier, bool], list[Row]] = {}
    for row in leading(rows):
        if row.metric in SHOWN and row.stat in (Stat.MEDIAN, Stat.P50) and not _of_memory(row):
            peer = row.case.startswith(_PEER)
            groups.setdefault((Tier(row.tier), peer), []).append(row)
    rungs = (
        Rung(tier, peer, _best(groups[tier, peer], judged))
        for tier in Tier
        for peer in (True, False)
        if (tier, peer) in groups
    )
    return tuple(rung for rung in rungs if rung.best)


def _best(rows: Sequence[Row], judged: AbstractSet[tuple[str, Metric]]) -> Mapping[Metric, Row]:
    found: dict[Metric, Row] = {}
    for metric in SHOWN:
        own = [row for row in rows if row.metric is metric]
        first = [row for row in own if (row.case, metric) in judged]
        chosen = first or own
        best = best_of([row for row in chosen if represents_tier(row.case)] or chosen)
        if best is not None:
            found[metric] = best
    return found


def represents_tier(case: str) -> bool:
    """Whether ``case`` is neither a sum of transfers, nor a copy in a GPU, nor a disk write."""
    return split_case(case)[0] not in _BOTH_WAYS | _INSIDE | _NOT_READS.keys()


def operation(row: Row) -> str:
    """The operation of a disk, such as ``write``; empty for a read and for every other tier."""
    return _NOT_READS.get(split_case(row.case)[0], "")


def _of_memory(row: Row) -> bool:
    """Whether ``row`` is the bandwidth of a decode step, which GPU memory limits."""
    return row.tier is Tier.GPU and row.metric is Metric.BANDWIDTH


def best_of(rows: Sequence[Row]) -> Row | None:
    """The best of ``rows`` of one metric, the first if equal; None if there are no rows."""
    if not rows:
        return None
    pick = max if rows[0].better is Better.HIGHER else min
    return pick(rows, key=lambda row: row.value or 0.0)
