"""Statistics of replayed traces: how many cache hits the capacity of each tier adds.

Several LRU tiers together contain the same blocks as one LRU cache of the total capacity.

A GPU is assumed to receive as many requests as it can prefill. At k times the recorded request
rate, a cache is assumed to need k times the capacity for the same hit rate.

A hit on flash counts only if the link restores the mean request at least as fast as the GPU
recomputes it. `ssd_first` does not use this rule.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple, cast

import numpy as np

from membench.core.messages import tr
from membench.thesis.claims.amounts import of_workload, on_class
from membench.thesis.claims.draws import Floats
from membench.thesis.claims.scenario import Scenario
from membench.thesis.claims.statistics.common import (
    Formula,
    all_models,
    known_models,
    prefill_flops,
    remembered,
)
from membench.thesis.models import breakeven
from membench.thesis.models.gpu_count import gpus_needed_each
from membench.thesis.models.kv_shape import KvDtype
from membench.thesis.replay.curves import curves

Values = dict[str, Floats]

_MARGIN = 1.25
"""Factor by which a capacity grows, to find the additional hits per byte."""


class _Constants(NamedTuple):
    """The values that do not depend on random draws.

    Attributes:
        stored: [model, 1] bytes of weights.
        matmul, attention: [model, 1] as in `roofline.prefill_flops`.
        asked: [trace, 1, 1] tokens of the mean request.
        token: [trace, model, 1] KV bytes per token of the mean request.
        work: [trace, model, 1] FLOP/s to prefill the misses of an unlimited cache at the recorded
            request rate.
        most: [trace, 1, 1] capacity, in tokens, beyond which the hit rate is constant.
    """

    stored: Floats
    matmul: Floats
    attention: Floats
    asked: Floats
    token: Floats
    work: Floats
    most: Floats


@cache
def _constants() -> _Constants:
    models, traces, columns = known_models(), curves(), all_models()
    asked = [np.array([curve.tokens_per_request]) for curve in traces]
    work = [
        curve.requests_per_s * prefill_flops(one, one * curve.hits[-1])
        for curve, one in zip(traces, asked, strict=True)
    ]
    return _Constants(
        stored=np.array([[model.held.stored] for model in models]),
        matmul=columns.matmul,
        attention=columns.attention,
        asked=np.array(asked)[:, None],
        token=np.array([columns.kv(one, KvDtype.FP16) / one for one in asked]),
        work=np.array(work),
        most=np.array([[[curve.most_tokens]] for curve in traces]),
    )


class Tiers(NamedTuple):
    """Bytes per GPU for KV cache in a tier and all faster tiers: arrays [model, draws]."""

    hbm: Floats
    ddr: Floats
    ssd: Floats


def _tiers(scenario: Scenario, memory: Floats) -> Tiers:
    usable = memory * scenario["system.hbm_share"]
    stored = _constants().stored
    hbm = usable - stored / gpus_needed_each(stored, usable, scenario["system.weights_share"])
    ddr = hbm + scenario["system.ddr_capacity"]
    return Tiers(hbm, ddr, ddr + scenario["system.ssd_capacity"])


def _scale(flops: Floats) -> Floats:
    """[trace, model, draws] request rate of the trace / request rate of a busy GPU."""
    scale: Floats = _constants().work / flops
    return scale


def _hits(held: Floats, flops: Floats) -> Floats:
    """[trace, model, draws] hit rates of a cache of ``held`` ([draws] or [model, draws]) bytes."""
    tokens = held * (_scale(flops) / _constants().token)
    return np.stack([curve.hit_rate(own) for curve, own in zip(curves(), tokens, strict=True)])


def _breakeven_rate(flops: Floats) -> Floats:
    """[trace, model, draws] B/s above which restoring a mean request is faster than recomputing."""
    formula = cast("Formula", breakeven.breakeven_bandwidth)
    constants = _constants()
    return formula(constants.token, constants.matmul, constants.attention, constants.asked, flops)


CLASSES = {
    "hopper": tr("Hopper (2022)"),
    "blackwell": tr("Blackwell (2024)"),
    "rubin": tr("Rubin (2026)"),
}
"""Class of GPU in the assumptions -> name with the year of its first GPU."""


@cache
def _class_variants() -> tuple[str, ...]:
    return tuple(
        on_class(model.name, curve.name, title)
        for title in CLASSES.values()
        for model in known_models()
        for curve in curves()
    )


@cache
def _variants() -> tuple[str, ...]:
    return tuple(
        of_workload(model.name, curve.name) for model in known_models() for curve in curves()
    )


def _each_class(value: Callable[[str], Floats]) -> Values:
    """Variant (class of GPU, model and trace) -> [draws].

    ``value`` computes [trace, model, draws] for one class of GPU.
    """
    rows = (own for gpu in CLASSES for own in _rows(value(gpu)))
    return dict(zip(_class_variants(), rows, strict=True))


def _rows(values: Floats) -> Floats:
    """Reshape [trace, model, draws] to [model x trace, draws]."""
    return values.swapaxes(0, 1).reshape(-1, values.shape[-1])


def capacity_gain(scenario: Scenario) -> Values:
    """Rise of the hit rate if `system.extra_capacity` of flash is added to 1 TB per GPU."""
    like = scenario["system.extra_capacity"]
    near = remembered(("near",), (like,), lambda: np.full_like(like, 1e12))
    return _each_class(lambda gpu: _gain(scenario, gpu, near, "capacity"))


def ssd_adds_hits(scenario: Scenario) -> Values:
    """Rise of the hit rate if `system.extra_capacity` of flash is added to the DDR of a GPU."""
    ddr = scenario["system.ddr_capacity"]
    return _each_class(lambda gpu: _gain(scenario, gpu, ddr, "ssd"))


def _gain(scenario: Scenario, gpu: str, near: Floats, asking: str) -> Floats:
    """[trace, model, draws] rise of the hit rate if flash is added to ``near`` bytes.

    The rise is 0 if restoring from flash is slower than recomputing (`_pays`).
    """
    flops, extra = scenario[f"class.{gpu}.prefill"], scenario["system.extra_capacity"]
    beyond = remembered(
        (asking, "beyond", gpu), (flops, near, extra), lambda: _hits(near + extra, flops)
    )
    before = remembered((asking, "near", gpu), (flops, near), lambda: _hits(near, flops))
    gain: Floats = (beyond - before) * _pays(scenario, gpu)
    return gain


def _pays(scenario: Scenario, gpu: str) -> Floats:
    """[trace, model, draws] 0 if restoring from flash is slower than recomputing, else 1."""
    link, flops = scenario["system.link"], scenario[f"class.{gpu}.prefill"]

    def pays() -> Floats:
        return (link >= _breakeven_rate(flops)).astype(float)

    return remembered(("pays", gpu), (link, flops), pays)


def ddr_share_of_hits(scenario: Scenario) -> Values:
    """Hits in DDR divided by the hits in all tiers."""
    usable = (scenario["system.hbm_share"], scenario["system.weights_share"])
    beyond = (scenario["system.ddr_capacity"], scenario["system.ssd_capacity"])

    def share(gpu: str) -> Floats:
        flops, memory = scenario[f"class.{gpu}.prefill"], scenario[f"class.{gpu}.memory"]
        read = (flops, memory, *usable)
        tiers = remembered(
            ("tiers", gpu), (*read, *beyond), lambda: np.stack(_tiers(scenario, memory))
        )
        hbm, ddr, ssd = (
            # hits do not depend on the capacity of slower tiers
            remembered(
                ("served", gpu, str(place)),
                (*read, *beyond[:place]),
                lambda held=tiers[place]: _hits(held, flops),  # type: ignore[misc]
            )
            for place in range(3)
        )
        paying = ddr + (ssd - ddr) * _pays(scenario, gpu)
        fraction: Floats = (ddr - hbm) / np.maximum(paying, 1e-12)
        return fraction

    return _each_class(share)


def ssd_first(scenario: Scenario) -> Values:
    """1 if, of all tiers, SSD saves the most GPU time per dollar and holds the most bytes; else 0.

    Bytes beyond the capacity with the maximum hit rate do not count.
    """
    memory = scenario.of_device("memory")
    flops = scenario["gemm"] * scenario["system.prefill_share"]
    tiers = _tiers(scenario, memory)
    edge = [
        (_hits(held * _MARGIN, flops) - _hits(held, flops)) / (held * (_MARGIN - 1))
        for held in tiers
    ]
    # seconds per byte, to restore from DDR or SSD, or to recompute
    recompute = 1 / _breakeven_rate(scenario["gemm"])
    ddr = np.minimum(1 / scenario["h2d"], recompute)
    ssd = np.minimum(1 / scenario["ssd-hbm"], recompute)
    # One more byte of DDR moves blocks from SSD to DDR, and other blocks into the SSD.
    steps = [ddr, np.maximum(ssd - ddr, 0), recompute - ssd]
    saved = [edge[place] * steps[place] for place in range(3)]
    value_ssd = saved[2] / scenario["price.essd"]
    value_ddr = (saved[1] + saved[2]) / scenario["price.ddr5"]
    value_hbm = (saved[0] + saved[1] + saved[2]) / scenario["price.hbm"]
    constants = _constants()
    asked = constants.most / _scale(flops) * constants.token
    held_hbm = np.minimum(tiers.hbm, asked)
    held_ddr = np.minimum(tiers.ddr, asked) - held_hbm
    held_ssd = np.minimum(tiers.ssd, asked) - held_hbm - held_ddr
    most_saved = value_ssd > np.maximum(value_ddr, value_hbm)
    most_held = held_ssd > np.maximum(held_ddr, held_hbm)
    both = (most_saved & most_held).astype(float)
    return dict(zip(_variants(), _rows(both), strict=True))
