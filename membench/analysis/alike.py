"""Rows of a size that was asked for, beside rows of ``size=auto``: alike, though not the same case.

Both measure memory where both are large enough for it: the ratio is worth showing, and no
verdict rests on it.
"""

from __future__ import annotations

from collections.abc import Sequence

from membench.core.terms import OFF_TIER_FLAGS, Metric, Stat, Status, Tier
from membench.results.compact.row import Measurement

AUTO = "size=auto"
_MEMORY = frozenset({Tier.DDR, Tier.HBM})

Key = tuple[str, Metric, Stat]
Table = dict[Key, list[Measurement]]


def is_auto(case: str) -> bool:
    """Whether the machine decided the size of ``case``."""
    return AUTO in case.split("/")


def put_alike_together(tables: Sequence[Table]) -> None:
    """Put the rows of every other table under the reference's key that they are alike.

    Only where one of the two is of ``size=auto``, the reference has no counterpart of the very
    case, and no row says that a cache served it.  Of several sizes the nearest one is taken.
    """
    reference, *others = tables
    for table in others:
        free: dict[tuple[object, ...], list[Key]] = {}
        for key in table:
            if key not in reference and _is_of_memory(table[key]):
                free.setdefault(_form(key), []).append(key)
        for key in reference:
            if key in table or not _is_of_memory(reference[key]):
                continue
            candidates = [
                other
                for other in free.get(_form(key), ())
                if other in table and is_auto(other[0]) != is_auto(key[0])
            ]
            if candidates:
                size = _bytes(reference[key])
                nearest = min(candidates, key=lambda one: abs(_bytes(table[one]) - size))
                table[key] = table.pop(nearest)


def _form(key: Key) -> tuple[object, ...]:
    """``key`` without the size."""
    case, metric, stat = key
    parts = case.split("/")
    return (*(part for part in parts if not part.startswith("size=")), len(parts), metric, stat)


def _is_of_memory(rows: Sequence[Measurement]) -> bool:
    return all(
        row.status is Status.OK
        and row.tier in _MEMORY
        and "/size=" in row.case
        and OFF_TIER_FLAGS.isdisjoint(row.flags)
        for row in rows
    )


def _bytes(rows: Sequence[Measurement]) -> int:
    return rows[0].common.size_bytes or 0


def sizes(rows: Sequence[Measurement]) -> tuple[int, ...]:
    """The working sets of ``rows`` in bytes, each once, ascending."""
    return tuple(sorted({row.common.size_bytes for row in rows if row.common.size_bytes}))
