"""Plot of one line of a history over time, with its levels, noise band and changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from membench.analysis.history.summary import HistoryLine
from membench.core.messages import tr
from membench.core.text import counted
from membench.core.units import significant
from membench.report.page.document import Code, Column, Figure, Line, Table
from membench.report.plots import style
from membench.report.screens.history.words import now_text, page_name, percent, scale_of, width_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_HEIGHT = 190
_DOTS = 1000  # maximum number of dots; if there are more runs, evenly spaced ones are drawn
_ROWS = 200  # maximum number of rows in the table below a plot; the newest are shown
_DESCRIPTION = tr(
    "Scatter plot. Horizontal axis: runs in the order of time, with their dates. Vertical axis: "
    "{metric} in {unit}, {better} is better. Circles are runs, horizontal lines the levels, the "
    "band around each holds nine of ten runs, dashed vertical lines are changes."
)
_LINEAR = 2.0  # ratio of the largest to the smallest value up to which the axis is linear


def draw(line: HistoryLine, number: int) -> Figure:
    """Draw ``line``, which is number ``number`` on the page."""
    scale = scale_of(line)
    values = np.array(line.values) / scale.divisor
    title = page_name(line)
    description = _DESCRIPTION.format(
        metric=line.key.metric, unit=scale.unit, better=line.key.better
    )

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for level in line.levels:
            ends = (level.start - 0.5, level.end - 0.5)
            low, high = (end / scale.divisor for end in (level.low, level.high))
            axes.fill_between(ends, low, high, color=style.GRID, linewidth=0)
            axes.hlines(level.median / scale.divisor, *ends, color=style.colour(1), linewidth=1.8)
        places = np.arange(len(values))
        if len(values) > _DOTS:
            places = np.linspace(0, len(values) - 1, _DOTS).round().astype(np.int64)
        axes.plot(places, values[places], **style.rounds(0))
        for change in line.changes:
            axes.axvline(change.place - 0.5, **style.ASSUMED)
        axes.set_xlim(-0.5 - 0.01 * len(values), len(values) - 0.5 + 0.01 * len(values))
        ticks = np.unique(np.linspace(0, len(values) - 1, 4).round().astype(int)).tolist()
        axes.set_xticks(ticks, [line.runs[tick].when.partition(" ")[0][:12] for tick in ticks])
        if values.max() > _LINEAR * values.min():
            style.log_axis(axes, "y", values.tolist())
        else:
            axes.locator_params(axis="y", nbins=5)
            axes.ticklabel_format(axis="y", style="plain", useOffset=False)
            room = 0.06 * (values.max() - values.min()) or 0.05 * values.max()
            axes.set_ylim(values.min() - room, values.max() + room)
        axes.set_ylabel(f"{line.key.metric} [{scale.unit}]")

    return Figure(
        slug=f"history-{number}",
        title=title,
        caption=_finding(line),
        description=description,
        drawing=style.plot(f"history-{number}", title, description, _HEIGHT, paint),
        table=_table(line),
    )


def _finding(line: HistoryLine) -> str:
    present = f"now {now_text(line)}, band {width_text(line)}"
    if not line.changes:
        return f"{counted(len(line.runs), 'run')} without a change; {present}."
    steps = ", ".join(
        f"{percent(change.ratio)} ({change.verdict}) on {change.first.when}"
        for change in line.changes
    )
    return f"{counted(len(line.changes), 'change')}: {steps}; {present}."


def _table(line: HistoryLine) -> Table:
    scale = scale_of(line)
    starts = {change.place: change for change in line.changes}
    rows: list[tuple[Line, ...]] = []
    first = max(0, len(line.runs) - _ROWS)
    for place, (run, value) in enumerate(zip(line.runs, line.values, strict=True)):
        if place >= first:
            change = starts.get(place)
            new = f"{change.verdict}, {percent(change.ratio)}" if change is not None else ""
            number = significant(value / scale.divisor)
            rows.append(((Code(run.run_id),), (run.when,), (number,), (new,)))
    columns = (
        *(Column("run"), Column("time (UTC)")),
        *(Column(f"value [{scale.unit}]", numeric=True), Column("a new level begins")),
    )
    part = f", the newest {_ROWS}" if first else ""
    return Table(f"{line.key.case}{part}", columns, tuple(rows))
