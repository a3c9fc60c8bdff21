"""Plot of the bandwidth between each pair of devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from membench.core.messages import sentences, span, tr, tr_n
from membench.core.terms import Metric, Stat
from membench.core.units import significant
from membench.report.page.document import Figure
from membench.report.page.runs import Run
from membench.report.plots import style
from membench.report.plots.series import data_table, measured, parameter, rounds_text
from membench.report.plots.style import NotDrawn
from membench.report.screens.blocks import split
from membench.results.schema import Row, is_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_TITLE = tr("Link matrix")
_SQUARE = {"facecolor": "none", "edgecolor": style.colour(0), "linewidth": 1.4}
_DEVICES = frozenset({"src", "dst", "gpu"})
_DESCRIPTION = tr(
    "Annotated matrix. Rows: sources. Columns: targets. Each cell has a bandwidth in GB/s, and a "
    "square with an area proportional to the bandwidth."
)


def draw(runs: Sequence[Run]) -> Figure | NotDrawn:
    """The matrix of one operation in one run.

    The run is the first run that measured an operation between two or more pairs of devices. Of the
    operations in this run, the one with the most pairs is drawn.
    """
    for run in runs:
        drawable = [(name, cells) for name, cells in _matrices([run]).items() if len(cells) > 1]
        if drawable:
            return _draw(*drawable[0], others=len(drawable) - 1)
    return NotDrawn(_TITLE, tr("no operation was measured for two or more pairs of devices"))


def _matrices(runs: Sequence[Run]) -> dict[str, dict[tuple[str, str], tuple[str, Row]]]:
    """Operation -> (source, target) -> (run, row), the operation with the most pairs first."""
    found: dict[str, dict[tuple[str, str], tuple[str, Row]]] = {}
    for run, row in measured(runs):
        source, target = _end(row, "src"), _end(row, "dst")
        if source and target and row.metric is Metric.BANDWIDTH and row.stat is Stat.MEDIAN:
            found.setdefault(_operation(row), {}).setdefault((source, target), (run.label, row))
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def _end(row: Row, key: str) -> str:
    """The device of ``key`` (src or dst), from the case id or from the column `detail`."""
    return parameter(row, key) or row.detail.get(key, "")


def _operation(row: Row) -> str:
    """The case id without the devices."""
    name, parameters = split(row.case)
    kept = (part for part in parameters if part.partition("=")[0] not in _DEVICES)
    return "/".join((name, *kept))


def _draw(name: str, cells: Mapping[tuple[str, str], tuple[str, Row]], *, others: int) -> Figure:
    sources = sorted({source for source, _ in cells}, key=_natural)
    targets = sorted({target for _, target in cells}, key=_natural)
    values = np.full((len(sources), len(targets)), np.nan)
    for (source, target), (_, row) in cells.items():
        values[sources.index(source), targets.index(target)] = row.value or 0.0

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        top = float(np.nanmax(values))
        for row, column in np.ndindex(values.shape):
            value = float(values[row, column])
            if np.isnan(value):
                continue
            side = 0.92 * float(np.sqrt(value / top))
            style.square(axes, column, row, side, **_SQUARE)
            axes.text(column, row, significant(value, 3), ha="center", va="center", fontsize=9.5)
        axes.set_xlim(-0.6, len(targets) - 0.4)
        axes.set_ylim(len(sources) - 0.4, -0.6)
        axes.set_xticks(range(len(targets)), targets)
        axes.set_yticks(range(len(sources)), sources)
        axes.set_xlabel(tr("to device"))
        axes.set_ylabel(tr("from device"))
        axes.grid(visible=False)
        axes.tick_params(length=0)

    rows = [*cells.values()]
    ordered = sorted((row for _, row in rows), key=lambda row: row.value or 0.0)
    low, high = (significant(row.value or 0.0, 3) for row in (ordered[0], ordered[-1]))
    finding = tr(
        "With {operation}, each of {pairs} pairs of devices reaches {rate} GB/s.",
        operation=name,
        rate=low if low == high else span(low, high),
        pairs=len(cells),
    )
    measured_rows = [row for _, row in rows]
    height = 70 + 34 * len(sources)
    return Figure(
        slug="link-matrix",
        title=tr("Link matrix: {operation}", operation=name),
        caption=sentences((finding, _not_drawn(others), rounds_text(measured_rows, marks=False))),
        description=_DESCRIPTION,
        drawing=style.plot("link-matrix", _TITLE, _DESCRIPTION, height, paint),
        table=data_table(tr("Bandwidth by pair of devices"), rows),
    )


def _not_drawn(others: int) -> str:
    if not others:
        return ""
    return tr_n(
        "The run also measured {count} other operation between devices.",
        "The run also measured {count} other operations between devices.",
        others,
    )


def _natural(name: str) -> tuple[int, str]:
    return (int(name) if is_whole(name) else 0, name)
