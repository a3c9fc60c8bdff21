"""Statistics of replayed traces: the value of capacity, by tier.

The hit rate of a trace against capacity is exact for LRU (`membench.thesis.replay.hits`), and
stacked LRU tiers hold the same blocks as one cache of their total capacity. A trace is one service
at one rate. A GPU gets as many requests as it can prefill with its FLOP/s for prefill, without the
hits, and the capacity that it needs grows with their rate: capacities are scaled by the ratio of
the rates. If no device is measured, every statistic is drawn for each class of GPU.

Hits on flash count only if they pay: if the link restores the mean request of the trace no slower
than the GPU recomputes it at its FLOP/s for prefill.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from membench.core.messages import tr
from membench.thesis.claims.amounts import of_workload, on_class
from membench.thesis.claims.draws import Floats
from membench.thesis.claims.scenario import Scenario
from membench.thesis.claims.statistics.common import (
    Known,
    breakeven_rate,
    known_models,
    prefill_flops,
    remembered,
)
from membench.thesis.claims.statistics.memory import gpus
from membench.thesis.models.kv_shape import KvDtype, mean_bytes_per_token
from membench.thesis.replay.curves import Curve, curves

Values = dict[str, Floats]

_MARGIN = 1.25
"""Growth of a capacity over which its marginal hits are computed."""


class Tiers(NamedTuple):
    """Bytes per GPU up to and including HBM, DDR and SSD."""

    hbm: Floats
    ddr: Floats
    ssd: Floats


def _tiers(scenario: Scenario, model: Known, memory: Floats) -> Tiers:
    usable = memory * scenario["system.hbm_share"]
    many = gpus(model, usable, scenario["system.weights_share"])
    hbm = usable - model.held.stored / many
    ddr = hbm + scenario["system.ddr_capacity"]
    return Tiers(hbm, ddr, ddr + scenario["system.ssd_capacity"])


def _scale(model: Known, curve: Curve, flops: Floats) -> Floats:
    """Request rate of the trace over that of a GPU with ``flops`` for prefill of the misses."""
    tokens = np.array([curve.tokens_per_request])
    work = prefill_flops(model, tokens, tokens * curve.hits[-1])
    scale: Floats = curve.requests_per_s * work / flops
    return scale


def _hits(model: Known, curve: Curve, flops: Floats) -> Callable[[Floats], Floats]:
    """Hit rate as a function of capacity in bytes on one GPU."""
    per_byte = _scale(model, curve, flops) / _token(model, curve)
    return lambda capacity: curve.hit_rate(capacity * per_byte)


def _token(model: Known, curve: Curve) -> float:
    """Bytes per token of a mean request, with windows and state."""
    return mean_bytes_per_token(model.shape, curve.tokens_per_request, KvDtype.FP16)


CLASSES = {
    "hopper": tr("Hopper (2022)"),
    "blackwell": tr("Blackwell (2024)"),
    "rubin": tr("Rubin (2026)"),
}
"""Class of GPU in the assumptions -> its readable name with the year of its first GPU."""


def _each_class(value: Callable[[str, Known, Curve], Floats]) -> Values:
    return {
        on_class(model.name, curve.name, title): value(gpu, model, curve)
        for gpu, title in CLASSES.items()
        for model in known_models()
        for curve in curves()
    }


def _each(value: Callable[[Known, Curve], Floats]) -> Values:
    return {
        of_workload(model.name, curve.name): value(model, curve)
        for model in known_models()
        for curve in curves()
    }


def capacity_gain(scenario: Scenario) -> Values:
    """Paying hits with a rack's flash minus those with the 1 TB of a GPU without flash."""
    like = scenario["system.extra_capacity"]
    near = remembered(("near",), (like,), lambda: np.full_like(like, 1e12))
    return _each_class(lambda gpu, model, curve: _gain(scenario, gpu, model, curve, near))


def ssd_adds_hits(scenario: Scenario) -> Values:
    """Paying hits of DDR and SSD minus those of DDR alone."""
    ddr = scenario["system.ddr_capacity"]
    return _each_class(lambda gpu, model, curve: _gain(scenario, gpu, model, curve, ddr))


