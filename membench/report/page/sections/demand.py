"""The section that compares the demand of models with the measured rates of the tiers."""

from __future__ import annotations

from collections.abc import Sequence

from membench.core.messages import listed, sentence, tr
from membench.core.units import significant
from membench.report.page.document import (
    Block,
    Bullets,
    Column,
    Figure,
    Line,
    Paragraph,
    Section,
    Strong,
    Table,
)
from membench.report.page.keeping import keep_seconds
from membench.report.page.supply import Compute, compute
from membench.report.plots import breakeven, gaps, hits, restore, roofline, usable
from membench.report.plots.style import NotDrawn
from membench.thesis.claims.amounts import of_workload
from membench.thesis.claims.verdicts import Verdicts
from membench.thesis.models.breakeven import breakeven_bandwidth
from membench.thesis.models.catalogue import Model, models
from membench.thesis.models.kv_shape import KvDtype, mean_bytes_per_token
from membench.thesis.models.roofline import SERVED_DECODE
from membench.thesis.replay.gap_sums import FAST_S
from membench.thesis.replay.workloads import demand_of, workloads

SHOWN = (
    "llama-3.1-8b",
    "llama-3.1-70b",
    "qwen3-235b-a22b",
    "gpt-oss-120b",
    "deepseek-v3",
    "deepseek-v4-pro",
)
"""The models in the tables of this section and of the advice."""
_PREFIXES = (1024, 8192, 32768, 131072)
_KEEP_PREFIX = 32768
_BOUNDS = tr(
    "The times depend on this rate. Engines with 16-bit arithmetic take longer than these times "
    "to recompute. Engines with FP8 or FP4 arithmetic may take less time. {served}",
    served=SERVED_DECODE.sentences(),
)


def section(found: Verdicts, *, full: bool) -> Section:
    """Plots and tables on the demand and supply of bytes, folded unless ``full``."""
    rate = compute(found)
    share = found.entries["system.prefill_share"].value
    flash = found.entries["system.extra_capacity"]
    known = [models()[name] for name in SHOWN]
    drawn = [plot.draw(found) for plot in (restore, breakeven, roofline, hits, gaps, usable)]
    about = Paragraph(
        (
            tr("Models and traces show the demand on the tiers. Measurements show the supply. "),
            Strong(tr("Source of the compute rate: {rate}. ", rate=rate.label)),
            _BOUNDS,
        )
    )
    blocks: list[Block] = [
        *(one for one in drawn if isinstance(one, Figure)),
        _demand(known, rate.flops_per_s * share, flash.value * flash.scale, share),
        _breakeven(known, rate),
        _keeping(found, known, rate),
    ]
    title = tr("Supply and demand")
    if full:
        return Section("demand", title, (about, *blocks), _rest(drawn))
    details = Section(
        "demand-details",
        tr("Plots and tables of the models' demand"),
        tuple(blocks),
        _rest(drawn),
        folded=True,
    )
    return Section("demand", title, (about,), (details,))


def _rest(drawn: Sequence[Figure | NotDrawn]) -> tuple[Section, ...]:
    items = tuple(
        (Strong(tr("{title}: ", title=one.title)), sentence(one.reason))
        for one in drawn
        if isinstance(one, NotDrawn)
    )
    return (Section("demand-not-drawn", tr("Not drawn here"), (Bullets(items),)),) if items else ()


def _demand(known: Sequence[Model], flops: float, flash: float, share: float) -> Table:
    rows: list[tuple[Line, ...]] = []
    for one in workloads():
        for model in known:
            if model.parameters is None:
                continue
            need = demand_of(model, one, flops, flash)
            values = (
                need.requests_per_s,
                need.fast_bytes / 1e9,
                need.slow_bytes / 1e9,
                need.fast_read / 1e9,
                need.slow_read / 1e9,
                need.written / 1e9,
                need.dwpd,
            )
            numbers: list[Line] = [(significant(value, 3),) for value in values]
            rows.append(((of_workload(model.slug, one.name),), *numbers))
    heads = (
        tr("requests/s"),
        tr("GB in HBM and DDR"),
        tr("GB in SSD"),
        tr("GB/s read from HBM and DDR"),
        tr("GB/s read from SSD"),
        tr("GB/s written"),
        tr("drive writes per day"),
    )
    return Table(
        tr(
            "Demand of one GPU that uses {share} of its compute for prefill, with KV cache in "
            "fp16. After each use, HBM and DDR keep the KV cache for {gap} s, and SSD keeps it "
            "for a day. The GPU writes all new KV cache to {flash} TB of flash",
            share=f"{100 * share:g} %",
            gap=f"{FAST_S:g}",
            flash=f"{flash / 1e12:g}",
        ),
        (Column(tr("model and workload")), *(Column(head, numeric=True) for head in heads)),
        tuple(rows),
    )


def _breakeven(known: Sequence[Model], rate: Compute) -> Table:
    rows: list[tuple[Line, ...]] = []
    for model in known:
        weights = model.parameters
        if weights is None:
            continue
        cells: list[Line] = []
        for prefix in _PREFIXES:
            value = breakeven_bandwidth(
                mean_bytes_per_token(model.shape, prefix, KvDtype.FP16),
                weights.matmul,
                weights.attention,
                prefix,
                rate.flops_per_s,
            )
            cells.append((significant(value / 1e9, 3),))
        rows.append(((model.slug,), *cells))
    heads = (Column(tr("{tokens} tokens", tokens=prefix), numeric=True) for prefix in _PREFIXES)
    return Table(
        tr(
            "Bandwidth in GB/s above which restoring is faster than recomputing ({rate}, KV in "
            "fp16)",
            rate=rate.label,
        ),
        (Column(tr("model")), *heads),
        tuple(rows),
    )


def _keeping(found: Verdicts, known: Sequence[Model], rate: Compute) -> Table:
    tiers = {"essd": "SSD", "ddr5": "DDR", "hbm": "HBM"}
    rows: list[tuple[Line, ...]] = []
    for model in known:
        if model.parameters is None:
            continue
        hours = (
            keep_seconds(found, model, _KEEP_PREFIX, rate.flops_per_s, tier) / 3600
            for tier in tiers
        )
        rows.append(((model.slug,), *((significant(value, 3),) for value in hours)))
    gpu, life = (found.entries[f"price.{name}"] for name in ("gpu_hour", "life"))
    prices = listed(
        f"{name} {found.entries[f'price.{tier}'].value:g} USD/GB" for tier, name in tiers.items()
    )
    return Table(
        tr(
            "Hours for which keeping the KV cache of {tokens} tokens costs less than "
            "recomputing it once (assumed: GPU {gpu} USD/h; {prices}, "
            "depreciated over {life} years)",
            tokens=_KEEP_PREFIX,
            gpu=f"{gpu.value:g}",
            prices=prices,
            life=f"{life.value:g}",
        ),
        (Column(tr("model")), *(Column(name, numeric=True) for name in tiers.values())),
        tuple(rows),
    )
