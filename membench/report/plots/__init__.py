"""The plots of the report; `draw_all` returns the plots that need only runs."""

from __future__ import annotations

from collections.abc import Sequence

from membench.report.page.document import Figure
from membench.report.page.runs import Run
from membench.report.plots import (
    block_size,
    footprint,
    kernels,
    kv_map,
    ladder,
    link_matrix,
    loaded,
    queue_depth,
    staircase,
    threads,
    transfer,
)
from membench.report.plots.style import NotDrawn

_PLOTS = (
    ladder,
    footprint,
    staircase,
    kernels,
    threads,
    loaded,
    transfer,
    kv_map,
    link_matrix,
    block_size,
    queue_depth,
)


def draw_all(runs: Sequence[Run]) -> tuple[tuple[Figure, ...], tuple[NotDrawn, ...]]:
    """The figures for ``runs``, and the plots that cannot be drawn because data are missing."""
    drawn = [plot.draw(runs) for plot in _PLOTS]
    return (
        tuple(one for one in drawn if isinstance(one, Figure)),
        tuple(one for one in drawn if isinstance(one, NotDrawn)),
    )
