"""Plot of one quantity of a history over time, with levels, noise bands and changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from membench.analysis.history.summary import BANDED, HistoryLine
from membench.core.messages import clauses, listed, sentence, sentences, tr, tr_n
from membench.core.terms import Better
from membench.core.units import significant
from membench.report.page.document import Code, Column, Figure, Line, Table
from membench.report.page.sections.words import METRICS
from membench.report.plots import style
from membench.report.screens.compare.cells import verdict_word
from membench.report.screens.history.words import (
    now_text,
    page_name,
    percent,
    runs_text,
    scale_of,
    width_text,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_HEIGHT = 190
_DOTS = 1000  # maximum number of dots; of more runs, evenly spaced runs are drawn
_ROWS = 200  # maximum number of rows in the table below a plot; the newest runs are shown
_LINEAR = 2.0  # ratio of the largest to the smallest value up to which the axis is linear


def draw(line: HistoryLine, number: int) -> Figure:
    scale = scale_of(line)
    values = np.array(line.values) / scale.divisor
    title = page_name(line)
    metric = METRICS[line.key.metric]
    higher = line.key.better is Better.HIGHER
    description = tr(
        "Scatter plot. Horizontal axis: runs in the order of time, with dates. Vertical axis: "
        "{metric} in {unit}, {better}. Circles are runs. Horizontal lines are levels; with {runs} "
        "or more runs, the band around a level contains about nine of ten runs. Dashed vertical "
        "lines are changes.",
        metric=metric,
        unit=scale.unit,
        runs=BANDED,
        better=tr("higher is better") if higher else tr("lower is better"),
    )

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for level in line.levels:
            ends = (level.start - 0.5, level.end - 0.5)
            low, high = (end / scale.divisor for end in (level.low, level.high))
            if line.has_band:
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
        axes.set_xticks(ticks, _dates([line.runs[tick].when for tick in ticks]))
        axis: str = tr("{metric} [{unit}]", metric=metric, unit=scale.unit)
        if values.max() > _LINEAR * values.min():
            style.log_axis(axes, "y", values.tolist())
            axis = style.log_text(axis)
        else:
            axes.locator_params(axis="y", nbins=5)
            axes.ticklabel_format(axis="y", style="plain", useOffset=False)
            room = 0.06 * (values.max() - values.min()) or 0.05 * values.max()
            axes.set_ylim(values.min() - room, values.max() + room)
        axes.set_ylabel(axis)

    dots = ""
    if len(values) > _DOTS:
        dots = tr(
            "The plot has circles for {count} of {runs}.",
            count=_DOTS,
            runs=runs_text(len(values)),
        )
    return Figure(
        slug=f"history-{number}",
        title=title,
        caption=sentences((_finding(line), dots)),
        description=description,
        drawing=style.plot(f"history-{number}", title, description, _HEIGHT, paint),
        table=_table(line),
    )


def _dates(times: Sequence[str]) -> list[str]:
    """The date of each of ``times``. If two dates are equal, all have the time on a second line."""
    dates = [time.partition(" ")[0][:12] for time in times]
    if len(set(dates)) == len(dates):
        return dates
    hours = (time.partition(" ")[2] for time in times)
    return [f"{date}\n{hour}" for date, hour in zip(dates, hours, strict=True)]


def _finding(line: HistoryLine) -> str:
    present = tr("now {value}", value=now_text(line))
    if line.has_band:
        present = tr("now {value}, noise band {band}", value=now_text(line), band=width_text(line))
    if not line.changes:
        quiet = tr("{runs} without a change", runs=runs_text(len(line.runs)))
        return sentence(clauses((quiet, present)))
    steps = listed(
        tr(
            "{percent} ({verdict}) on {time}",
            percent=percent(change.ratio),
            verdict=verdict_word(change.verdict),
            time=change.first.when,
        )
        for change in line.changes
    )
    found = tr_n("{count} change", "{count} changes", len(line.changes))
    return sentence(clauses((tr("{run}: {told}", run=found, told=steps), present)))


def _table(line: HistoryLine) -> Table:
    scale = scale_of(line)
    starts = {change.place: change for change in line.changes}
    rows: list[tuple[Line, ...]] = []
    first = max(0, len(line.runs) - _ROWS)
    for place, (run, value) in enumerate(zip(line.runs, line.values, strict=True)):
        if place >= first:
            change = starts.get(place)
            new = (
                listed((verdict_word(change.verdict), percent(change.ratio)))
                if change is not None
                else ""
            )
            number = significant(value / scale.divisor)
            rows.append(((Code(run.run_id),), (run.when,), (number,), (new,)))
    columns = (
        *(Column(tr("run")), Column(tr("time (UTC)"))),
        Column(tr("value [{unit}]", unit=scale.unit), numeric=True),
        Column(tr("a new level begins")),
    )
    caption: str = line.key.case
    if first:
        caption = tr("{case}, the newest {count}", case=caption, count=_ROWS)
    return Table(caption, columns, tuple(rows))
