"""Plot of the latency of loads against the bandwidth of other traffic at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from membench.analysis.derive.load import load_curve
from membench.core.messages import clauses, listed, sentence, sentences, tr
from membench.core.record import record
from membench.core.terms import Metric, Stat
from membench.core.units import format_value, significant
from membench.report.page.document import Figure
from membench.report.page.runs import Run
from membench.report.plots import style
from membench.report.plots.curve import left_out
from membench.report.plots.series import (
    bench,
    data_table,
    drawn_rounds,
    measured,
    parameter,
    rounds_text,
)
from membench.report.plots.style import NotDrawn
from membench.results.schema import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_TITLE = tr("Latency under load")
_DESCRIPTION = tr(
    "Line plot. Horizontal axis: bandwidth of the traffic in GB/s. Vertical axis: nanoseconds per "
    "load of the pointer chase. One line per share of reads in the traffic. Marks are medians; "
    "small circles are single rounds."
)


@record
class _Load:
    run: str
    latency: Row
    bandwidth: Row

    @property
    def x(self) -> float:
        return self.bandwidth.value or 0.0

    @property
    def y(self) -> float:
        return self.latency.value or 0.0


def draw(runs: Sequence[Run]) -> Figure | NotDrawn:
    lines = _lines(runs)
    if not any(len(loads) > 1 for loads in lines.values()):
        return NotDrawn(
            _TITLE,
            tr("no share of reads was measured at two or more levels of traffic"),
        )
    shown = list(lines.items())[: style.SERIES]
    loads = [load for _, several in shown for load in several]

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for index, (label, several) in enumerate(shown):
            for load in several:
                pairs = (drawn_rounds(load.bandwidth), drawn_rounds(load.latency))
                if len(pairs[0]) == len(pairs[1]):  # both rows have the same rounds
                    axes.plot(*pairs, **style.rounds(index))
            axes.plot(
                [load.x for load in several],
                [load.y for load in several],
                label=label,
                **style.line(index, cited=all(load.latency.cited for load in several)),
            )
        for which, rows in (
            ("x", [load.bandwidth for load in loads]),
            ("y", [load.latency for load in loads]),
        ):
            style.zero_axis(
                axes, which, [v for row in rows for v in (row.value or 0.0, *row.round_values)]
            )
        peaks = {load.bandwidth.peak for load in loads}
        if len(peaks) == 1 and (peak := peaks.pop()):
            axes.set_xlim(0, 1.05 * peak)
            axes.axvline(peak, **style.ASSUMED)
            style.note(axes, tr("peak"), peak, axes.get_ylim()[1], xytext=(-3, -2), ha="right")
        axes.set_xlabel(tr("bandwidth of the traffic [GB/s]"))
        axes.set_ylabel(tr("latency of a load [ns]"))
        if len(shown) > 1:
            style.legend(canvas, axes)

    every = [load for several in lines.values() for load in several]
    rows = [(load.run, row) for load in every for row in (load.bandwidth, load.latency)]
    return Figure(
        slug="loaded",
        title=_TITLE,
        caption=sentences(
            (_finding(shown), rounds_text([row for _, row in rows]), left_out(list(lines)))
        ),
        description=_DESCRIPTION,
        drawing=style.plot("loaded", _TITLE, _DESCRIPTION, 275, paint),
        table=data_table(tr("Latency and bandwidth of the same cases"), rows),
    )


def _lines(runs: Sequence[Run]) -> dict[str, list[_Load]]:
    pairs: dict[tuple[str, str], dict[Metric, Row]] = {}
    for run, row in measured(runs):
        if bench(row).endswith("/loaded") and row.stat is Stat.MEDIAN:
            pairs.setdefault((run.label, row.case), {})[row.metric] = row
    runs_differ = len({label for label, _ in pairs}) > 1
    memories_differ = len({bench(row) for rows in pairs.values() for row in rows.values()}) > 1
    lines: dict[str, list[_Load]] = {}
    for (label, _), rows in pairs.items():
        if {Metric.LATENCY, Metric.BANDWIDTH} <= rows.keys():
            load = _Load(label, rows[Metric.LATENCY], rows[Metric.BANDWIDTH])
            name = tr("{share} % reads", share=parameter(load.latency, "reads") or "?")
            if memories_differ:
                name = tr("{run}: {told}", run=bench(load.latency), told=name)
            if runs_differ:
                name = tr("{run}: {told}", run=label, told=name)
            lines.setdefault(name, []).append(load)
    return {label: sorted(loads, key=lambda load: load.x) for label, loads in lines.items()}


def _finding(lines: Sequence[tuple[str, Sequence[_Load]]]) -> str:
    texts: list[str] = []
    for label, loads in lines:
        first, last = loads[0], loads[-1]
        if len(loads) == 1:
            texts.append(
                tr(
                    "{series}: {latency} at {rate} GB/s",
                    series=label,
                    latency=format_value(Metric.LATENCY, first.y),
                    rate=significant(first.x, 3),
                )
            )
            continue
        told: list[str] = [
            tr(
                "{series}: {first} at {first_rate} GB/s, {last} at {last_rate} GB/s (x {factor})",
                series=label,
                first=format_value(Metric.LATENCY, first.y),
                first_rate=significant(first.x, 3),
                last=format_value(Metric.LATENCY, last.y),
                last_rate=significant(last.x, 3),
                factor=significant(last.y / first.y, 3),
            )
        ]
        curve = load_curve([load.x for load in loads], [load.y for load in loads])
        if curve is not None and curve.knee is not None:
            told.append(tr("knee at {rate} GB/s", rate=significant(curve.knee[0], 3)))
        texts.append(listed(told))
    return sentence(clauses(texts))
