"""The ladder of a machine: the best measurement of each tier of its memory hierarchy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from membench.core.case_id import split_case
from membench.core.terms import Better, Metric, Stat, Tier
from membench.results.schema import Row
from membench.results.staircase import leading

SHOWN = (Metric.BANDWIDTH, Metric.LATENCY, Metric.IOPS, Metric.FLOPS)
"""Metrics of a rung. Rates of different operations and energies have no common best."""

_BOTH_WAYS = frozenset({"link/bidir", "link/all", "peer/bidir"})
"""Benches that add up several transfers, and so exceed the ability of a tier for one transfer."""
_INSIDE = frozenset({"kv/d2d"})
"""Benches of the link's family whose bytes never leave the GPU."""
_PEER = "peer/"
"""Prefix of benches between two GPUs, whose link is not the host's."""


@dataclass(frozen=True)
class Rung:
    """The best rows of one tier.

    Attributes:
        peer: whether it is the link between GPUs, not the link to the host.
        best: by metric, in the order of `SHOWN`; a latency is the median or the p50.
    """

    tier: Tier
    peer: bool
    best: Mapping[Metric, Row]

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags of its rows, each once."""
        return tuple(dict.fromkeys(flag for row in self.best.values() for flag in row.flags))


def ladder(
    rows: Sequence[Row], judged: AbstractSet[tuple[str, Metric]] = frozenset()
) -> tuple[Rung, ...]:
    """One rung for each tier with a row that may represent its best (`leading`).

    Args:
        judged: case and metric of rows that take precedence over a tier's best, because a check
            compares them with others' figures.
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
        best = best_of(first or _of_one_transfer(own) or own)
        if best is not None:
            found[metric] = best
    return found


def _of_memory(row: Row) -> bool:
    """Whether a bandwidth in the GPU's own tier, from a decode step, is that of its memory."""
    return row.tier is Tier.GPU and row.metric is Metric.BANDWIDTH


def _of_one_transfer(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if split_case(row.case)[0] not in _BOTH_WAYS | _INSIDE]


def best_of(rows: Sequence[Row]) -> Row | None:
    """The best of ``rows`` of one metric, the first of equals; None if there are no rows."""
    if not rows:
        return None
    pick = max if rows[0].better is Better.HIGHER else min
    return pick(rows, key=lambda row: row.value or 0.0)
