"""Plot of bandwidth against working-set size."""

from __future__ import annotations

from collections.abc import Sequence

from membench.analysis.derive.steps import falls
from membench.core.messages import tr
from membench.core.terms import Metric, Stat, Tier
from membench.core.units import format_size, significant
from membench.report.page.document import Figure
from membench.report.page.runs import Run
from membench.report.plots.curve import PlotText, draw_curve
from membench.report.plots.series import Series, size_of, sweep
from membench.report.plots.staircase import cache_sizes, paint_caches
from membench.report.plots.style import NotDrawn

_TIERS = frozenset({Tier.SMEM, Tier.L1, Tier.L2, Tier.HBM, Tier.CACHE, Tier.DDR})
_CURVE = PlotText(
    slug="footprint",
    title=tr("Bandwidth by footprint"),
    description=tr(
        "Line plot. Horizontal axis: working set, logarithmic, in KiB to GiB. Vertical axis: "
        "bandwidth in GB/s, logarithmic. Marks are medians; small circles are single rounds. "
        "Dashed vertical lines are the cache sizes that the system reports."
    ),
    x=tr("working set"),
    y=tr("bandwidth [GB/s]"),
    counts=False,
    log_y=True,
    table=tr("Bandwidth by working set"),
)


def draw(runs: Sequence[Run]) -> Figure | NotDrawn:
    series = sweep(
        runs,
        "size",
        lambda row: size_of(row, "size"),
        lambda row: (
            row.tier in _TIERS and row.metric is Metric.BANDWIDTH and row.stat is Stat.MEDIAN
        ),
        least=3,
    )
    if not series:
        return NotDrawn(_CURVE.title, tr("no kernel was measured at three sizes or more"))
    return draw_curve(
        _CURVE, series, _finding(series), lambda axes: paint_caches(axes, cache_sizes(runs))
    )


def _finding(series: Sequence[Series]) -> str:
    one = series[0]
    steps = falls(one.x, one.y)
    first, last = one.points[0], one.points[-1]
    told = tr(
        "{series} goes from {first_rate} GB/s at {first_size} to {rate} GB/s at {size}",
        series=one.label or tr("Bandwidth"),
        first_rate=significant(first.y, 3),
        first_size=format_size(int(first.x)),
        rate=significant(last.y, 3),
        size=format_size(int(last.x)),
    )
    if not steps:
        return tr("{told}; the bandwidth drops at no size in between.", told=told)
    where, *more = [
        tr(
            "between {inside} and {outside}",
            inside=format_size(int(step.inside)),
            outside=format_size(int(step.outside)),
        )
        for step in steps
    ]
    for other in more:
        where = tr("{step} and {other}", step=where, other=other)
    return tr("{told}; the bandwidth drops {where}.", told=told, where=where)
