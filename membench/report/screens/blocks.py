"""Group rows into blocks for display. The rows of a block have the same tier, metric and unit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

from membench.core.case_id import with_stat
from membench.core.errors import UsageError
from membench.core.record import record
from membench.core.terms import Better, Metric, Status, Tier
from membench.core.units import Scale, common_scale, parse_size
from membench.results.compact.row import Measurement
from membench.results.schema import Row, is_whole

R = TypeVar("R", Row, Measurement)


@record
class Block(Generic[R]):
    """The `ok` rows of one tier and one metric.

    Attributes:
        common: the ``key=value`` parts that all case ids of the block contain; empty for one row.
        names: the result of `full_name` for each row, without the parts in ``common``.
    """

    tier: Tier
    metric: Metric
    better: Better
    scale: Scale
    common: tuple[str, ...]
    rows: tuple[R, ...]
    names: tuple[str, ...]


def blocks(rows: Iterable[R]) -> list[Block[R]]:
    """The `ok` rows as blocks, in the order of `Tier` and `Metric`.

    Within a block, the benches are in the order of ``rows``, and each bench's rows are sorted by
    axis values.
    """
    groups: dict[tuple[Tier, Metric], list[R]] = {}
    benches: dict[str, int] = {}
    for row in rows:
        if row.status is Status.OK:
            groups.setdefault((Tier(row.tier), Metric(row.metric)), []).append(row)
            benches.setdefault(split(row.case)[0], len(benches))
    made = []
    for tier in Tier:
        for metric in Metric:
            group = groups.get((tier, metric), [])
            if not group:
                continue
            group.sort(key=lambda row: (benches[split(row.case)[0]], natural(row.case)))
            common = _common(group)
            made.append(
                Block(
                    tier=tier,
                    metric=metric,
                    better=Better(group[0].better),
                    scale=common_scale(metric, (row.value or 0.0 for row in group)),
                    common=common,
                    rows=tuple(group),
                    names=tuple(_name(row, common) for row in group),
                )
            )
    return made


def split(case: str) -> tuple[str, tuple[str, ...]]:
    """(name of the bench, ``key=value`` parts) of a case id."""
    parts = case.split("/")
    return "/".join(part for part in parts if "=" not in part), tuple(
        part for part in parts if "=" in part
    )


def _common(rows: Sequence[Row] | Sequence[Measurement]) -> tuple[str, ...]:
    if len(rows) < 2:
        return ()
    first, *others = [split(row.case)[1] for row in rows]
    return tuple(part for part in first if all(part in other for other in others))


def full_name(row: Row | Measurement) -> str:
    """The case id, followed by the statistic if it is not the median."""
    return with_stat(row.case, row.stat)


def _name(row: Row | Measurement, common: tuple[str, ...]) -> str:
    bench, params = split(row.case)
    name = "/".join([bench, *(part for part in params if part not in common)])
    return with_stat(name, row.stat)


def natural(case: str) -> tuple[tuple[str, bool, int, str], ...]:
    """Sort key for case ids of one bench: 16KiB before 2MiB, 2 before 10, words after numbers."""

    def key(part: str) -> tuple[str, bool, int, str]:
        name, _, value = part.partition("=")
        if is_whole(value):
            return name, False, int(value), ""
        try:
            return name, False, parse_size(value), ""
        except UsageError:
            return name, True, 0, value

    return tuple(key(part) for part in split(case)[1])
