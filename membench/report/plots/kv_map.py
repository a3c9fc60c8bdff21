"""Plot of the bandwidth at which each method copies KV blocks of each size from host to GPU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from membench.analysis.derive.policy import REFERENCE
from membench.core.messages import clauses, sentence, span, tr
from membench.core.terms import Metric, Stat
from membench.core.units import format_size, significant
from membench.report.page.document import Figure
from membench.report.page.runs import Run
from membench.report.plots.curve import PlotText, draw_curve
from membench.report.plots.series import Series, bench, measured, parameter, size_of, sweep
from membench.report.plots.style import NotDrawn
from membench.results.schema import Row

_CURVE = PlotText(
    slug="kv-map",
    title=tr("KV blocks: method by block size"),
    description=tr(
        "Line plot. Horizontal axis: bytes of one KV block, logarithmic. Vertical axis: bandwidth "
        "from host to GPU in GB/s, logarithmic. One line per copy method. Marks are medians; small "
        "circles are single rounds. Beyond a crossing of two lines, another method is faster."
    ),
    x=tr("block size"),
    y=tr("bandwidth [GB/s]"),
    counts=False,
    log_y=True,
    table=tr("Bandwidth by block size and method"),
)


def draw(runs: Sequence[Run]) -> Figure | NotDrawn:
    """Plot the bandwidth of the copy methods over the size of a KV block.

    Only cases with the most frequent number of blocks are drawn.
    """
    counts = Counter(parameter(row, "count") for _, row in measured(runs) if bench(row) == "kv/h2d")
    usual = counts.most_common(1)[0][0] if counts else ""

    def wanted(row: Row) -> bool:
        return (
            bench(row) == "kv/h2d"
            and row.metric is Metric.BANDWIDTH
            and row.stat is Stat.MEDIAN
            and parameter(row, "count") == usual
            and parameter(row, "order") != "seq"
            and not parameter(row, "grid")
        )

    series = sweep(runs, "block", lambda row: size_of(row, "block"), wanted)
    if not series:
        return NotDrawn(_CURVE.title, tr("kv/h2d was measured at fewer than two block sizes"))
    return draw_curve(_CURVE, series, _finding(series))


def _finding(every: Sequence[Series]) -> str:
    # Contiguous blocks are measured only for comparison: an engine cannot choose them.
    series = [one for one in every if f"method={REFERENCE}" not in one.label.split()] or every
    if len(series) == 1:  # a single method cannot be the fastest
        top = max(series[0].points, key=lambda point: point.y)
        return tr(
            "{method} reaches {rate} GB/s with blocks of {size}.",
            method=series[0].label or "kv/h2d",
            rate=significant(top.y, 3),
            size=format_size(int(top.x)),
        )
    best = {
        point.x: (one.label, point.y)
        for one in series
        for point in sorted(one.points, key=lambda point: point.y)
        if point.y >= max(p.y for s in series for p in s.points if p.x == point.x)
    }
    parts = []
    for label, group in groupby(sorted(best.items()), key=lambda item: item[1][0]):
        sizes = [size for size, _ in group]
        first, last = (format_size(int(size)) for size in (sizes[0], sizes[-1]))
        parts.append(
            tr(
                "{method} is fastest for blocks of {sizes} ({rate} GB/s for the largest)",
                method=label or "kv/h2d",
                sizes=first if first == last else span(first, last),
                rate=significant(best[sizes[-1]][1], 3),
            )
        )
    return sentence(clauses(parts))
