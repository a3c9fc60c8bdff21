"""The forest plot: for each case, the ratio to the reference with a confidence interval."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from membench.analysis.comparison import Comparison
from membench.analysis.finding import Difference
from membench.analysis.line import Line
from membench.analysis.verdict import Verdict
from membench.core.messages import sentence, sentences, span, tr, tr_n
from membench.core.units import significant
from membench.report.page.document import Code, Column, Figure, Table
from membench.report.page.document import Line as Cells
from membench.report.plots import style
from membench.report.plots.style import NotDrawn
from membench.report.screens.blocks import full_name
from membench.report.screens.compare.cells import counts_text, verdict_word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_TITLE = tr("Ratio to the reference")
_DESCRIPTION = tr(
    "Dot plot. Horizontal axis: the ratio of the compared value to the value of the reference, "
    "logarithmic, with a confidence interval. One line per case, by tier and metric. The grey "
    "bars show the ratios within the threshold."
)
MOST = 28
"""Maximum number of cases in the plot; the cases farthest from the ratio 1 are drawn."""
_INDEX = {Verdict.BETTER: 0, Verdict.WORSE: 1, Verdict.SAME: 2, Verdict.UNCLEAR: 3}


def draw(comparison: Comparison, side: int = 1) -> Figure | NotDrawn:
    """Plot the ratios of label number ``side`` to the reference, which has number 0."""
    found = [
        (line, finding)
        for line in comparison.matched
        if (finding := line.entries[side].finding) is not None
        and finding.ratio
        and finding.verdict is not Verdict.NA
    ]
    if not found:
        why = tr("no case can be judged") if comparison.matched else tr("no case is in both files")
        return NotDrawn(_TITLE, why)
    largest = sorted(found, key=lambda one: -abs(math.log(one[1].ratio or 1)))[:MOST]
    shown = [one for one in found if one in largest]
    label, reference = comparison.sides[side].label, comparison.sides[0].label

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for place, (line, finding) in enumerate(shown):
            _paint(axes, place, line, finding)
        ends = [end for _, one in shown for end in (*(one.interval or ()), one.ratio or 1.0, 1.0)]
        style.log_axis(axes, "x", ends)
        axes.axvline(1, color=style.MUTED, linewidth=0.9)
        axes.set_yticks(range(len(shown)), [_short(line) for line, _ in shown], fontsize=8)
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(style.log_text(f"{label} / {reference}"))
        for verdict, index in _INDEX.items():
            if any(one.verdict is verdict for _, one in shown):
                axes.plot([], [], label=verdict_word(verdict), **style.mark(index))
        style.legend(canvas, axes)

    pair = tr("{label} against {reference}: ", label=label, reference=reference)
    caption: str = tr(
        "{title}{text}", title=pair, text=sentence(counts_text(comparison.counts(side)))
    )
    more = len(found) - len(shown)
    if more:
        left_out = tr_n(
            "The plot shows the {most} cases with the largest differences; {count} more case is "
            "only in the table.",
            "The plot shows the {most} cases with the largest differences; {count} more cases are "
            "only in the table.",
            more,
            most=MOST,
        )
        caption = sentences((caption, left_out))
    return Figure(
        slug=f"forest-{side}",
        title=_TITLE,
        caption=caption,
        description=_DESCRIPTION,
        drawing=style.plot(f"forest-{side}", _TITLE, _DESCRIPTION, 70 + 15 * len(shown), paint),
        table=Table(
            tr("{label} divided by {reference}", label=label, reference=reference),
            (
                Column(tr("case")),
                Column(tr("ratio"), numeric=True),
                Column(tr("95 % interval"), numeric=True),
                Column(tr("verdict")),
            ),
            tuple(_row(line, finding) for line, finding in found),
        ),
    )


def _paint(axes: Axes, place: int, line: Line, finding: Difference) -> None:
    limit = 1 + line.threshold
    axes.fill_betweenx([place - 0.36, place + 0.36], 1 / limit, limit, color=style.GRID, lw=0)
    look = style.mark(_INDEX.get(finding.verdict, 3))
    if finding.interval is not None:
        axes.plot(finding.interval, [place, place], color=look["color"], linewidth=1.3)
    axes.plot([finding.ratio or 1.0], [place], **look)


def _short(line: Line) -> str:
    name = full_name(line.row)
    return name if len(name) <= 44 else f"{name[:28]}...{name[-13:]}"


def _row(line: Line, finding: Difference) -> tuple[Cells, ...]:
    interval = finding.interval
    ends = "" if interval is None else span(*map(significant, interval))
    return (
        (Code(full_name(line.row)),),
        (significant(finding.ratio or 0.0),),
        (ends,) if ends else (),
        (verdict_word(finding.verdict),),
    )
