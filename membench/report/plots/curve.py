"""Drawing code for plots with lines over one swept parameter."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from typing import TYPE_CHECKING

from membench.core.messages import sentences, tr_n
from membench.core.record import record
from membench.report.page.document import Figure
from membench.report.plots import style
from membench.report.plots.series import Series, data_table, drawn_rounds, of_series, rounds_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas


@record
class PlotText:
    """The texts and scales of a plot with lines.

    Attributes:
        counts: whether the x axis shows counts (True) or bytes (False).
        log_y: whether the y axis is logarithmic (True) or starts at 0 (False).
        height: height in units of the viewBox.
    """

    slug: str
    title: str
    description: str
    x: str
    y: str
    counts: bool
    log_y: bool
    table: str
    height: float = 275


def draw_curve(
    curve: PlotText,
    series: Sequence[Series],
    finding: str,
    beside: Callable[[Axes], None] | None = None,
) -> Figure:
    """Draw the first `style.SERIES` series as a figure; the table has every series.

    ``finding`` starts the caption. ``beside`` draws further elements into the axes.
    """
    shown = series[: style.SERIES]

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        paint_lines(axes, shown, counts=curve.counts, log_y=curve.log_y)
        axes.set_xlabel(curve.x)
        axes.set_ylabel(style.log_text(curve.y) if curve.log_y else curve.y)
        if beside is not None:
            beside(axes)
        if len(shown) > 1:
            style.legend(canvas, axes)

    rows = of_series(series)
    return Figure(
        slug=curve.slug,
        title=curve.title,
        caption=sentences((finding, rounds_text([row for _, row in rows]), left_out(series))),
        description=curve.description,
        drawing=style.plot(curve.slug, curve.title, curve.description, curve.height, paint),
        table=data_table(curve.table, rows),
    )


def paint_lines(
    axes: Axes, series: Sequence[Series], *, counts: bool, log_y: bool, divisor: float = 1.0
) -> None:
    """Draw medians as lines and single rounds as small circles, and set both axes.

    The vertical axis shows values of the results file divided by ``divisor``.
    """
    values = [y / divisor for one in series for point in one.points for y in point.values]
    if log_y:
        style.log_axis(axes, "y", values)
    else:
        style.zero_axis(axes, "y", values)
    for index, one in enumerate(series):
        for point in one.points:
            several = [value / divisor for value in drawn_rounds(point.row)]
            axes.plot([point.x] * len(several), several, **style.rounds(index))
        axes.plot(
            one.x,
            [y / divisor for y in one.y],
            label=one.label,
            **style.line(index, cited=one.cited),
        )
    places = [x for one in series for x in one.x]
    if counts:
        style.count_axis(axes, places)
    else:
        style.size_axis(axes, places)


def left_out(series: Sequence[object], most: int = style.SERIES) -> str:
    """A sentence on the number of series beyond ``most``; empty if none."""
    more = len(series) - most
    if more < 1:
        return ""
    return tr_n(
        "{count} more series is only in the table.",
        "{count} more series are only in the table.",
        more,
    )


def runs_left_out(runs: Sized) -> str:
    """A sentence on the number of runs that a plot leaves out; empty if none."""
    more = len(runs) - style.SERIES
    if more < 1:
        return ""
    return tr_n(
        "{count} more run is not in this plot.",
        "{count} more runs are not in this plot.",
        more,
    )
