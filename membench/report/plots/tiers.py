"""Plots of the best bandwidth and the best latency of every tier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from membench.analysis.ladder import operation
from membench.core.messages import sentences, tr
from membench.core.record import record
from membench.core.terms import Metric, Tier
from membench.core.units import format_value, rounded
from membench.report.page.document import Figure
from membench.report.page.sections.words import rung_name
from membench.report.plots import style
from membench.report.plots.curve import runs_left_out
from membench.report.plots.series import data_table, drawn_rounds, peak_text, rounds_text
from membench.report.screens.judged import JudgedRung, best_text
from membench.results.schema import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas


@record
class _Plot:
    slug: str
    metric: Metric
    title: str
    axis: str
    description: str
    table: str


@record
class _Mark:
    """The best row of one tier in one run.

    ``band`` is the reference range (low, high) in the unit of the row; None without a reference.
    """

    run: str
    tier: str
    row: Row
    band: tuple[float, float] | None


def _described(what: str) -> str:
    return tr(
        "Dot plot. Horizontal axis: {what}, logarithmic. One line per tier of the memory "
        "hierarchy. A large mark is the median of the rounds of the best case. Small circles are "
        "the single rounds. A wide bar is the range in the reference for this hardware. A short "
        "vertical line is the peak. Hollow marks are published values.",
        what=what,
    )


_KINDS = (
    _Plot(
        "tier-bandwidth",
        Metric.BANDWIDTH,
        tr("Bandwidth by tier"),
        tr("bandwidth [GB/s]"),
        _described(tr("bandwidth in GB/s")),
        tr("The best bandwidth of every tier"),
    ),
    _Plot(
        "tier-latency",
        Metric.LATENCY,
        tr("Latency by tier"),
        tr("latency"),
        _described(tr("latency in nanoseconds")),
        tr("The best latency of every tier"),
    ),
)


def draw(ladders: Mapping[str, Sequence[JudgedRung]]) -> tuple[Figure, ...]:
    """Plot the best bandwidths and the best latencies of ``ladders`` (run -> tiers).

    A plot without any value is left out.
    """
    shown = dict(list(ladders.items())[: style.SERIES])
    more = runs_left_out(ladders)
    drawn = (_draw(kind, [*shown], _marks(kind.metric, shown), more) for kind in _KINDS)
    return tuple(figure for figure in drawn if figure is not None)


def _marks(metric: Metric, ladders: Mapping[str, Sequence[JudgedRung]]) -> tuple[_Mark, ...]:
    """The marks sorted by tier, without the tier `gpu`, which is not a memory."""
    found = [
        (one.rung, _Mark(run, rung_name(one.rung), one.rung.best[metric], one.expected(metric)))
        for run, rungs in ladders.items()
        for one in rungs
        if metric in one.rung.best and one.rung.tier is not Tier.GPU
    ]
    order = list(Tier)
    found.sort(key=lambda one: (order.index(one[0].tier), not one[0].peer))
    return tuple(mark for _, mark in found)


def _draw(kind: _Plot, runs: Sequence[str], marks: Sequence[_Mark], more: str) -> Figure | None:
    if not marks:
        return None
    tiers = [*dict.fromkeys(mark.tier for mark in marks)]
    beside = {tier: [mark for mark in marks if mark.tier == tier] for tier in tiers}
    lanes = style.Lanes.of([len(beside[tier]) for tier in tiers])

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        values = [
            value
            for mark in marks
            for value in (*mark.row.round_values, mark.row.value, mark.row.peak, *(mark.band or ()))
        ]
        style.log_axis(axes, "x", [value for value in values if value], room=1.9)
        if kind.metric is Metric.LATENCY:
            style.time_axis(axes)
        for places, tier in zip(lanes.places, tiers, strict=True):
            for place, mark in zip(places, beside[tier], strict=True):
                _paint(axes, mark, place, runs.index(mark.run))
        style.row_axis(axes, lanes, tiers)
        axes.set_xlabel(style.log_text(kind.axis))
        if len(runs) > 1:
            for index, run in enumerate(runs):
                own = [mark for mark in marks if mark.run == run]
                if own:
                    cited = all(mark.row.cited for mark in own)
                    axes.plot([], [], label=run, **style.mark(index, cited=cited))
            style.legend(canvas, axes)

    rows = [(mark.run, mark.row) for mark in marks]
    height = 56 + lanes.height + 9 * (len(runs) > 1) * len(runs)
    caption = (
        _finding(kind.metric, marks) if len(runs) == 1 else "",
        rounds_text([row for _, row in rows]),
        peak_text(row for _, row in rows),
        tr("Wide bars are the ranges in the reference.")
        if any(mark.band for mark in marks)
        else "",
        more,
    )
    return Figure(
        slug=kind.slug,
        title=kind.title,
        caption=sentences(caption),
        description=kind.description,
        drawing=style.plot(kind.slug, kind.title, kind.description, height, paint),
        table=data_table(kind.table, rows),
    )


def _paint(axes: Axes, mark: _Mark, place: float, index: int) -> None:
    row = mark.row
    if mark.band is not None:
        _paint_band(axes, mark.band, place, index)
    several = drawn_rounds(row)
    axes.plot(several, [place] * len(several), **style.rounds(index))
    axes.plot([row.value or 0.0], [place], **style.mark(index, cited=row.cited))
    if row.peak:
        axes.plot([row.peak], [place], "|", color=style.INK, markersize=9, markeredgewidth=1.4)
    right = max(row.value or 0.0, row.peak or 0.0, *row.round_values, *(mark.band or ()))
    axes.annotate(
        _text(row),
        (right, place),
        xytext=(7, 0),
        textcoords="offset points",
        va="center",
        fontsize=9.5,
    )


def _text(row: Row) -> str:
    """The result of `best_text`, but a plain bandwidth has no unit (the axis shows the unit)."""
    if row.metric is Metric.BANDWIDTH and not operation(row):
        return format_value(row.metric, row.value or 0.0).removesuffix(" GB/s")
    return best_text(row)


def _paint_band(axes: Axes, band: tuple[float, float], place: float, index: int) -> None:
    """Draw a bar for ``band`` (low, high), widened by 1 % so that a single value is visible."""
    low, high = band[0] / 1.01, band[1] * 1.01
    colour = style.colour(index)
    look: dict[str, Any] = {"color": colour, "edgecolor": colour, "linewidth": 0.8, "alpha": 0.28}
    axes.barh(place, high - low, 0.8, low, zorder=1, **look)


def _finding(metric: Metric, marks: Sequence[_Mark]) -> str:
    """A sentence with the ratio of the largest to the smallest value; empty for a single value."""
    ordered = sorted(marks, key=lambda mark: mark.row.value or 0.0)
    low, high = ordered[0], ordered[-1]
    if low is high:
        return ""
    factor = rounded((high.row.value or 0.0) / (low.row.value or 1.0), 2)
    form = (
        tr("{high} has {factor} times the bandwidth of {low}.")
        if metric is Metric.BANDWIDTH
        else tr("{high} takes {factor} times as long as {low}.")
    )
    return tr(form.msgid, high=high.tier, low=low.tier, factor=factor)
