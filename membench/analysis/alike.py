"""Find pairs of rows that are comparable although their cases differ.

There are two kinds of pairs:

- a row with a requested size, and a row of ``size=auto``, if both sizes are too large for the
  caches; their ratio gets no verdict
- a published figure, and a row whose case differs only in ways that the figure permits
  (`membench.analysis.likeness`)
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from membench.analysis.likeness import Likeness, likeness, read_rules
from membench.core.case_id import split_case
from membench.core.terms import MEMORY, OFF_TIER_FLAGS, Metric, Stat, Status
from membench.results.compact.row import Measurement

AUTO = "size=auto"

Key = tuple[str, Metric, Stat]
Table = dict[Key, Sequence[Measurement]]


def is_auto(case: str) -> bool:
    return AUTO in case.split("/")


def put_alike_together(tables: Sequence[Table]) -> None:
    """Give comparable rows of different cases the same key: the key in ``tables[0]``.

    The tables are changed in place. Two rows are comparable if:

    - Their keys differ only in the size, and exactly one key has ``size=auto``.
    - The table of each row does not have the key of the other row.
    - Both rows are `ok` rows of a tier in `MEMORY`, without a flag of `OFF_TIER_FLAGS`.

    If several rows are comparable with one row of the reference, only the row with the nearest size
    gets the key.
    """
    reference, *others = tables
    for table in others:
        if table.keys() == reference.keys():
            continue
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
    """Give published figures and the rows to compare with them the same keys.

    The tables are changed in place. The reference, ``tables[0]``, keeps its keys. Of the rows that
    differ from a figure only in ways that it permits, the row with the fewest differences is
    compared with the figure. If no figure of a bench has such a row, the figure and the row that
    differ least are compared.
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
    """Pair keys of figures in ``cited`` with keys of rows in ``measured``; no row occurs twice."""
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
    """Find the `ok` row of the figure's bench that differs least from the figure.

    The key of the row must be in ``free``. ``rows`` are the rows of the figure. Returns the
    distance (see `_distance`) and the key of the row.
    """
    found = [
        (_distance(rows, others), key)
        for key, others in measured.items()
        if key in free
        and _bench(key) == _bench(figure)
        and all(row.status is Status.OK for row in others)
    ]
    return min(found, key=lambda one: one[0], default=None)


def is_cited(row: Measurement) -> bool:
    return row.backend == "cited"


def likeness_of(figure: Measurement, row: Measurement) -> Likeness | None:
    """Compare the axes of a figure and a row, given in either order; None for different benches."""
    if is_cited(row) and not is_cited(figure):
        figure, row = row, figure
    rules = read_rules(figure.detail.get("alike", ""))
    return likeness(figure.case, rules, row.case, row.array_bytes)


def _bench(key: Key) -> tuple[str, Metric, Stat]:
    return split_case(key[0])[0], key[1], key[2]


def _distance(figures: Sequence[Measurement], rows: Sequence[Measurement]) -> tuple[int, ...]:
    """Sort key: number of forbidden differences, number of permitted differences, GPU index."""
    found = likeness_of(figures[0], rows[0])
    assert found is not None
    gpu = split_case(rows[0].case)[1].get("gpu", "0")
    return len(found.others), len(found.harmless), int(gpu[:18]) if gpu.isdecimal() else 0


def _form(key: Key) -> tuple[object, ...]:
    case, metric, stat = key
    parts = case.split("/")
    return (*(part for part in parts if not part.startswith("size=")), len(parts), metric, stat)


def _is_of_memory(rows: Sequence[Measurement]) -> bool:
    return all(
        row.status is Status.OK
        and row.tier in MEMORY
        and "/size=" in row.case
        and OFF_TIER_FLAGS.isdisjoint(row.flags)
        for row in rows
    )


def _bytes(rows: Sequence[Measurement]) -> int:
    return rows[0].common.size_bytes or 0


def sizes(rows: Sequence[Measurement]) -> tuple[int, ...]:
    """The distinct working sets of ``rows`` in bytes, ascending."""
    return tuple(sorted({row.common.size_bytes for row in rows if row.common.size_bytes}))
