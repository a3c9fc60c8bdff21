"""Plot of the distribution of the time for which cached tokens are idle between two uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from membench.core.messages import clauses, sentence, span, tr
from membench.report.page.document import Column, Figure, Line, Table
from membench.report.page.keeping import keep_seconds
from membench.report.page.supply import compute
from membench.report.plots import style
from membench.thesis.claims.amounts import workload_name
from membench.thesis.claims.verdicts import Verdicts
from membench.thesis.models.catalogue import models
from membench.thesis.replay.gap_sums import FAST_S, GRID_S
from membench.thesis.replay.workloads import Workload, workloads

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_TITLE = tr("Gaps between two uses of the KV cache")
_DESCRIPTION = tr(
    "Line plot of cumulative shares. Horizontal axis: seconds between two uses (in a trace with "
    "sessions, between two requests of a session), logarithmic. Vertical axis: percent. Each "
    "trace has two lines: the share of the tokens with at most this gap (traffic), and the "
    "share of the idle time of all tokens that is due to these gaps (residency). Up to a dashed "
    "vertical line, keeping the KV cache is cheaper than recomputing it, at assumed prices."
)
MODEL, PREFIX = "llama-3.1-70b", 32768


def draw(found: Verdicts) -> Figure:
    told = workloads()
    keep = {
        tier: keep_seconds(found, models()[MODEL], PREFIX, compute(found).flops_per_s, tier)
        for tier in ("ddr5", "essd")
    }

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for place, one in enumerate(told):
            trace = workload_name(one.name)
            for label, values, dash in (
                (tr("{trace}, traffic", trace=trace), one.gaps.traffic, "-"),
                (tr("{trace}, residency", trace=trace), one.gaps.residency, ":"),
            ):
                look: Any = {"color": style.colour(place), "linestyle": dash}
                axes.plot(GRID_S, 100 * values, label=label, **look)
        style.zero_axis(axes, "y", [100])
        for place, (tier, seconds) in enumerate(keep.items()):
            axes.axvline(seconds, **style.ASSUMED)
            name = {"ddr5": tr("keep in DDR"), "essd": tr("keep in SSD")}[tier]
            style.note(axes, name, seconds, 12 + 9 * place, xytext=(-3, 0), ha="right", va="bottom")
        style.log_axis(axes, "x", [2, 1e6, *keep.values()])
        axes.set_xlabel(style.log_text(tr("gap [s]")))
        axes.set_ylabel(tr("share up to this gap [%]"))
        style.legend(canvas, axes)

    parts = []
    for one in told:
        traffic, residency = (values for values in _shares_up_to(one, FAST_S))
        parts.append(
            tr(
                "{trace}: {traffic} of the tokens are idle for at most {gap} s, and cause "
                "{residency} of the idle time of all tokens",
                trace=workload_name(one.name),
                gap=f"{FAST_S:g}",
                traffic=_percent(traffic),
                residency=_percent(residency),
            )
        )
    return Figure(
        slug="gaps",
        title=_TITLE,
        caption=sentence(clauses(parts)),
        description=_DESCRIPTION,
        drawing=style.plot("gaps", _TITLE, _DESCRIPTION, 290, paint),
        table=_table(told),
    )


def _shares_up_to(one: Workload, seconds: float) -> tuple[float, float]:
    """The shares (0 to 1) of traffic and of residency in gaps of at most ``seconds``."""
    bands = [band for band in one.gaps.bands if band.high <= seconds]
    return sum(band.traffic for band in bands), sum(band.residency for band in bands)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _table(told: tuple[Workload, ...]) -> Table:
    columns = [Column(tr("gap [s]"))]
    for one in told:
        name = workload_name(one.name)
        columns += [
            Column(tr("{trace}, traffic [%]", trace=name), numeric=True),
            Column(tr("{trace}, residency [%]", trace=name), numeric=True),
        ]
    bands = [one.gaps.bands for one in told]
    rows: list[tuple[Line, ...]] = []
    for several in zip(*bands, strict=True):
        low, high = several[0].low, several[0].high
        gap = span(f"{low:g}", f"{high:g}") if np.isfinite(high) else tr("longer")
        cells: list[Line] = [(gap,)]
        for band in several:
            cells += [(f"{100 * band.traffic:.1f}",), (f"{100 * band.residency:.1f}",)]
        rows.append(tuple(cells))
    return Table(
        tr("Share of the tokens (traffic) and of their idle time (residency), by gap"),
        tuple(columns),
        tuple(rows),
    )
