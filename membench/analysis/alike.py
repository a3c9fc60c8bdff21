"""Rows that are alike though they are not of the same case.

Rows of a size that was asked for beside rows of ``size=auto``: both measure memory where both are
large enough for it; the ratio is worth showing, and no verdict rests on it.  And rows beside a
published figure, which tells itself which axes may differ (`membench.analysis.likeness`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from membench.analysis.derive.tiers import split_case
from membench.analysis.likeness import Likeness, likeness, read_rules
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


def put_beside_figures(tables: Sequence[Table]) -> None:
    """Put published figures and the rows that are alike them under one key.

    Either side may be the published one.  Each figure without a counterpart of its very case gets
    the row that is alike and differs least.  A bench of which no row is alike any figure gets the
    nearest one, so that a reader sees what there is and what differs.
    """
    reference, *others = tables
    published = bool(_figures(reference))
    for other in others:
        if published:
            for figure, row in _pairs(reference, other):
                other[figure] = other.pop(row)
        elif _figures(other):
            for figure, row in _pairs(other, reference):
                other[row] = other.pop(figure)


def _figures(table: Table) -> list[Key]:
    return [key for key, rows in table.items() if all(is_cited(row) for row in rows)]


def _pairs(cited: Table, measured: Table) -> list[tuple[Key, Key]]:
    """Figures of ``cited`` and rows of ``measured`` for each other, no row twice."""
    answered = {_bench(key) for key in measured if key in cited}
    free = {key for key in measured if key not in cited}
    found: list[tuple[Key, Key]] = []
    apart: list[tuple[tuple[int, ...], Key]] = []

    def take(figure: Key, row: Key) -> None:
        found.append((figure, row))
        free.discard(row)
        answered.add(_bench(figure))

    for figure in _figures(cited):
        nearest = _nearest(cited[figure], figure, measured, free)
        if nearest is not None and figure not in measured:
            distance, row = nearest
            if distance[0]:
                apart.append((distance, figure))
            else:
                take(figure, row)
    for _, figure in sorted(apart, key=lambda one: one[0]):
        nearest = _nearest(cited[figure], figure, measured, free)
        if nearest is not None and _bench(figure) not in answered:
            take(figure, nearest[1])
    return found


def _nearest(
    rows: Sequence[Measurement], figure: Key, measured: Table, free: Collection[Key]
) -> tuple[tuple[int, ...], Key] | None:
    """Which of the ``free`` rows of its bench differs least from a figure, and how much."""
    found = [
        (_distance(rows, others), key)
        for key, others in measured.items()
        if key in free
        and _bench(key) == _bench(figure)
        and all(row.status is Status.OK for row in others)
    ]
    return min(found, key=lambda one: one[0], default=None)


def is_cited(row: Measurement) -> bool:
    """Somebody else published it."""
    return row.backend == "cited"


def likeness_of(figure: Measurement, row: Measurement) -> Likeness | None:
    """How the case of ``row`` differs from a published figure's; None for another bench.

    Where ``row`` is the published one, the two change places.
    """
    if is_cited(row) and not is_cited(figure):
        figure, row = row, figure
    rules = read_rules(figure.detail.get("alike", ""))
    return likeness(figure.case, rules, row.case, row.array_bytes)


def _bench(key: Key) -> tuple[str, Metric, Stat]:
    return split_case(key[0])[0], key[1], key[2]


def _distance(figures: Sequence[Measurement], rows: Sequence[Measurement]) -> tuple[int, ...]:
    """How many axes differ that may not, and that may; then the GPU, the first one first."""
    found = likeness_of(figures[0], rows[0])
    assert found is not None
    gpu = split_case(rows[0].case)[1].get("gpu", "0")
    return len(found.others), len(found.harmless), int(gpu) if gpu.isdecimal() else 0


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