def _gain(scenario: Scenario, gpu: str, model: Known, curve: Curve, near: Floats) -> Floats:
    """Hits that flash adds beyond ``near`` bytes, if they pay."""
    flops, extra = scenario[f"class.{gpu}.prefill"], scenario["system.extra_capacity"]

    def added() -> Floats:
        hits = _hits(model, curve, flops)
        gain: Floats = hits(near + extra) - hits(near)
        return gain

    key = ("added", gpu, model.name, curve.name)
    return remembered(key, (flops, near, extra), added) * _pays(scenario, gpu, model, curve)


def _pays(scenario: Scenario, gpu: str, model: Known, curve: Curve) -> Floats:
    """1 if the link restores a mean request no slower than the GPU recomputes it, otherwise 0."""
    link, flops = scenario["system.link"], scenario[f"class.{gpu}.prefill"]

    def pays() -> Floats:
        prefix = np.full_like(flops, curve.tokens_per_request)
        needed = breakeven_rate(model, prefix, flops, KvDtype.FP16)
        return (link >= needed).astype(float)

    return remembered(("pays", gpu, model.name, curve.name), (link, flops), pays)


def ddr_share_of_hits(scenario: Scenario) -> Values:
    """Share of the paying hits of all tiers that DDR serves."""
    shared = tuple(
        scenario[f"system.{name}"]
        for name in ("hbm_share", "weights_share", "ddr_capacity", "ssd_capacity")
    )

    def share(gpu: str, model: Known, curve: Curve) -> Floats:
        flops, memory = scenario[f"class.{gpu}.prefill"], scenario[f"class.{gpu}.memory"]

        def served() -> Floats:
            """[tier, draws]: hits up to and including HBM, DDR and SSD."""
            hits = _hits(model, curve, flops)
            return np.stack([hits(held) for held in _tiers(scenario, model, memory)])

        key = ("served", gpu, model.name, curve.name)
        hbm, ddr, ssd = remembered(key, (flops, memory, *shared), served)
        paying = ddr + (ssd - ddr) * _pays(scenario, gpu, model, curve)
        fraction: Floats = (ddr - hbm) / np.maximum(paying, 1e-12)
        return fraction

    return _each_class(share)


def ssd_first(scenario: Scenario) -> Values:
    """1 if SSD is first in GPU seconds saved per dollar and in resident bytes, otherwise 0.

    One more byte in a tier moves the block at its end up by one tier, and likewise in each tier
    below: a byte of DDR saves the difference between loading from SSD and from DDR for the hits at
    DDR's end, and recomputing for those at the end of all tiers. Resident bytes are all that are
    read again, however late, because keeping on SSD pays for days.
    """
    memory = scenario.of_device("memory")
    flops = scenario["gemm"] * scenario["system.prefill_share"]

    def first(model: Known, curve: Curve) -> Floats:
        hits = _hits(model, curve, flops)
        tiers = _tiers(scenario, model, memory)
        edge = [(hits(held * _MARGIN) - hits(held)) / (held * (_MARGIN - 1)) for held in tiers]
        # seconds per byte restored from each tier or (last) recomputed
        prefix = np.full_like(memory, curve.tokens_per_request)
        recompute = 1 / breakeven_rate(model, prefix, scenario["gemm"], KvDtype.FP16)
        ddr = np.minimum(1 / scenario["h2d"], recompute)
        ssd = np.minimum(1 / scenario["ssd-hbm"], recompute)
        steps = [ddr, np.maximum(ssd - ddr, 0), recompute - ssd]
        saved = [edge[place] * steps[place] for place in range(3)]
        value_ssd = saved[2] / scenario["price.essd"]
        value_ddr = (saved[1] + saved[2]) / scenario["price.ddr5"]
        value_hbm = (saved[0] + saved[1] + saved[2]) / scenario["price.hbm"]
        asked = curve.most_tokens / _scale(model, curve, flops) * _token(model, curve)
        held_hbm = np.minimum(tiers.hbm, asked)
        held_ddr = np.minimum(tiers.ddr, asked) - held_hbm
        held_ssd = np.minimum(tiers.ssd, asked) - held_hbm - held_ddr
        most_saved = value_ssd > np.maximum(value_ddr, value_hbm)
        most_held = held_ssd > np.maximum(held_ddr, held_hbm)
        both: Floats = (most_saved & most_held).astype(float)
        return both

    return _each(first)
