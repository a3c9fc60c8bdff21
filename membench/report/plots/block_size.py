"""Plot of bandwidth against block size, for disk cases and paging cases."""

from __future__ import annotations

from collections.abc import Sequence

from membench.core.messages import tr
from membench.core.terms import Metric, Stat, Tier
from membench.core.units import format_size, significant
from membench.report.page.document import Figure
from membench.report.page.runs import Run
from membench.report.plots.curve import PlotText, draw_curve
from membench.report.plots.series import Series, size_of, sweep
from membench.report.plots.style import NotDrawn

_CURVE = PlotText(
    slug="blocks",
    title=tr("Disk and paging bandwidth by block size"),
    description=tr(
        "Line plot. Horizontal axis: block size, logarithmic, in KiB to MiB. Vertical axis: "
        "bandwidth in GB/s, logarithmic. Marks are medians; small circles are single rounds."
    ),
    x=tr("block size"),
    y=tr("bandwidth [GB/s]"),
    counts=False,
    log_y=True,
    table=tr("Bandwidth by block size"),
)


def draw(runs: Sequence[Run]) -> Figure | NotDrawn:
    series = sweep(
        runs,
        "block",
        lambda row: size_of(row, "block"),
        lambda row: (
            row.tier is Tier.SSD and row.metric is Metric.BANDWIDTH and row.stat is Stat.MEDIAN
        ),
    )
    if not series:
        return NotDrawn(
            _CURVE.title, tr("no ssd or paging bench was measured at more than one block size")
        )
    return draw_curve(_CURVE, series, _finding(series))


def _finding(series: Sequence[Series]) -> str:
    best = max((point for one in series for point in one.points), key=lambda point: point.y)
    own = next(one for one in series if best in one.points)
    first = own.points[0]
    if first == best:
        return tr(
            "{series} reaches {rate} GB/s with blocks of {size}, and no more with larger blocks.",
            series=own.label,
            rate=significant(best.y, 3),
            size=format_size(int(best.x)),
        )
    half = next(point for point in own.points if point.y >= best.y / 2)
    return tr(
        "{series} reaches {rate} GB/s with blocks of {size}, and {first_rate} GB/s with blocks of "
        "{first_size}. Blocks of {half} reach at least half of the best bandwidth.",
        series=own.label,
        rate=significant(best.y, 3),
        size=format_size(int(best.x)),
        first_rate=significant(first.y, 3),
        first_size=format_size(int(first.x)),
        half=format_size(int(half.x)),
    )
