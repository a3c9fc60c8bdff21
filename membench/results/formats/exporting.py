"""Selects the rows that an exporter writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from membench.core.terms import Status
from membench.results.schema import Row


def measured(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield the rows with a value, because most formats cannot represent other rows."""
    return (row for row in rows if row.status is Status.OK)
