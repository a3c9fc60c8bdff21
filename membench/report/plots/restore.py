"""Plot of restore time and recompute time against prefix length, for one model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from membench.core.messages import clauses, sentences, tr
from membench.core.units import significant
from membench.report.page.document import Column, Figure, Line, Table
from membench.report.page.supply import compute, supplies
from membench.report.plots import style
from membench.report.plots.curve import left_out
from membench.report.plots.style import NotDrawn
from membench.thesis.claims.verdicts import Verdicts
from membench.thesis.models.breakeven import load_seconds
from membench.thesis.models.catalogue import models
from membench.thesis.models.kv_shape import kv_bytes
from membench.thesis.models.roofline import prefill_flops

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_TITLE = tr("Restore or recompute")
_DESCRIPTION = tr(
    "Line plot. Horizontal axis: tokens of the prefix, logarithmic. Vertical axis: "
    "seconds, logarithmic. One line for recomputing, and one line per tier for restoring. Solid "
    "lines use measured rates, dotted lines use cited rates, dashed lines use assumed rates."
)
MODEL = "llama-3.1-70b"
_PREFIXES = 1024.0 * 2 ** np.arange(9)
_MOST = style.SERIES - 1  # one further line shows the time to recompute
_TIERS = ("ddr-read", "h2d", "kv-h2d", "ssd-hbm", "ssd-read")


def draw(found: Verdicts) -> Figure | NotDrawn:
    shown = [one for one in supplies(found) if one.key in _TIERS]
    if not shown:
        return NotDrawn(_TITLE, tr("no path from DDR or SSD was measured or cited"))
    model = models()[MODEL]
    weights = model.parameters
    assert weights is not None
    rate = compute(found)
    again = [
        prefill_flops(float(prefix), weights.matmul, weights.attention) / rate.flops_per_s
        for prefix in _PREFIXES
    ]
    sizes = [kv_bytes(model.shape, int(prefix)) for prefix in _PREFIXES]
    lines = [(one, [load_seconds(size, one.rate.value, np.inf) for size in sizes]) for one in shown]

    def paint(canvas: Canvas) -> None:
        axes = canvas.subplots()
        label = tr("recompute ({rate})", rate=rate.label)
        look = style.ASSUMED if rate.assumed else {"color": style.INK}
        axes.plot(_PREFIXES, again, label=label, marker="x", **look)
        for place, (one, times) in enumerate(lines[:_MOST]):
            axes.plot(_PREFIXES, times, label=one.name, **style.line(place, cited=one.cited))
        axes.set_xscale("log", base=2)
        axes.set_xticks([1024, 4096, 16384, 65536, 262144], ["1k", "4k", "16k", "64k", "256k"])
        style.log_axis(axes, "y", [*again, *(t for _, times in lines[:_MOST] for t in times)])
        axes.set_xlabel(style.log_text(tr("prefix [tokens]")))
        axes.set_ylabel(style.log_text(tr("time [s]")))
        style.legend(canvas, axes)

    place = int(np.argmin(np.abs(_PREFIXES - 32768)))
    parts = [
        tr(
            "{seconds} s ({path})",
            path=one.name,
            seconds=significant(times[place], 3),
        )
        for one, times in lines[:_MOST]
    ]
    caption = tr(
        "{model}, KV in fp16, {tokens} tokens: recomputing takes {seconds} s ({rate}); restoring "
        "takes: {paths}.",
        model=model.name,
        tokens=int(_PREFIXES[place]),
        seconds=significant(again[place], 3),
        rate=rate.label,
        paths=clauses(parts),
    )
    rows: list[tuple[Line, ...]] = [
        (
            (str(int(prefix)),),
            (significant(once, 3),),
            *((significant(times[number], 3),) for _, times in lines),
        )
        for number, (prefix, once) in enumerate(zip(_PREFIXES, again, strict=True))
    ]
    columns = (Column(tr("prefix")), Column(tr("recompute [s]"), numeric=True))
    return Figure(
        slug="restore",
        title=tr("Restore or recompute: {model}", model=model.name),
        caption=sentences((caption, left_out(lines, _MOST))),
        description=_DESCRIPTION,
        drawing=style.plot("restore", _TITLE, _DESCRIPTION, 320, paint),
        table=Table(
            tr("Seconds by prefix length, at the rates of the plot"),
            (
                *columns,
                *(Column(tr("{path} [s]", path=one.name), numeric=True) for one, _ in lines),
            ),
            tuple(rows),
        ),
    )
