"""Plot of the latency of a pointer chase against working-set size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from membench.core.messages import clauses, sentence, sentences, tr
from membench.core.terms import Metric
from membench.core.units import format_size, format_value, significant
from membench.report.page.document import Figure
from membench.report.page.runs import Run
from membench.report.plots import style
from membench.report.plots.curve import left_out
from membench.report.plots.series import (
    Series,
    SweepPoint,
    bench,
    data_table,
    drawn_rounds,
    of_series,
    rounds_text,
    size_of,
    sweep,
)
from membench.report.plots.sketch import drawn_later
from membench.report.plots.style import NotDrawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_NAMED = 3
"""Maximum number of lines that the caption mentions."""
_TITLE = tr("Latency staircase")
_DESCRIPTION = tr(
    "Line plot. Horizontal axis: working set of a pointer chase, logarithmic, in KiB to GiB. "
    "Vertical axis: nanoseconds per load, logarithmic. Marks are medians; small circles are single "
    "rounds. Dashed vertical lines are the cache sizes that the system reports."
)

_BENCHES = ("host/chase", "gpu/chase")


def draw(runs: Sequence[Run]) -> Figure | NotDrawn:
    series = sweep(
        runs,
        "size",
        lambda row: size_of(row, "size"),
        lambda row: bench(row) in _BENCHES and row.metric is Metric.LATENCY,
        least=1,
    )
    if not series or len(series[0].points) < 2:
        return NotDrawn(_TITLE, tr("no pointer chase was measured at two sizes or more"))
    plotted = series[: style.SERIES]
    caches = cache_sizes(runs)

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        shown = [y for one in plotted for point in one.points for y in point.values]
        style.log_axis(axes, "y", shown, room=1.5)
        for index, one in enumerate(plotted):
            for point in one.points:
                values = drawn_rounds(point.row)
                axes.plot([point.x] * len(values), values, **style.rounds(index))
            axes.plot(one.x, one.y, label=one.label, **style.line(index, cited=one.cited))
        style.size_axis(axes, [x for one in plotted for x in one.x])
        paint_caches(axes, caches)
        told = tr("working set (caches as reported by the system)")
        axes.set_xlabel(told if caches else tr("working set"))
        axes.set_ylabel(style.log_text(tr("latency of a load [ns]")))
        if len(plotted) > 1:
            style.legend(canvas, axes)

    rows = of_series(series)
    return Figure(
        slug="staircase",
        title=_TITLE,
        caption=sentences(
            (_finding(series[:_NAMED]), rounds_text([row for _, row in rows]), left_out(series))
        ),
        description=_DESCRIPTION,
        drawing=style.plot("staircase", _TITLE, _DESCRIPTION, 275, paint),
        table=data_table(tr("Latency by working set"), rows),
    )


def cache_sizes(runs: Sequence[Run]) -> list[tuple[int, int]]:
    """Pairs (level, size in bytes) of the data and unified caches, sorted.

    The result is empty if the machines have different caches, or if a machine is unknown.
    """
    known = [run.machine for run in runs]
    found = {
        tuple(sorted({(c.level, c.size) for c in machine.cpu.caches if c.kind != "instruction"}))
        for machine in known
        if machine is not None
    }
    return list(found.pop()) if len(found) == 1 and None not in known else []


@drawn_later
def paint_caches(axes: Axes, caches: Sequence[tuple[int, int]]) -> None:
    """Draw a dashed line for each (level, size in bytes) within the range of the x axis."""
    low, high = axes.get_xlim()
    for level, size in caches:
        if low < size < high:
            axes.axvline(size, color=style.MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
            axes.annotate(
                f"L{level} {format_size(size)}",
                (size, 1),
                xycoords=("data", "axes fraction"),
                xytext=(3, -1),
                textcoords="offset points",
                ha="left",
                va="top",
                fontsize=9,
                color=style.MUTED,
            )


def _finding(series: Sequence[Series]) -> str:
    return sentence(clauses(_climb(one, named=len(series) > 1) for one in series))


def _climb(series: Series, *, named: bool) -> str:
    first, last = series.points[0], series.points[-1]
    end = _in(last)
    told: str = end
    if first is not last:
        factor = significant(last.y / first.y, 3)
        told = tr("{first}, {last} (x {factor})", first=_in(first), last=end, factor=factor)
    return tr("{run}: {told}", run=series.label, told=told) if named else told


def _in(point: SweepPoint) -> str:
    """A text such as ``1.1 ns in 16KiB``."""
    latency, size = format_value(Metric.LATENCY, point.y), format_size(int(point.x))
    return tr("{latency} in {size}", latency=latency, size=size)
