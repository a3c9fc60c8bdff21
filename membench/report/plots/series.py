"""Rows as series: cases that differ in one parameter only belong together."""

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
"""Far beyond any hardware: in ns a femtosecond and days, in GB/s a kilobyte a second and more."""


@dataclass(frozen=True)
class SweepPoint:
    """Where a row stands on the axis that is swept."""

    x: float
    row: Row
    run: str

    @property
    def y(self) -> float:
        """The median of its rounds, in the unit of the file."""
        return self.row.value or 0.0

    @property
    def values(self) -> tuple[float, ...]:
        """The median, and the values of the single rounds where they are known."""
        return (self.y, *self.row.round_values)


@dataclass(frozen=True)
class Series:
    """Points in the order of the axis, and what tells them from the other series."""

    label: str
    points: tuple[SweepPoint, ...]

    @property
    def x(self) -> list[float]:
        """Where the points stand."""
        return [point.x for point in self.points]

    @property
    def y(self) -> list[float]:
        return [point.y for point in self.points]

    @property
    def cited(self) -> bool:
        """None of them was measured by membench or another tool here."""
        return all(point.row.cited for point in self.points)


def measured(runs: Sequence[Run]) -> Iterator[tuple[Run, Row]]:
    """The `ok` rows with a number that hardware can produce; another would leave no room.

    Cited ones are among them: whoever draws them draws them hollow (`style.mark`).
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
    """The value of ``key`` in a row's case id, empty where it has none."""
    return dict(part.split("=", 1) for part in split(row.case)[1]).get(key, "")


def size_of(row: Row, key: str) -> float | None:
    """The parameter ``key`` as bytes, None where it is no size that can be drawn."""
    if key == "size":
        return _place(row.array_bytes or 0)
    try:
        return _place(parse_size(parameter(row, key)))
    except UsageError:
        return None


def count_of(row: Row, key: str) -> float | None:
    """The parameter ``key`` as a count, None where it is none that can be drawn."""
    text = parameter(row, key)
    return _place(int(text)) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _place(number: int) -> float | None:
    """``number`` on a logarithmic axis."""
    return float(number) if 1 <= number <= _MOST else None


def sweep(
    runs: Sequence[Run],
    key: str,
    position: Callable[[Row], float | None],
    wanted: Callable[[Row], bool],
    least: int = 2,
) -> list[Series]:
    """Series over ``key`` of the ``wanted`` rows, those with the most points first.

    Args:
        runs: where the rows come from.
        key: the parameter that is swept.
        position: where a row stands on its axis, None where nowhere.
        wanted: which rows count.
        least: points that a series must have.
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
    """What of each name not all of them have; of a single name all but the run."""
    if len(names) == 1:
        return [" ".join(names[0][1:])]
    common = set(names[0]).intersection(*names) if names else set()
    return [" ".join(part for part in name if part not in common) or name[1] for name in names]


def data_table(caption: str, rows: Sequence[tuple[str, Row]]) -> Table:
    """The rows behind a plot, each with the label of its run: value, and that of every round."""
    several = len({run for run, _ in rows}) > 1
    head = (
        Column(tr("case")),
        Column(tr("value"), numeric=True),
        Column(tr("unit")),
        Column(tr("rounds")),
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
    """The rows of ``series`` with their runs, as `data_table` takes them."""
    return [(point.run, point.row) for one in series for point in one.points]


def named(row: Row) -> str:
    """The case, and the statistic where it is not the median."""
    return row.case if row.stat == "median" else f"{row.case} {row.stat}"


def rounds_text(rows: Sequence[Row]) -> str:
    """``Medians of 5 rounds.``: how many values stand behind each mark."""
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
