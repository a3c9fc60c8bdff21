"""Finds the rows of one machine that are evidence for an input, by case id.

Only the case with the best value counts, because this case shows the ability of the hardware.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from membench.core.globs import matches
from membench.core.messages import listed, tr
from membench.core.record import record
from membench.core.terms import OFF_TIER_FLAGS, Badge, Better, Metric, PeakBasis, Status
from membench.results.schema import Row
from membench.thesis.claims.ledger import Input

SI: Mapping[Metric, float] = MappingProxyType(
    {
        Metric.BANDWIDTH: 1e9,  # GB/s -> B/s
        Metric.FLOPS: 1e9,  # GFLOP/s -> FLOP/s
        Metric.LATENCY: 1e-9,  # ns -> s
        Metric.IOPS: 1.0,
        Metric.RATE: 1.0,
        Metric.ENERGY: 1e-12,
    }
)


@record
class EvidenceRows:
    """The rows of one case on one machine, one row per run, or the reason why there are none."""

    rows: tuple[Row, ...] = ()
    missing: str = ""

    @property
    def rounds(self) -> tuple[float, ...]:
        return rounds(self.rows)

    @property
    def peak(self) -> float | None:
        """The first theoretical peak in the rows, in SI units; None if no row has one."""
        for row in self.rows:
            if row.peak is not None and row.peak_basis is not PeakBasis.MEASURED:
                return row.peak * SI[row.metric]
        return None


def rounds(rows: Iterable[Row]) -> tuple[float, ...]:
    """The round values of ``rows`` in SI units; for a row without round values, the value."""
    return tuple(
        value * SI[row.metric]
        for row in rows
        for value in (row.round_values or (row.value or 0.0,))
    )


def machines(rows: Iterable[Row]) -> dict[str, tuple[Row, ...]]:
    """Machine -> its rows. The machines are in the order of their first rows."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.machine, []).append(row)
    return {name: tuple(several) for name, several in found.items()}


def find(need: Input, rows: Sequence[Row]) -> EvidenceRows:
    """The rows of the best case for ``need`` from the ``rows`` of one machine.

    membench's own measurements take precedence over imported ones, and imported ones over cited
    figures.
    """
    asked: list[Row] = []
    seen: list[Row] = []
    for pattern in need.select:
        asked = [
            row
            for row in rows
            if matches(row.case, pattern) and row.metric is need.metric and row.stat is need.stat
        ]
        seen += asked
        if any(row.status is Status.OK for row in asked):
            break
    usable = trusted(asked)
    if not usable:
        return EvidenceRows(missing=_missing(need, seen))
    nearest = min(map(origin, usable))
    usable = [row for row in usable if origin(row) == nearest]
    pick = max if usable[0].better is Better.HIGHER else min
    best = pick(usable, key=lambda row: row.value or 0.0)
    return EvidenceRows(tuple(row for row in usable if _same(row, best)))


def trusted(rows: Iterable[Row]) -> list[Row]:
    """The rows with status `ok` and without any of `OFF_TIER_FLAGS`."""
    return [row for row in rows if row.status is Status.OK and OFF_TIER_FLAGS.isdisjoint(row.flags)]


def origin(row: Row) -> int:
    """0 if membench measured ``row``, 1 if another tool did, 2 if ``row`` cites a publication."""
    return 2 if row.cited else 1 if row.imported else 0


def badges(rows: Iterable[Row]) -> tuple[Badge, ...]:
    worn = {1: Badge.IMPORTED, 2: Badge.CITED}
    return tuple(worn[place] for place in sorted({origin(row) for row in rows} & worn.keys()))


def _same(row: Row, best: Row) -> bool:
    return (row.case, row.case_version) == (best.case, best.case_version)


def _missing(need: Input, asked: Sequence[Row]) -> str:
    cases: str = need.select[0]
    for other in need.select[1:]:
        cases = tr("{case} or {other}", case=cases, other=other)
    name = tr("{input} ({cases})", input=need.what, cases=cases)
    flags = sorted({flag for row in asked for flag in row.flags} & OFF_TIER_FLAGS)
    if any(row.status is Status.OK for row in asked):
        return tr("{input}: no usable row (flags: {flags})", input=name, flags=listed(flags))
    reasons = dict.fromkeys(row.reason for row in asked if row.reason)
    if reasons:
        return tr("{input}: {reason}", input=name, reason=next(iter(reasons)))
    return tr("{input}: not measured", input=name)
