"""Plot of host memory bandwidth against the number of threads."""

from __future__ import annotations

from collections.abc import Sequence

from membench.core.messages import tr
from membench.core.terms import Metric
from membench.core.units import significant
from membench.report.page.document import Figure
from membench.report.page.runs import Run
from membench.report.plots.curve import PlotText, draw_curve
from membench.report.plots.series import Series, bench, count_of, sweep
from membench.report.plots.style import NotDrawn
from membench.results.schema import Row

_CURVE = PlotText(
    slug="threads",
    title=tr("Host memory bandwidth by threads"),
    description=tr(
        "Line plot. Horizontal axis: threads, logarithmic. Vertical axis: bandwidth in GB/s, "
        "from 0. Marks are medians; small circles are single rounds."
    ),
    x=tr("threads"),
    y=tr("bandwidth [GB/s]"),
    counts=True,
    log_y=False,
    table=tr("Bandwidth by threads"),
)


def draw(runs: Sequence[Run]) -> Figure | NotDrawn:
    series = sweep(
        runs,
        "threads",
        _threads,
        lambda row: bench(row).startswith("ddr/") and row.metric is Metric.BANDWIDTH,
        least=3,
    )
    if not series:
        return NotDrawn(
            _CURVE.title, tr("no ddr kernel was measured with three or more thread counts")
        )
    return draw_curve(_CURVE, series, _finding(series))


def _threads(row: Row) -> float | None:
    """The number of threads; None for ``all``."""
    return count_of(row, "threads")


def _finding(series: Sequence[Series]) -> str:
    best = max((point for one in series for point in one.points), key=lambda point: point.y)
    own = next(one for one in series if best in one.points)
    first = own.points[0]
    if first == best:
        return tr(
            "{series} reaches {rate} GB/s at a thread count of {threads}, and no more with more "
            "threads.",
            series=own.label,
            rate=significant(best.y, 3),
            threads=f"{best.x:g}",
        )
    return tr(
        "{series} reaches {first_rate} GB/s at a thread count of {first}, and {rate} GB/s at "
        "{threads}.",
        series=own.label,
        first_rate=significant(first.y, 3),
        first=f"{first.x:g}",
        rate=significant(best.y, 3),
        threads=f"{best.x:g}",
    )
