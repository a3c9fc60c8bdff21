"""Functions that all exporters share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from membench.core.terms import Stat, Status
from membench.results.schema import Row


def measured(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield the rows with a value, because most formats cannot represent other rows."""
    return (row for row in rows if row.status is Status.OK)


def full_name(row: Row) -> str:
    """The case id, followed by the statistic if the statistic is not the median."""
    return row.case if row.stat is Stat.MEDIAN else f"{row.case} {row.stat}"
