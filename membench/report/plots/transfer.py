"""Plot of the bandwidth of a link against transfer size."""

from __future__ import annotations

from collections.abc import Sequence

from membench.analysis.derive.transfer import fit_transfer
from membench.core.messages import clauses, sentence, tr
from membench.core.terms import Metric, Stat
from membench.core.units import about_size, format_size, format_value, significant
from membench.report.page.document import Figure
from membench.report.page.runs import Run
from membench.report.plots.curve import PlotText, draw_curve
from membench.report.plots.series import Series, bench, size_of, sweep
from membench.report.plots.style import NotDrawn

_BENCHES = frozenset({"link/h2d", "link/d2h", "peer/read", "peer/write"})
_CURVE = PlotText(
    slug="transfer",
    title=tr("Link bandwidth by size of the transfer"),
    description=tr(
        "Line plot. Horizontal axis: bytes of one transfer, logarithmic. Vertical axis: bandwidth "
        "in GB/s, logarithmic. Marks are medians; small circles are single rounds."
    ),
    x=tr("size of the transfer"),
    y=tr("bandwidth [GB/s]"),
    counts=False,
    log_y=True,
    table=tr("Bandwidth by size of the transfer"),
)


def draw(runs: Sequence[Run]) -> Figure | NotDrawn:
    series = sweep(
        runs,
        "size",
        lambda row: size_of(row, "size"),
        lambda row: (
            bench(row) in _BENCHES and row.metric is Metric.BANDWIDTH and row.stat is Stat.MEDIAN
        ),
    )
    if not series:
        return NotDrawn(
            _CURVE.title, tr("no transfer over a link was measured at more than one size")
        )
    return draw_curve(_CURVE, series, _finding(series))


def _finding(series: Sequence[Series]) -> str:
    own = max(series, key=lambda one: max(one.y))
    best = max(own.points, key=lambda point: point.y)
    told = [
        tr(
            "{series} reaches {rate} GB/s with transfers of {size}",
            series=own.label,
            rate=significant(best.y, 3),
            size=format_size(int(best.x)),
        )
    ]
    fit = fit_transfer(own.x, own.y)
    if fit is not None:
        told.append(
            tr(
                "a linear fit of the time gives a start-up time of {start}, and half of the "
                "full bandwidth with transfers of {size}",
                start=format_value(Metric.LATENCY, fit.start_ns),
                size=about_size(fit.half_size),
            )
        )
    return sentence(clauses(told))
