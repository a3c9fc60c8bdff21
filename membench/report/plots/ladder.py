"""Plot of the best bandwidth of every bench, grouped by tier of the memory hierarchy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from membench.analysis.ladder import represents_tier
from membench.core.messages import clauses, listed, sentence, sentences, tr
from membench.core.record import record
from membench.core.terms import Metric, Stat, Tier
from membench.core.units import rounded, significant
from membench.report.page.document import Figure
from membench.report.page.runs import Run
from membench.report.page.sections.words import tier_name
from membench.report.plots import style
from membench.report.plots.curve import runs_left_out
from membench.report.plots.series import (
    bench,
    data_table,
    drawn_rounds,
    measured,
    peak_text,
    rounds_text,
)
from membench.report.plots.style import NotDrawn
from membench.results.schema import Row
from membench.results.staircase import leading

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_TITLE = tr("Bandwidth ladder")
_DESCRIPTION = tr(
    "Dot plot. Horizontal axis: bandwidth in GB/s, logarithmic. One line per bench, sorted by "
    "tier and then by bandwidth. A large mark is the median of the rounds of the best case. "
    "Small circles are the single rounds. A vertical bar is the peak, if the peak is known. "
    "Hollow marks are published values."
)


@record
class _Rung:
    """A bench, and its best row in each run."""

    tier: Tier
    name: str
    best: dict[str, Row]

    @property
    def top(self) -> float:
        return max(row.value or 0.0 for row in self.best.values())


def draw(runs: Sequence[Run]) -> Figure | NotDrawn:
    more = runs_left_out(runs)
    runs = runs[: style.SERIES]
    rungs = _rungs(runs)
    if not rungs:
        return NotDrawn(_TITLE, tr("no bandwidth was measured"))
    labels = [run.label for run in runs if any(run.label in rung.best for rung in rungs)]
    rows = [(label, row) for rung in rungs for label, row in rung.best.items()]
    lanes = style.Lanes.of([len(rung.best) for rung in rungs])

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        shown = [value for _, row in rows for value in (*row.round_values, row.value, row.peak)]
        style.log_axis(axes, "x", [value for value in shown if value], room=1.3)
        for places, rung in zip(lanes.places, rungs, strict=True):
            here = [label for label in labels if label in rung.best]
            for place, label in zip(places, here, strict=True):
                _paint_row(axes, rung.best[label], place, labels.index(label))
        style.row_axis(axes, lanes, [rung.name for rung in rungs])
        axes.set_xlabel(style.log_text(tr("bandwidth [GB/s]")))
        if len(labels) > 1:
            for index, label in enumerate(labels):
                cited = all(row.cited for of, row in rows if of == label)
                axes.plot([], [], label=label, **style.mark(index, cited=cited))
            style.legend(canvas, axes)

    return Figure(
        slug="ladder",
        title=_TITLE,
        caption=sentences(
            (
                _finding(rungs, len(labels)),
                rounds_text([row for _, row in rows]),
                peak_text(row for _, row in rows),
                more,
            )
        ),
        description=_DESCRIPTION,
        drawing=style.plot("ladder", _TITLE, _DESCRIPTION, 62 + lanes.height, paint),
        table=data_table(tr("The best case of each bench in the plot"), rows),
    )


def _rungs(runs: Sequence[Run]) -> list[_Rung]:
    found: dict[tuple[Tier, str], dict[str, Row]] = {}
    for run, row in measured([replace(run, rows=tuple(leading(run.rows))) for run in runs]):
        if row.metric is Metric.BANDWIDTH and row.stat is Stat.MEDIAN:
            best = found.setdefault((row.tier, bench(row)), {})
            if run.label not in best or (row.value or 0) > (best[run.label].value or 0):
                best[run.label] = row
    order = list(Tier)
    rungs = [_Rung(tier, name, best) for (tier, name), best in found.items()]
    return sorted(rungs, key=lambda rung: (order.index(rung.tier), -rung.top))


def _paint_row(axes: Axes, row: Row, place: float, index: int) -> None:
    several = drawn_rounds(row)
    axes.plot(several, [place] * len(several), **style.rounds(index))
    axes.plot([row.value or 0.0], [place], **style.mark(index, cited=row.cited))
    if row.peak:
        axes.plot([row.peak], [place], "|", color=style.INK, markersize=11, markeredgewidth=1.6)
    right = max(row.value or 0.0, row.peak or 0.0, *row.round_values)
    axes.annotate(
        significant(row.value or 0.0, 3),
        (right, place),
        xytext=(7, 0),
        textcoords="offset points",
        va="center",
        fontsize=9.5,
    )


def _represents_tier(rung: _Rung) -> bool:
    return any(represents_tier(row.case) for row in rung.best.values())


def _finding(rungs: Sequence[_Rung], runs: int) -> str:
    by_tier: dict[str, list[_Rung]] = {}
    for rung in rungs:
        by_tier.setdefault(tier_name(rung.tier, peer=rung.name.startswith("peer/")), []).append(
            rung
        )
    tops = {
        tier: next(filter(_represents_tier, several), several[0])
        for tier, several in by_tier.items()
    }
    parts = [
        tr(
            "{tier} reaches {rate} GB/s ({bench})",
            tier=tier,
            rate=significant(rung.top, 3),
            bench=rung.name,
        )
        for tier, rung in tops.items()
    ]
    finding = [listed(parts)]
    if len(tops) > 1 and runs == 1:  # ratios between different machines would mislead
        ends = sorted(tops, key=lambda tier: tops[tier].top)
        finding.append(
            tr(
                "{fast} is {factor} times as fast as {slow}",
                fast=ends[-1],
                factor=rounded(tops[ends[-1]].top / tops[ends[0]].top, 2),
                slow=ends[0],
            )
        )
    return sentence(clauses(finding))
