"""Statistics of replayed traces: what capacity is worth, and in which tier.

The hit rate of a trace against capacity is exact for LRU (`membench.thesis.replay.hits`),
and LRU tiers stacked on each other hold what one cache of their summed capacity
holds.  A trace is one service at one rate.  A GPU is given the requests that it can
prefill with the FLOP/s that it has for that, each less what hits, and the capacity
that it needs grows with their rate: capacities are scaled by the ratio of the rates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from membench.thesis.claims.amounts import of_workload
from membench.thesis.claims.draws import Floats
from membench.thesis.claims.scenario import Scenario
from membench.thesis.claims.statistics.common import (
    HALF,
    Known,
    breakeven_rate,
    known_models,
    prefill_flops,
)
from membench.thesis.claims.statistics.memory import gpus
from membench.thesis.models.kv_shape import KvDtype, mean_bytes_per_token
from membench.thesis.replay.curves import Curve, curves

Values = dict[str, Floats]

_MARGIN = 1.25
"""Growth of a capacity over which its marginal hits are taken."""


class Tiers(NamedTuple):
    """Bytes a GPU up to and including HBM, DDR and SSD."""

    hbm: Floats
    ddr: Floats
    ssd: Floats


def _tiers(scenario: Scenario, model: Known, memory: Floats) -> Tiers:
    usable = memory * scenario["system.hbm_share"]
    many = gpus(model, usable, scenario["system.weights_share"])
    hbm = usable - model.weights.total * HALF / many
    ddr = hbm + scenario["system.ddr_capacity"]
    return Tiers(hbm, ddr, ddr + scenario["system.ssd_capacity"])


def _scale(model: Known, curve: Curve, flops: Floats) -> Floats:
    """Rate of the trace over that of a GPU with ``flops`` for prefill, misses alone computed."""
    tokens = np.array([curve.tokens_per_request])
    work = prefill_flops(model, tokens, tokens * curve.hits[-1])
    scale: Floats = curve.requests_per_s * work / flops
    return scale


def _hits(model: Known, curve: Curve, flops: Floats) -> Callable[[Floats], Floats]:
    """Hit rate of a capacity in bytes on one GPU."""
    per_byte = _scale(model, curve, flops) / _token(model, curve)
    return lambda capacity: curve.hit_rate(capacity * per_byte)


def _token(model: Known, curve: Curve) -> float:
    """Bytes of a token of a mean request: windows and state included."""
    return mean_bytes_per_token(model.shape, curve.tokens_per_request, KvDtype.FP16)


def _each(value: Callable[[Known, Curve], Floats]) -> Values:
    return {
        of_workload(model.name, curve.name): value(model, curve)
        for model in known_models()
        for curve in curves()
    }


def capacity_gain(scenario: Scenario) -> Values:
    """Hit rate with the flash of a rack less that with the 1 TB of a GPU without it."""
    flops = scenario["system.prefill"]
    near = np.full_like(scenario["system.extra_capacity"], 1e12)

    def gain(model: Known, curve: Curve) -> Floats:
        hits = _hits(model, curve, flops)
        return hits(near + scenario["system.extra_capacity"]) - hits(near)

    return _each(gain)


def ssd_adds_hits(scenario: Scenario) -> Values:
    """Hit rate of DDR and SSD less that of DDR alone."""
    ddr, flops = scenario["system.ddr_capacity"], scenario["system.prefill"]

    def gain(model: Known, curve: Curve) -> Floats:
        hits = _hits(model, curve, flops)
        return hits(ddr + scenario["system.extra_capacity"]) - hits(ddr)

    return _each(gain)


def ddr_share_of_hits(scenario: Scenario) -> Values:
    """Share of the hits of all tiers that DDR serves."""
    flops = scenario["system.prefill"]

    def share(model: Known, curve: Curve) -> Floats:
        hits = _hits(model, curve, flops)
        hbm, ddr, ssd = (
            hits(held) for held in _tiers(scenario, model, scenario["system.hbm_capacity"])
        )
        fraction: Floats = (ddr - hbm) / np.maximum(ssd, 1e-12)
        return fraction

    return _each(share)


def ssd_first(scenario: Scenario) -> Values:
    """1 where SSD is first in GPU seconds saved a dollar and in resident bytes, else 0.

    One more byte of a tier moves what is at its edge up by one tier, and so in each
    tier below: a byte of DDR saves the difference between loading from SSD and from
    DDR for the hits at DDR's edge, and recomputing for those at the end of all tiers.
    Resident is whatever is read again, however late: keeping on SSD pays for days.
    """
    memory = scenario.of_device("memory")
    flops = scenario["gemm"] * scenario["system.prefill_share"]

    def first(model: Known, curve: Curve) -> Floats:
        hits = _hits(model, curve, flops)
        tiers = _tiers(scenario, model, memory)
        edge = [(hits(held * _MARGIN) - hits(held)) / (held * (_MARGIN - 1)) for held in tiers]
        # seconds a byte that is restored from a tier or, last, recomputed
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
