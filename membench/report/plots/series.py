"""Group rows into series; the cases of a series differ only in the value of one axis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from membench.core.errors import UsageError
from membench.core.messages import clauses, sentences, span, tr
from membench.core.record import record
from membench.core.terms import Status
from membench.core.units import parse_size, significant
from membench.report.page.document import Code, Column, Table
from membench.report.page.runs import Run
from membench.report.screens.blocks import full_name, split
from membench.results.schema import Row

_LEAST, _MOST = 1e-6, 1e15
"""Limits of plausible values in results files: 1 fs to 11.6 days in ns, 1 kB/s to 1e24 B/s."""


@record
class SweepPoint:
    """A row of a series.

    ``x`` is the position on the horizontal axis, in bytes or as a count.
    """

    x: float
    row: Row
    run: str

    @property
    def y(self) -> float:
        """The value in the unit of results files."""
        return self.row.value or 0.0

    @property
    def values(self) -> tuple[float, ...]:
        """The value of the row and of each round, in the unit of results files."""
        return (self.y, *self.row.round_values)


@record
class Series:
    """Points in ascending order of x."""

    label: str
    points: tuple[SweepPoint, ...]

    @property
    def x(self) -> list[float]:
        return [point.x for point in self.points]

    @property
    def y(self) -> list[float]:
        return [point.y for point in self.points]

    @property
    def cited(self) -> bool:
        """Whether all points are published values."""
        return all(point.row.cited for point in self.points)


def measured(runs: Sequence[Run]) -> Iterator[tuple[Run, Row]]:
    """Pairs (run, row) of all `ok` rows with plausible numbers, including published values.

    An implausible number would stretch the axes of a plot.
    """
    for run in runs:
        for row in run.rows:
            numbers = [*row.round_values, row.value or 0.0, row.peak or 1.0]
            possible = min(numbers) >= _LEAST and max(numbers) <= _MOST
            if row.status is Status.OK and possible:
                yield run, row


def bench(row: Row) -> str:
    return split(row.case)[0]


def parameter(row: Row, key: str) -> str:
    """The value of the axis ``key`` in the case id; empty without this axis."""
    return dict(part.split("=", 1) for part in split(row.case)[1]).get(key, "")


def size_of(row: Row, key: str) -> float | None:
    """The value of the axis ``key`` in bytes; for ``size=auto``, the chosen size.

    None if the value is not a size from 1 to 1e15 bytes.
    """
    if key == "size":
        return _place(row.array_bytes or 0)
    try:
        return _place(parse_size(parameter(row, key)))
    except UsageError:
        return None


def count_of(row: Row, key: str) -> float | None:
    """The value of the axis ``key`` as a count; None if the value is not from 1 to 1e15."""
    text = parameter(row, key)
    return _place(int(text)) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _place(number: int) -> float | None:
    """``number`` as a float; None if it is not from 1 to 1e15."""
    return float(number) if 1 <= number <= _MOST else None


def sweep(
    runs: Sequence[Run],
    key: str,
    position: Callable[[Row], float | None],
    wanted: Callable[[Row], bool],
    least: int = 2,
) -> list[Series]:
    """Group rows into series over the axis ``key``; the series with the most points comes first.

    Args:
        position: function from a row to x, or to None for a row that is left out.
        wanted: whether a row belongs in the plot.
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
    """Reduce each name (run, bench, parts of the case id) to the parts that not all names share.

    A single name gets a label without the run.
    """
    if len(names) == 1:
        return [" ".join(names[0][1:])]
    common = set(names[0]).intersection(*names) if names else set()
    return [" ".join(part for part in name if part not in common) or name[1] for name in names]


def data_table(caption: str, rows: Sequence[tuple[str, Row]]) -> Table:
    """A table of pairs (run, row): case, value, unit and the value of every round."""
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
                (Code(full_name(row)),),
                (significant(row.value or 0.0),),
                (row.unit,),
                (clauses(significant(value) for value in row.round_values),),
            )
            for run, row in rows
        ),
    )


def of_series(series: Sequence[Series]) -> list[tuple[str, Row]]:
    """Pairs (run, row) of all points, for `data_table`."""
    return [(point.run, point.row) for one in series for point in one.points]


def drawn_rounds(row: Row) -> tuple[float, ...]:
    """The values to draw as small circles; empty for published values and for a single round."""
    return () if row.cited or len(row.round_values) < 2 else row.round_values


def rounds_text(rows: Sequence[Row], *, marks: bool = True) -> str:
    """Sentences on rounds and published values, for the caption of a plot.

    Args:
        marks: whether the plot draws values as marks and rounds as small circles.
    """
    own = [row for row in rows if not row.cited]
    published = ""
    if len(own) < len(rows):
        published = (
            tr("Large hollow marks are published values.")
            if marks
            else tr("Some values are published values.")
            if own
            else tr("All values are published values.")
        )
    counts = sorted({row.rounds for row in own})
    if not counts:
        return published
    least, most = counts[0], counts[-1]
    text = tr("Medians of {rounds} rounds.", rounds=most if least == most else span(least, most))
    if most < 2:
        text = tr("Each value was measured once.")
    circles = tr("Small circles are single rounds.") if any(map(drawn_rounds, rows)) else ""
    return sentences((text, circles if marks else "", published))


def peak_text(rows: Iterable[Row]) -> str:
    """A sentence on the bars at the peaks; empty without a peak."""
    return tr("Short vertical bars are the peaks.") if any(row.peak for row in rows) else ""
