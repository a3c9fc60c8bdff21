"""Plots of a fleet: a heat map of machines and cases, and for each tier a strip of machines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from membench.analysis.fleet.summary import CaseSpread, FleetSummary
from membench.core.messages import tr
from membench.core.record import record
from membench.core.terms import Tier
from membench.core.units import significant
from membench.report.page.document import Code, Column, Figure, Line, Table
from membench.report.page.sections.words import TIERS
from membench.report.plots import style
from membench.report.plots.style import NotDrawn
from membench.report.screens.fleet.words import (
    case_name,
    cases_text,
    in_order,
    stragglers_text,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

MACHINES, CASES, DOTS = 40, 60, 400
"""Maximum number of machines in a heat map, of cases in a heat map, and of dots per tier."""
_HEAT_TITLE, _STRIP_TITLE = tr("Machines by cases"), tr("Every machine, tier by tier")
_HEAT = tr(
    "Heat map. One line per machine, the slowest machine at the top. One column per case; the "
    "table below the plot lists the number and the case of each column. A square means that the "
    "machine is slower than the median of the fleet; a larger square means slower. A filled square "
    "is an outlier. Without a square, the machine is at most 0.5 % slower "
    "than the median, or has no value."
)
_STRIP = tr(
    "Strip plot. One line per tier. Horizontal axis: slow-down relative to the median of the "
    "fleet (1 = median), as the geometric mean over the cases of the tier; right is slower. "
    "Circles are machines; filled diamonds are stragglers."
)
_NAME = 18  # maximum characters of a machine's name beside the plot


@record
class _Grid:
    """The data of a heat map; the arrays have the shape (machines, cases).

    Attributes:
        machines: indices of the shown machines in the results of the fleet.
        apart: natural logarithm of the slow-down relative to the median; NaN without a value.
        slow: whether the machine is an outlier in the case.
    """

    machines: tuple[int, ...]
    cases: tuple[CaseSpread, ...]
    apart: NDArray[np.float64]
    slow: NDArray[np.bool_]


def heat_map(summary: FleetSummary) -> Figure | NotDrawn:
    """Plot a heat map: the `MACHINES` slowest machines and the `CASES` cases with most outliers."""
    if not any(case.judged for case in summary.cases):
        return NotDrawn(_HEAT_TITLE, tr("no case has enough machines to find outliers"))
    grid = _grid(summary)
    names = [summary.values.machines[number] for number in grid.machines]

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for line, (apart, slow) in enumerate(zip(grid.apart, grid.slow, strict=True)):
            for column in np.flatnonzero(np.nan_to_num(apart) > math.log1p(0.005)).tolist():
                _paint_cell(axes, column, line, float(apart[column]), slow=bool(slow[column]))
        _frame(axes, grid, names)
        _key(axes)
        style.legend(canvas, axes)

    rows: list[tuple[Line, ...]] = [
        (
            (str(number),),
            (Code(case_name(case)),),
            (str(case.slow),),
            (f"{100 * case.spread:.1f} %",),
        )
        for number, case in enumerate(grid.cases, 1)
    ]
    columns = (
        *(Column(tr("number"), numeric=True), Column(tr("case"))),
        *(Column(tr("slow machines"), numeric=True), Column(tr("spread"), numeric=True)),
    )
    return Figure(
        slug="fleet-heat",
        title=_HEAT_TITLE,
        caption=_heat_finding(summary, grid),
        description=_HEAT,
        drawing=style.plot("fleet-heat", _HEAT_TITLE, _HEAT, 120 + 13 * len(names), paint),
        table=Table(tr("The cases of the columns"), columns, tuple(rows)),
    )


def _heat_finding(summary: FleetSummary, grid: _Grid) -> str:
    shown, there = len(grid.machines), len(summary.values.machines)
    many = len(summary.stragglers)
    return tr(
        "{machines}, {cases}: {stragglers}.",
        machines=tr("The slowest {count} of {all} machines", count=shown, all=there)
        if shown < there
        else tr("All {count} machines", count=there),
        cases=tr("{part} of {whole}", part=len(grid.cases), whole=cases_text(len(summary.cases))),
        stragglers=stragglers_text(many) if many else tr("no machine is a straggler"),
    )


def _paint_cell(axes: Axes, column: int, line: int, apart: float, *, slow: bool) -> None:
    side = _side(apart)
    colour = style.colour(1 if slow else 0)
    style.square(axes, column, line, side, fill=slow, color=colour, linewidth=0.7)


def _side(apart: float) -> float:
    """Side of the square for ``apart`` (see `_Grid`), as a fraction of the cell.

    The square for 1 % is still visible. The square for a factor of two almost fills the cell.
    """
    return min(0.92, 0.18 + 0.74 * math.sqrt(apart / math.log(2)))


def _key(axes: Axes) -> None:
    """Add squares of three sizes, and the filled square for outliers, to the legend."""
    largest = 9.0  # points
    outline: dict[str, Any] = {"marker": "s", "fillstyle": "none", "markeredgewidth": 0.7}
    for times, text in (
        (1.05, tr("5 % slower than the median")),
        (1.25, "25 %"),
        (2.0, "100 %"),
    ):
        look = {**outline, "markersize": largest * _side(math.log(times)), "color": style.colour(0)}
        axes.plot([], [], label=text, linestyle="none", **look)
    axes.plot(
        *([], []),
        label=tr("outlier of the fleet"),
        linestyle="none",
        marker="s",
        markersize=0.7 * largest,
        color=style.colour(1),
    )


def _frame(axes: Axes, grid: _Grid, names: Sequence[str]) -> None:
    count = len(grid.cases)
    axes.set_xlim(-0.6, count - 0.4)
    axes.set_ylim(len(names) - 0.4, -0.6)
    short = [name if len(name) <= _NAME else f"{name[: _NAME - 2]}.." for name in names]
    axes.set_yticks(range(len(names)), short, fontsize=8.5)
    step = max(1, math.ceil(count / 8))
    axes.set_xticks(range(0, count, step), [str(place + 1) for place in range(0, count, step)])
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(tr("case, by its number"))
    tiers = [case.key.tier for case in grid.cases]
    for place in range(1, count):
        if tiers[place] is not tiers[place - 1]:
            axes.axvline(place - 0.5, color=style.MUTED, linewidth=0.8)
    top = axes.secondary_xaxis("top")
    middles = [
        np.mean([place for place, one in enumerate(tiers) if one is tier])
        for tier in dict.fromkeys(tiers)
    ]
    top.set_xticks(middles, [str(tier) for tier in dict.fromkeys(tiers)])
    top.tick_params(axis="x", length=0)


def _grid(summary: FleetSummary) -> _Grid:
    values = summary.values
    slow = {line.name: place for place, line in enumerate(summary.slow)}
    mean = _by_machine(summary, np.ones(len(values.value), np.bool_))
    ordered = sorted(
        range(len(values.machines)),
        key=lambda number: (slow.get(values.machines[number], len(slow)), -mean[number]),
    )[:MACHINES]
    cases = [case for case in in_order(summary) if case.judged]
    kept = sorted(cases, key=lambda case: -case.slow)[:CASES]
    shown = tuple(case for case in cases if case in kept)
    line = {number: place for place, number in enumerate(ordered)}
    key = {case.key: place for place, case in enumerate(shown)}
    column = np.array([key.get(one, -1) for one in values.keys], np.int32)[values.key]
    row = np.array([line.get(number, -1) for number in range(len(values.machines))], np.int32)
    row = row[values.machine]
    here = (column >= 0) & (row >= 0)
    apart = np.full((len(ordered), len(shown)), np.nan)
    apart[row[here], column[here]] = summary.apart[here]
    stands = np.zeros(apart.shape, np.bool_)
    by_name = {values.machines[number]: place for number, place in line.items()}
    for one in summary.slow:
        for cell in one.slow if one.name in by_name else ():
            if cell.key in key:
                stands[by_name[one.name], key[cell.key]] = True
    return _Grid(tuple(ordered), shown, apart, stands)


def _by_machine(summary: FleetSummary, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """For each machine, the mean logarithm of the slow-down over the ``chosen`` values.

    The slow-down is relative to the median of the fleet. The mean is NaN for a machine without
    chosen values.
    """
    values = summary.values
    count = len(values.machines)
    sums = np.bincount(values.machine[chosen], summary.apart[chosen], minlength=count)
    counts = np.bincount(values.machine[chosen], minlength=count)
    means: NDArray[np.float64] = np.full(count, np.nan)
    return np.divide(sums, counts, out=means, where=counts > 0)


def strips(summary: FleetSummary) -> Figure | NotDrawn:
    """Plot the machines of each tier as dots, and all stragglers as diamonds.

    A tier has at most `DOTS` dots. If there are more machines, they are sorted from the fastest to
    the slowest, and the dots are machines at equal steps of the rank.
    """
    values = summary.values
    if len(values.machines) < 2:
        return NotDrawn(_STRIP_TITLE, tr("the fleet has fewer than two machines"))
    present = {key.tier for key in values.keys}
    tiers = [tier for tier in Tier if tier in present]
    tier_of = np.array([tiers.index(key.tier) for key in values.keys])[values.key]
    means = [_by_machine(summary, tier_of == place) for place in range(len(tiers))]
    stragglers = {line.name for line in summary.stragglers}
    marked = np.array([name in stragglers for name in values.machines])
    times = [np.exp(mean[~np.isnan(mean)]) for mean in means]

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        _times_axis(axes, np.concatenate(times))
        for place, mean in enumerate(means):
            usual = np.sort(np.exp(mean[~marked & ~np.isnan(mean)]))
            shown = _thinned(usual)
            # Vertical shifts in steps of the golden ratio separate the dots, and are reproducible.
            shift = (np.arange(len(shown)) * 0.618034 % 1 - 0.5) * 0.6
            axes.plot(shown, place + shift, **style.rounds(0))
            apart = np.exp(mean[marked & ~np.isnan(mean)])
            axes.plot(apart, np.full(len(apart), place), **(style.mark(1) | {"marker": "D"}))
        axes.set_yticks(range(len(tiers)), [TIERS[tier] for tier in tiers])
        axes.set_ylim(len(tiers) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(tr("slow-down relative to the median of the fleet"))

    return Figure(
        slug="fleet-strips",
        title=_STRIP_TITLE,
        caption=_strip_finding(tiers, times),
        description=_STRIP,
        drawing=style.plot(
            "fleet-strips", _STRIP_TITLE, _STRIP, 60 + 3 * style.ROW * len(tiers), paint
        ),
        table=_strip_table(tiers, times),
    )


def _times_axis(axes: Axes, times: NDArray[np.float64]) -> None:
    """Set a linear x axis, or a logarithmic one if ``times`` differ by more than a factor of 2."""
    low, high = min(0.98, float(times.min())), max(1.02, float(times.max()))
    if high / low > 2:
        style.log_axis(axes, "x", [low, high])
    else:
        room = 0.04 * (high - low)
        axes.set_xlim(low - room, high + room)
        axes.axvline(1, color=style.MUTED, linewidth=0.8)


def _thinned(ordered: NDArray[np.float64]) -> NDArray[np.float64]:
    if len(ordered) <= DOTS:
        return ordered
    return ordered[np.linspace(0, len(ordered) - 1, DOTS).round().astype(np.int64)]


def _strip_finding(tiers: Sequence[Tier], times: Sequence[NDArray[np.float64]]) -> str:
    widest = max(range(len(tiers)), key=lambda place: float(times[place].max()))
    worst = significant(float(times[widest].max()), 3)
    return tr(
        "The largest slow-down of a machine relative to the median of the fleet is {worst}, in "
        "{tier} (1 = median).",
        worst=worst,
        tier=TIERS[tiers[widest]],
    )


def _strip_table(tiers: Sequence[Tier], times: Sequence[NDArray[np.float64]]) -> Table:
    titles = (tr("machines"), tr("fastest"), "1 %", tr("median"), "99 %", tr("slowest"))
    columns = (Column(tr("tier")), *(Column(title, numeric=True) for title in titles))
    rows: list[tuple[Line, ...]] = []
    for tier, one in zip(tiers, times, strict=True):
        points = np.quantile(one, [0, 0.01, 0.5, 0.99, 1])
        cells: list[Line] = [(significant(float(point), 4),) for point in points]
        rows.append(((TIERS[tier],), (str(len(one)),), *cells))
    return Table(
        tr("Slow-down relative to the median of the fleet (1 = median, above 1 = slower)"),
        columns,
        tuple(rows),
    )
