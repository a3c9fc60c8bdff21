"""Roofline plots that place decode and prefill of models on the limits of devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from membench.core.messages import tr
from membench.core.units import significant
from membench.report.page.document import Column, Figure, Table
from membench.report.page.supply import measured_roofs, spec
from membench.report.plots import style
from membench.thesis.advise.paths import Rate
from membench.thesis.claims.verdicts import Verdicts
from membench.thesis.models.catalogue import Model, models
from membench.thesis.models.kv_shape import kv_bytes
from membench.thesis.models.roofline import decode_intensity, ridge, touched_weights

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

_TITLE = tr("Roofline of decode and prefill")
_DESCRIPTION = tr(
    "Two line plots, one above the other. Horizontal axis: FLOP per byte of device memory, "
    "logarithmic. Vertical axis: maximum TFLOP/s, logarithmic. Solid lines are measured or cited "
    "limits of a device. Dashed lines are limits from specifications. Marks are models on the line "
    "of the first device. The upper plot shows decode, the lower plot shows prefill."
)
SHOWN = ("llama-3.1-8b", "llama-3.1-70b", "qwen3-235b-a22b", "deepseek-v3", "gpt-oss-120b")
BATCH, CONTEXT, CHUNK = 32, 32768, 8192
_HALF = 2
_ASSUMED = (("h100", "bf16"), ("gb200", "bf16"), ("rubin", "fp4"))


def draw(found: Verdicts) -> Figure:
    roofs: list[tuple[str, float, float, bool]] = [
        (_roof_name(subject.machine, memory, flops), memory.value, flops.value, False)
        for subject, memory, flops in measured_roofs(found)[:2]
    ]
    roofs += [
        (
            tr("{device} (assumed)", device=f"{device} {number}"),
            spec(found, device, "bandwidth"),
            spec(found, device, number),
            True,
        )
        for device, number in _ASSUMED
    ]
    known = [models()[name] for name in SHOWN]
    decode = [_decode(model) for model in known]
    prefill = [_prefill(model) for model in known]

    def paint(canvas: Canvas) -> None:
        panels = canvas.subplots(2, 1, sharex=True)
        titles = (tr("decode [TFLOP/s]"), tr("prefill [TFLOP/s]"))
        for place, (points, title) in enumerate(zip((decode, prefill), titles, strict=True)):
            _paint(panels[place], roofs, points, known)
            panels[place].set_ylabel(style.log_text(title))
        panels[-1].set_xlabel(style.log_text(tr("arithmetic intensity [FLOP/B]")))
        style.legend(canvas, panels[0])

    name, memory, flops, _ = roofs[0]
    bound = [
        model.name
        for model, value in zip(known, decode, strict=True)
        if value < ridge(flops, memory)
    ]
    caption = tr(
        "Memory bandwidth limits decode if the arithmetic intensity is below the ridge point, "
        "{ridge} FLOP/B for {roof}. At batch {batch} and {tokens} tokens, the intensity is below "
        "this point for {bound} of {models} models.",
        batch=BATCH,
        tokens=CONTEXT,
        bound=len(bound),
        models=len(known),
        roof=name,
        ridge=significant(ridge(flops, memory), 3),
    )
    return Figure(
        slug="roofline",
        title=_TITLE,
        caption=caption,
        description=_DESCRIPTION,
        drawing=style.plot("roofline", _TITLE, _DESCRIPTION, 460, paint),
        table=_table(known, decode, prefill),
    )


def _roof_name(machine: str, *rates: Rate) -> str:
    if any(row.cited for rate in rates for row in rate.rows):
        return tr("{machine} (cited)", machine=machine)
    return tr("{machine} (measured)", machine=machine)


def _paint(
    axes: Axes,
    roofs: list[tuple[str, float, float, bool]],
    points: list[float],
    known: list[Model],
) -> None:
    span = np.geomspace(1, 30000, 60)
    for place, (name, memory, flops, assumed) in enumerate(roofs):
        height = np.minimum(span * memory, flops) / 1e12
        look: Any = {"color": style.colour(place)} | (
            {"linestyle": (0, (4, 3)), "linewidth": 1.1} if assumed else {}
        )
        axes.plot(span, height, label=name, **look)
    _, memory, flops, _ = roofs[0]
    for place, (model, x) in enumerate(zip(known, points, strict=True)):
        y = min(x * memory, flops) / 1e12
        axes.plot(
            [x],
            [y],
            label=model.slug,
            marker=style.MARKERS[place],
            color=style.INK,
            linestyle="none",
        )
    style.log_axis(axes, "y", [0.5 * min(roof[1] for roof in roofs) / 1e12, roofs[-1][2] / 1e12])
    style.log_axis(axes, "x", [1, 30000])


def _decode(model: Model) -> float:
    weights = model.parameters
    assert weights is not None
    return decode_intensity(
        weight_bytes=_HALF
        * touched_weights(weights.shared, weights.expert, weights.experts, weights.active, BATCH),
        kv_bytes_per_sequence=kv_bytes(model.shape, CONTEXT),
        context=CONTEXT,
        active_params=weights.matmul,
        attention_flops=weights.attention,
        batch=BATCH,
    )


def _prefill(model: Model) -> float:
    """FLOP per byte of the last chunk of a prefill; the chunk reads weights and KV cache once."""
    weights = model.parameters
    assert weights is not None
    touched = touched_weights(
        weights.shared, weights.expert, weights.experts, weights.active, CHUNK
    )
    flops = CHUNK * (2 * weights.matmul + weights.attention * CONTEXT)
    return flops / (_HALF * touched + kv_bytes(model.shape, CONTEXT))


def _table(known: list[Model], decode: list[float], prefill: list[float]) -> Table:
    return Table(
        tr(
            "FLOP per byte with a context of {tokens} tokens: decode of {batch} requests at once, "
            "prefill in chunks of {chunk} tokens",
            tokens=CONTEXT,
            batch=BATCH,
            chunk=CHUNK,
        ),
        (
            Column(tr("model")),
            Column(tr("decode"), numeric=True),
            Column(tr("prefill"), numeric=True),
        ),
        tuple(
            ((model.name,), (significant(one, 3),), (significant(other, 3),))
            for model, one, other in zip(known, decode, prefill, strict=True)
        ),
    )
