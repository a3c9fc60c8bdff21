"""Plot of usable SSD capacity against link bandwidth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from membench.core.messages import tr
from membench.core.units import significant
from membench.report.page.document import Column, Figure, Line, Table
from membench.report.page.supply import supplies
from membench.report.plots import style
from membench.thesis.claims.verdicts import Verdicts
from membench.thesis.models.demand import usable_capacity

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_TITLE = tr("Usable capacity by link bandwidth")
_DESCRIPTION = tr(
    "Line plot. Horizontal axis: link bandwidth in GB/s, logarithmic. Vertical axis: usable "
    "capacity in TB, from 0. Only data that the link can read within the mean gap between two "
    "uses is usable. One line per mean gap. The dashed vertical line is the assumed link; other "
    "vertical lines are measured or cited paths from SSD."
)
_GAPS = {
    tr("SSD serves all reuse"): "workload.agent.gap",
    tr("HBM and DDR serve reuse within 60 s"): "workload.agent.gap_above_60s",
}
_RATES = np.geomspace(1, 128, 8) * 1e9


def draw(found: Verdicts) -> Figure:
    """Plot the usable capacity of flash over the bandwidth, for two mean gaps between uses.

    The usable capacity is min(capacity, bandwidth times gap). The gaps are from the agent trace.
    """
    capacity = found.entries["system.extra_capacity"]
    link = found.entries["system.link"]
    total = capacity.value * capacity.scale
    gaps = {name: found.entries[key].value for name, key in _GAPS.items()}
    paths = [one for one in supplies(found) if one.key in ("ssd-hbm", "ssd-read")][:4]

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for place, (name, gap) in enumerate(gaps.items()):
            held = [usable_capacity(total, rate, gap) / 1e12 for rate in _RATES]
            axes.plot(
                _RATES / 1e9,
                held,
                label=tr("{case} ({gap} s)", case=name, gap=f"{gap:g}"),
                **style.line(place),
            )
        style.zero_axis(axes, "y", [total / 1e12])
        rates = [*(_RATES / 1e9), *(one.rate.value / 1e9 for one in paths)]
        style.log_axis(axes, "x", rates)
        axes.axvline(link.value, **style.ASSUMED)
        style.note(axes, tr("{rate} GB/s, assumed", rate=f"{link.value:g}"), link.value, 2)
        for place, one in enumerate(paths):
            dash = style.CITED_DASH if one.cited else "-"
            look: Any = {"color": style.colour(place + 2), "linestyle": dash}
            axes.axvline(one.rate.value / 1e9, label=one.name, **look)
        axes.set_xlabel(style.log_text(tr("link bandwidth [GB/s]")))
        axes.set_ylabel(tr("usable capacity [TB]"))
        style.legend(canvas, axes)

    held, other = (
        significant(usable_capacity(total, link.value * link.scale, gap) / 1e12, 3)
        for gap in gaps.values()
    )
    caption = tr(
        "At the assumed link bandwidth of {rate} GB/s, {held} of {capacity} TB are usable if "
        "{case}, and {other} of {capacity} TB are usable if {other_case}.",
        rate=f"{link.value:g}",
        capacity=f"{capacity.value:g}",
        held=held,
        other=other,
        **dict(zip(("case", "other_case"), gaps, strict=True)),
    )
    rows: list[tuple[Line, ...]] = [
        (
            (f"{rate / 1e9:.3g}",),
            *(
                (significant(usable_capacity(total, float(rate), gap) / 1e12, 3),)
                for gap in gaps.values()
            ),
        )
        for rate in _RATES
    ]
    return Figure(
        slug="usable",
        title=_TITLE,
        caption=caption,
        description=_DESCRIPTION,
        drawing=style.plot("usable", _TITLE, _DESCRIPTION, 290, paint),
        table=Table(
            tr("Usable TB by GB/s"),
            (Column("GB/s"), *(Column(name, numeric=True) for name in gaps)),
            tuple(rows),
        ),
    )
