"""The section with the plots of the runs, and a list of the plots that could not be drawn."""

from __future__ import annotations

from collections.abc import Sequence

from membench.core.messages import sentence, tr
from membench.report.page.document import Bullets, Section, Strong
from membench.report.page.runs import Run
from membench.report.plots import draw_all


def section(runs: Sequence[Run]) -> Section:
    drawn, left_out = draw_all(runs)
    items = tuple(
        (Strong(tr("{title}: ", title=one.title)), sentence(one.reason)) for one in left_out
    )
    rest = (Section("not-drawn", tr("Not drawn"), (Bullets(items),)),) if items else ()
    return Section("plots", tr("Plots"), drawn, rest)
