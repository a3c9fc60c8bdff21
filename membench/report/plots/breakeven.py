"""Plot of the bandwidth above which restoring is faster than recomputing, for each model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from membench.core.messages import sentences, tr, tr_n
from membench.core.units import significant
from membench.report.page.document import Column, Figure, Line, Table
from membench.report.page.supply import compute, spec, supplies
from membench.report.plots import style
from membench.thesis.claims.verdicts import Verdicts
from membench.thesis.models.breakeven import breakeven_bandwidth
from membench.thesis.models.catalogue import Model, judged_models
from membench.thesis.models.kv_shape import KvDtype, mean_bytes_per_token

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_TITLE = tr("Break-even bandwidth by model")
_DESCRIPTION = tr(
    "Dot plot. Horizontal axis: GB/s, logarithmic. One line per model. A filled mark is the "
    "bandwidth above which restoring a prefix is faster than recomputing. A hollow mark is this "
    "bandwidth on a Rubin GPU with KV in fp8. Vertical lines are the bandwidths of the tiers: "
    "solid if measured, dotted if cited."
)
PREFIX = 32768
_TOLD = 3
"""Maximum number of paths in the caption; the plot may have more."""


def rates(flops_per_s: float, dtype: KvDtype, prefix: int = PREFIX) -> list[tuple[Model, float]]:
    """Pairs (model, break-even bandwidth in B/s), the highest bandwidth first.

    Above this bandwidth, restoring ``prefix`` tokens is faster than recomputing. Models with
    unknown weights are left out.
    """
    found = [
        (
            model,
            breakeven_bandwidth(
                mean_bytes_per_token(model.shape, prefix, dtype),
                model.parameters.matmul,
                model.parameters.attention,
                prefix,
                flops_per_s,
            ),
        )
        for model in judged_models().values()
        if model.parameters is not None
    ]
    return sorted(found, key=lambda item: -item[1])


def draw(found: Verdicts) -> Figure:
    rate = compute(found)
    own = rates(rate.flops_per_s, KvDtype.FP16)
    rubin = {model.slug: value for model, value in rates(spec(found, "rubin", "fp4"), KvDtype.FP8)}
    supply = supplies(found)

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        places = range(len(own))
        values = [value / 1e9 for _, value in own]
        others = [rubin[model.slug] / 1e9 for model, _ in own]
        shown = supply[: style.SERIES]
        everything = [*values, *others, *(one.rate.value / 1e9 for one in shown)]
        style.log_axis(axes, "x", everything)
        axes.plot(
            values,
            places,
            label=rate.label,
            **style.mark(0, cited=False) | ({"fillstyle": "left"} if rate.assumed else {}),
        )
        axes.plot(others, places, label=tr("Rubin fp4, assumed"), **style.mark(1, cited=True))
        for place, one in enumerate(shown):
            dash = style.CITED_DASH if one.cited else style.DASHES[place]
            axes.axvline(
                one.rate.value / 1e9,
                color=style.colour(place + 2),
                linestyle=dash,
                linewidth=1.4,
                label=one.name,
            )
        axes.set_yticks(places, [model.slug for model, _ in own])
        axes.set_ylim(len(own) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(style.log_text(tr("bandwidth [GB/s]")))
        style.legend(canvas, axes)

    low, high = own[-1], own[0]
    told = [
        tr(
            "At {tokens} tokens ({rate}), restoring is faster than recomputing above {low} GB/s "
            "for {low_model}, and above {high} GB/s for {high_model}.",
            tokens=PREFIX,
            rate=rate.label,
            low=significant(low[1] / 1e9, 3),
            low_model=low[0].name,
            high=significant(high[1] / 1e9, 3),
            high_model=high[0].name,
        )
    ]
    told += [
        tr(
            'Over the path "{path}" ({rate} GB/s), restoring is faster than recomputing for '
            "{cleared} of {models} models.",
            path=one.name,
            rate=significant(one.rate.value / 1e9, 3),
            cleared=sum(one.rate.value > value for _, value in own),
            models=len(own),
        )
        for one in supply[:_TOLD]
    ]
    if (more := len(supply) - style.SERIES) > 0:
        told.append(
            tr_n(
                "{count} more path is not in this plot.",
                "{count} more paths are not in this plot.",
                more,
            )
        )
    rows: list[tuple[Line, ...]] = [
        (
            (model.name,),
            (significant(value / 1e9, 3),),
            (significant(rubin[model.slug] / 1e9, 3),),
        )
        for model, value in own
    ]
    return Figure(
        slug="breakeven",
        title=_TITLE,
        caption=sentences(told),
        description=_DESCRIPTION,
        drawing=style.plot(
            "breakeven", _TITLE, _DESCRIPTION, 95 + style.ROW * (len(own) + len(supply) / 2), paint
        ),
        table=Table(
            tr("Break-even bandwidth at {tokens} tokens, GB/s", tokens=PREFIX),
            (
                Column(tr("model")),
                Column(tr("{rate}, fp16", rate=rate.label), numeric=True),
                Column(tr("Rubin fp4 (assumed), fp8"), numeric=True),
            ),
            tuple(rows),
        ),
    )
