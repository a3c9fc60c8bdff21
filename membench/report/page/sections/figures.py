"""The plots, and what could not be drawn."""

from __future__ import annotations

from collections.abc import Sequence

from membench.report.page.document import Bullets, Section, Strong
from membench.report.page.runs import Run
from membench.report.plots import draw_all


def section(runs: Sequence[Run]) -> Section:
    """Every plot that the data allows; the others by name with the reason."""
    drawn, left_out = draw_all(runs)
    items = tuple((Strong(f"{one.title}: "), f"{one.reason}.") for one in left_out)
    rest = (Section("not-drawn", "Not drawn", (Bullets(items),)),) if items else ()
    return Section("plots", "Plots", drawn, rest)
