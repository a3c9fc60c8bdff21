"""Groups rows into series of cases that differ in only one parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from membench.core.errors import UsageError
from membench.core.messages import clauses, sentences, span, tr
from membench.core.terms import Status
from membench.core.units import parse_size, significant
from membench.report.page.document import Code, Column, Table
from membench.report.page.runs import Run
from membench.report.screens.blocks import split
from membench.results.schema import Row

_LEAST, _MOST = 1e-6, 1e15
"""Limits of plausible values: 1 fs and 11.6 days in ns, 1 kB/s and 1 yottabyte/s in GB/s."""


@dataclass(frozen=True)
class SweepPoint:
    """A row and its position on the swept axis."""

    x: float
    row: Row
    run: str

    @property
    def y(self) -> float:
        """The median of the row's rounds, in the unit of the file."""
        return self.row.value or 0.0

    @property
    def values(self) -> tuple[float, ...]:
        """The median, followed by the values of single rounds if they are known."""
        return (self.y, *self.row.round_values)


@dataclass(frozen=True)
class Series:
    """Points in the order of the axis, and the name of the series."""

    label: str
    points: tuple[SweepPoint, ...]

    @property
    def x(self) -> list[float]:
        """Positions of the points on the axis."""
        return [point.x for point in self.points]

    @property
    def y(self) -> list[float]:
        return [point.y for point in self.points]

    @property
    def cited(self) -> bool:
        """Whether all points are cited figures, which no tool measured here."""
        return all(point.row.cited for point in self.points)


def measured(runs: Sequence[Run]) -> Iterator[tuple[Run, Row]]:
    """The `ok` rows with a plausible number; an impossible number would stretch the axes.

    Cited rows are included; plots draw them hollow (`style.mark`).
    """
    for run in runs:
        for row in run.rows:
            numbers = [*row.round_values, row.value or 0.0, row.peak or 1.0]
            possible = min(numbers) >= _LEAST and max(numbers) <= _MOST
            if row.status is Status.OK and possible:
                yield run, row


def bench(row: Row) -> str:
    """The bench of a row's case."""
    return split(row.case)[0]


def parameter(row: Row, key: str) -> str:
    """The value of ``key`` in the case id of ``row``; empty if the id does not have this key."""
    return dict(part.split("=", 1) for part in split(row.case)[1]).get(key, "")


def size_of(row: Row, key: str) -> float | None:
    """The parameter ``key`` in bytes; None if it is not a size that can be drawn."""
    if key == "size":
        return _place(row.array_bytes or 0)
    try:
        return _place(parse_size(parameter(row, key)))
    except UsageError:
        return None


def count_of(row: Row, key: str) -> float | None:
    """The parameter ``key`` as a count; None if it is not a count that can be drawn."""
    text = parameter(row, key)
    return _place(int(text)) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _place(number: int) -> float | None:
    """``number``, or None if it has no position on a logarithmic axis."""
    return float(number) if 1 <= number <= _MOST else None


def sweep(
    runs: Sequence[Run],
    key: str,
    position: Callable[[Row], float | None],
    wanted: Callable[[Row], bool],
    least: int = 2,
) -> list[Series]:
    """Series of the ``wanted`` rows over the parameter ``key``; the longest series first.

    Args:
        runs: source of the rows.
        key: the swept parameter.
        position: function that gives the position of a row on the axis, or None.
        wanted: function that tells whether a row belongs in the plot.
        least: minimum number of points of a series.
    """
    groups: dict[tuple[str, ...], list[SweepPoint]] = {}
    for run, row in measured(runs):
        x = position(row)
        if x is not None and wanted(row):
            rest = (part for part in split(row.case)[1] if not part.startswith(f"{key}="))
            groups.setdefault((run.label, bench(row), *rest), []).append(
                SweepPoint(x, row, run.label)
            )
    groups = {name: points for name, points in groups.items() if len(points) >= least}
    labels = _labels(list(groups))
    series = [
        Series(label, tuple(sorted(points, key=lambda point: point.x)))
        for label, points in zip(labels, groups.values(), strict=True)
    ]
    return sorted(series, key=lambda one: -len(one.points))


def _labels(names: Sequence[tuple[str, ...]]) -> list[str]:
    """For each of ``names``, the words that not all names share; a single name has no run."""
    if len(names) == 1:
        return [" ".join(names[0][1:])]
    common = set(names[0]).intersection(*names) if names else set()
    return [" ".join(part for part in name if part not in common) or name[1] for name in names]


def data_table(caption: str, rows: Sequence[tuple[str, Row]]) -> Table:
    """The rows behind a plot, each with its run's label, its value and the value of every round."""
    several = len({run for run, _ in rows}) > 1
    head = (
        Column(tr("case")),
        Column(tr("value"), numeric=True),
        Column(tr("unit")),
        Column(tr("each round")),
    )
    return Table(
        caption,
        (Column(tr("run")), *head) if several else head,
        tuple(
            (
                *(((run,),) if several else ()),
                (Code(named(row)),),
                (significant(row.value or 0.0),),
                (row.unit,),
                (clauses(significant(value) for value in row.round_values),),
            )
            for run, row in rows
        ),
    )


def of_series(series: Sequence[Series]) -> list[tuple[str, Row]]:
    """The rows of ``series`` with their runs, as arguments of `data_table`."""
    return [(point.run, point.row) for one in series for point in one.points]


def named(row: Row) -> str:
    """The case id; if the statistic is not the median, followed by the statistic."""
    return row.case if row.stat == "median" else f"{row.case} {row.stat}"


def rounds_text(rows: Sequence[Row]) -> str:
    """The number of values behind each mark: ``Medians of 5 rounds.`` or similar."""
    own = [row for row in rows if not row.cited]
    hollow = "" if len(own) == len(rows) else tr("Hollow marks are cited, not measured.")
    counts = sorted({row.rounds for row in own})
    if not counts:
        return hollow
    least, most = counts[0], counts[-1]
    text = tr("Medians of {rounds} rounds.", rounds=most if least == most else span(least, most))
    if most < 2:
        text = tr("Single values, not repeated.")
    return sentences((text, hollow))
