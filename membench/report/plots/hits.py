"""Plot of hit rate against cache capacity, for published traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from membench.core.messages import clauses, sentence, sentences, tr
from membench.core.units import significant
from membench.report.page.document import Column, Figure, Line, Table
from membench.report.plots import style
from membench.thesis.claims.amounts import workload_name
from membench.thesis.claims.verdicts import Verdicts
from membench.thesis.models.catalogue import models
from membench.thesis.models.kv_shape import mean_bytes_per_token
from membench.thesis.replay.curves import Curve, curves

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_TITLE = tr("Hit rate by capacity")
_DESCRIPTION = tr(
    "Line plot. Horizontal axis: cache capacity in GB, logarithmic. Vertical axis: share of the "
    "input tokens that are in the cache, in percent. One line per trace and model. Dashed vertical "
    "lines mark 1 TB and 17 TB."
)
MODELS = ("llama-3.1-70b", "deepseek-v3")
MARKED = (1e12, 17e12)
"""Cache capacities of one GPU in bytes, without and with the announced flash."""


def draw(_found: Verdicts) -> Figure:
    lines = [
        (
            tr("{trace}, {model}", trace=workload_name(curve.name), model=slug),
            curve,
            mean_bytes_per_token(models()[slug].shape, curve.tokens_per_request),
        )
        for curve in curves()
        for slug in MODELS
    ]

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for place, (name, curve, size) in enumerate(lines):
            look: Any = {"color": style.colour(place), "linestyle": style.DASHES[place]}
            axes.plot(curve.capacity * size / 1e9, 100 * curve.hits, label=name, **look)
        style.log_axis(axes, "x", [10, 50e3])
        style.zero_axis(axes, "y", [100])
        for mark in MARKED:
            axes.axvline(mark / 1e9, **style.ASSUMED)
            style.note(axes, f"{mark / 1e12:g} TB", mark / 1e9, 3, va="bottom", xytext=(3, 2))
        axes.set_xlabel(style.log_text(tr("capacity [GB]")))
        axes.set_ylabel(tr("hit rate [%]"))
        style.legend(canvas, axes)

    parts = [
        tr(
            "{series}: {small} at 1 TB, {large} at 17 TB",
            series=name,
            small=_at(curve, size, MARKED[0]),
            large=_at(curve, size, MARKED[1]),
        )
        for name, curve, size in lines
    ]
    rows: list[tuple[Line, ...]] = [
        (
            (name,),
            *((_at(curve, size, capacity),) for capacity in (1e11, 3e11, *MARKED)),
            (significant(curve.requests_per_s, 3),),
        )
        for name, curve, size in lines
    ]
    heads = ("100 GB", "300 GB", "1 TB", "17 TB", tr("requests/s"))
    return Figure(
        slug="hits",
        title=_TITLE,
        caption=sentences(
            (
                sentence(clauses(parts)),
                tr("Replayed from published traces, KV in fp16."),
            )
        ),
        description=_DESCRIPTION,
        drawing=style.plot("hits", _TITLE, _DESCRIPTION, 290, paint),
        table=Table(
            tr("Hit rate by capacity"),
            (Column(tr("trace and model")), *(Column(head, numeric=True) for head in heads)),
            tuple(rows),
        ),
    )


def _at(curve: Curve, size: float, capacity: float) -> str:
    return f"{100 * float(curve.hit_rate(np.array([capacity / size]))[0]):.1f} %"
