"""What all exporters share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from membench.core.terms import Stat, Status
from membench.results.schema import Row


def measured(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows that have a value: other formats know no skipped and no failed ones."""
    return (row for row in rows if row.status is Status.OK)


def full_name(row: Row) -> str:
    """The case, with the statistic where that is no median."""
    return row.case if row.stat is Stat.MEDIAN else f"{row.case} {row.stat}"
