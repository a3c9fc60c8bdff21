"""Plots of IOPS against queue depth, and of p99 latency against queue depth, for a disk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from membench.core.messages import clauses, sentence, sentences, tr
from membench.core.terms import Metric, Stat, Tier
from membench.core.units import format_value
from membench.report.page.document import Figure
from membench.report.page.runs import Run
from membench.report.plots import style
from membench.report.plots.curve import left_out, paint_lines
from membench.report.plots.series import (
    Series,
    SweepPoint,
    count_of,
    data_table,
    of_series,
    rounds_text,
    sweep,
)
from membench.report.plots.style import NotDrawn
from membench.results.schema import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_TITLE = tr("Disk by queue depth")
_DESCRIPTION = tr(
    "Line plots, one above the other, with the same horizontal axis: queue depth, logarithmic. "
    "Upper plot: operations per second, in thousands, from 0. Lower plot, if measured: the 99th "
    "percentile of the latency in microseconds, logarithmic. Marks are medians of the rounds; "
    "small circles are single rounds."
)


def draw(runs: Sequence[Run]) -> Figure | NotDrawn:
    iops = _sweep(runs, Metric.IOPS, Stat.MEDIAN)
    if not iops:
        return NotDrawn(_TITLE, tr("no ssd bench was measured at more than one queue depth"))
    p99 = _beside(iops, _sweep(runs, Metric.LATENCY, Stat.P99))
    tails = any(one.points for one in p99)

    def paint(canvas: Canvas) -> None:
        panels = canvas.subplots(1 + tails, 1, sharex=True, squeeze=False)[:, 0]
        shown = iops[: style.SERIES]
        paint_lines(panels[0], shown, counts=True, log_y=False, divisor=1e3)
        panels[0].set_ylabel(tr("IOPS [k/s]"))
        if tails:
            below = p99[: style.SERIES]
            paint_lines(panels[1], below, counts=True, log_y=True, divisor=1e3)
            panels[1].set_ylabel(style.log_text(tr("p99 latency [us]")))
        panels[-1].set_xlabel(tr("queue depth"))
        if len(shown) > 1:
            style.legend(canvas, panels[0])

    rows = [*of_series(iops), *of_series(p99)]
    return Figure(
        slug="depth",
        title=_TITLE,
        caption=sentences(
            (_finding(iops, p99), rounds_text([row for _, row in rows]), left_out(iops))
        ),
        description=_DESCRIPTION,
        drawing=style.plot("depth", _TITLE, _DESCRIPTION, 400 if tails else 250, paint),
        table=data_table(tr("IOPS and p99 latency by queue depth"), rows),
    )


def _sweep(runs: Sequence[Run], metric: Metric, stat: Stat) -> list[Series]:
    def wanted(row: Row) -> bool:
        return row.tier is Tier.SSD and row.metric is metric and row.stat is stat

    return sweep(runs, "qd", lambda row: count_of(row, "qd"), wanted)


def _beside(series: Sequence[Series], others: Sequence[Series]) -> list[Series]:
    """For each of ``series``, the points of ``others`` with the same run and case."""
    found = {(point.run, point.row.case): point for one in others for point in one.points}
    keys = ([(point.run, point.row.case) for point in one.points] for one in series)
    return [
        Series(one.label, tuple(found[key] for key in several if key in found))
        for one, several in zip(series, keys, strict=True)
    ]


def _finding(iops: Sequence[Series], p99: Sequence[Series]) -> str:
    def top(one: Series) -> float:
        return max(one.y)

    own = max(iops, key=top)
    best = max(own.points, key=lambda point: point.y)
    first = own.points[0]
    told: list[str] = [
        tr(
            "{series} reaches {best} at depth {best_depth}, and no more at larger depths",
            series=own.label,
            best=format_value(Metric.IOPS, best.y),
            best_depth=f"{best.x:g}",
        )
        if first == best
        else tr(
            "{series} reaches {first} at depth {first_depth} and {best} at depth {best_depth}",
            series=own.label,
            first=format_value(Metric.IOPS, first.y),
            first_depth=f"{first.x:g}",
            best=format_value(Metric.IOPS, best.y),
            best_depth=f"{best.x:g}",
        )
    ]
    slow = next(one for one in p99 if one.label == own.label)
    at = {point.x: point for point in slow.points}
    if first != best and first.x in at and best.x in at:
        low, high = _latency(at[first.x]), _latency(at[best.x])
        told.append(tr("the p99 latency goes from {low} to {high}", low=low, high=high))
    return sentence(clauses(told))


def _latency(point: SweepPoint) -> str:
    return format_value(Metric.LATENCY, point.y)
