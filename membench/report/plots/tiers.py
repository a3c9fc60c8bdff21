"""The machine's ladder: the best bandwidth and the best latency of every tier, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Rectangle

from membench.analysis.ladder import Rung
from membench.core.messages import clauses, sentence, sentences, tr
from membench.core.terms import Metric, Tier
from membench.core.units import format_value, significant
from membench.report.page.document import Figure
from membench.report.page.sections.words import SHORT
from membench.report.plots import style
from membench.report.plots.series import data_table, rounds_text
from membench.results.schema import Row

Ranges = Mapping[tuple[str, Tier, Metric], tuple[float, float]]
"""(run, tier, metric) -> low and high of what others measured, in the unit of the file."""


@dataclass(frozen=True)
class _Kind:
    """One of the two plots."""

    slug: str
    metric: Metric
    title: str
    axis: str
    description: str
    table: str


_DESCRIPTION = (
    "Dot plot. Horizontal axis: {what}, logarithmic. One line per tier of the memory hierarchy. A "
    "large mark is the median of the rounds of the tier's best case, small circles are its single "
    "rounds, a wide bar behind it is the range that the reference of this hardware gives, a short "
    "vertical line is the peak. Hollow marks are cited figures."
)
_KINDS = (
    _Kind(
        "tier-bandwidth",
        Metric.BANDWIDTH,
        tr("Bandwidth by tier"),
        "bandwidth [GB/s]",
        _DESCRIPTION.format(what="bandwidth in GB/s"),
        tr("The best bandwidth of every tier"),
    ),
    _Kind(
        "tier-latency",
        Metric.LATENCY,
        tr("Latency by tier"),
        "latency",
        _DESCRIPTION.format(what="latency in nanoseconds"),
        tr("The best latency of every tier"),
    ),
)


def draw(ladders: Mapping[str, Sequence[Rung]], ranges: Ranges) -> tuple[Figure, ...]:
    """The two plots of ``ladders`` (by run); one without any value is left out."""
    shown = dict(list(ladders.items())[: style.SERIES])
    present = {rung.tier for rungs in shown.values() for rung in rungs}
    tiers = [tier for tier in Tier if tier in present and tier is not Tier.GPU]
    drawn = (_draw(kind, shown, ranges, tiers) for kind in _KINDS)
    return tuple(figure for figure in drawn if figure is not None)


def _draw(
    kind: _Kind, ladders: Mapping[str, Sequence[Rung]], ranges: Ranges, tiers: Sequence[Tier]
) -> Figure | None:
    found = {
        (run, rung.tier): rung.best[kind.metric]
        for run, rungs in ladders.items()
        for rung in rungs
        if kind.metric in rung.best and rung.tier in tiers
    }
    if not found:
        return None
    labels = list(ladders)
    bands = {
        (run, tier): ranges[run, tier, kind.metric]
        for run, tier in found
        if (run, tier, kind.metric) in ranges
    }

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        rows = found.values()
        values = [value for row in rows for value in (*row.round_values, row.value, row.peak)]
        ends = [end for band in bands.values() for end in band]
        style.log_axis(axes, "x", [value for value in (*values, *ends) if value], room=1.6)
        if kind.metric is Metric.LATENCY:
            style.time_axis(axes)
        height = 0.8 / len(labels)
        for (run, tier), row in found.items():
            index = labels.index(run)
            place = tiers.index(tier) + (index - (len(labels) - 1) / 2) * height
            if (run, tier) in bands:
                _paint_band(axes, bands[run, tier], place, height, index)
            _paint_row(axes, row, place, index)
        axes.set_yticks(range(len(tiers)), [str(SHORT[tier]) for tier in tiers])
        axes.set_ylim(len(tiers) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(kind.axis)
        if len(labels) > 1:
            for index, label in enumerate(labels):
                axes.plot([], [], label=label, **style.mark(index))
            style.legend(canvas, axes)

    rows = [(run, row) for (run, _), row in found.items()]
    step = style.ROW * max(1.25, 0.85 * len(labels))
    return Figure(
        slug=kind.slug,
        title=kind.title,
        caption=sentences(
            (
                _finding(kind.metric, found, several=len(labels) > 1),
                rounds_text([row for _, row in rows]),
                tr("Bars are the ranges of the reference.") if bands else "",
            )
        ),
        description=kind.description,
        svg=style.render(
            kind.slug, kind.title, kind.description, 56 + len(tiers) * step, paint
        ),
        table=data_table(kind.table, rows),
    )


def _paint_band(
    axes: Axes, band: tuple[float, float], place: float, height: float, index: int
) -> None:
    """A bar from low to high; a single value is drawn as a bar of 2 %."""
    low, high = band[0] / 1.01, band[1] * 1.01
    side = 0.9 * height
    axes.add_patch(
        Rectangle(
            (low, place - side / 2),
            high - low,
            side,
            facecolor=style.colour(index),
            edgecolor=style.colour(index),
            alpha=0.28,
            linewidth=0.8,
            zorder=1,
        )
    )


def _paint_row(axes: Axes, row: Row, place: float, index: int) -> None:
    axes.plot(row.round_values, [place] * len(row.round_values), **style.rounds(index))
    axes.plot([row.value or 0.0], [place], **style.mark(index, cited=row.cited))
    if row.peak:
        axes.plot([row.peak], [place], "|", color=style.INK, markersize=9, markeredgewidth=1.4)
    right = max(row.value or 0.0, row.peak or 0.0, *row.round_values)
    axes.annotate(
        format_value(row.metric, row.value or 0.0).removesuffix(" GB/s"),
        (right, place),
        xytext=(7, 0),
        textcoords="offset points",
        va="center",
        fontsize=9.5,
    )


def _finding(metric: Metric, found: Mapping[tuple[str, Tier], Row], *, several: bool) -> str:
    """How far the ends of each machine's ladder are apart; machines are never divided by others."""
    parts: list[str] = []
    for run in dict.fromkeys(run for run, _ in found):
        own = {tier: row.value or 0.0 for (of, tier), row in found.items() if of == run}
        if len(own) < 2:
            continue
        low, high = min(own, key=own.__getitem__), max(own, key=own.__getitem__)
        form = (
            tr("{high} has {factor} times the bandwidth of {low}")
            if metric is Metric.BANDWIDTH
            else tr("{high} takes {factor} times as long as {low}")
        )
        factor = significant(own[high] / own[low], 2)
        told = tr(form.msgid, high=SHORT[high], low=SHORT[low], factor=factor)
        parts.append(tr("{run}: {told}", run=run, told=told) if several else told)
    return sentence(clauses(parts)) if parts else ""

