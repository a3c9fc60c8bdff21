"""Statistics of reading KV cache from storage and of writing KV cache to storage."""

from __future__ import annotations

from typing import cast

import numpy as np

from membench.core.messages import tr
from membench.thesis.claims.draws import Floats
from membench.thesis.claims.scenario import Scenario
from membench.thesis.claims.statistics.common import Formula, all_models, breakeven_rate, by_model
from membench.thesis.models import breakeven, demand, economics
from membench.thesis.models.kv_shape import KvDtype

Values = dict[str, Floats]


def _over_breakeven(scenario: Scenario, rate: Floats) -> Values:
    prefix, flops = scenario["workload.agent.context_p50"], scenario["gemm"]
    return by_model(rate / breakeven_rate(prefix, flops, KvDtype.FP16))


def restore_over_recompute(scenario: Scenario) -> Values:
    """For each language model: rate from SSD to HBM / break-even rate."""
    return _over_breakeven(scenario, scenario["ssd-hbm"])


def ssd_over_breakeven(scenario: Scenario) -> Values:
    """For each language model: read rate of the SSD / break-even rate.

    The copy to the GPU does not count.
    """
    return _over_breakeven(scenario, scenario["ssd-read"])


def restore_over_recompute_rubin(scenario: Scenario) -> Values:
    """For each language model: rate of a rack's link / break-even rate on Rubin.

    Rubin computes in FP4, and the KV cache is in FP8.
    """
    prefix, link = scenario["workload.agent.context_p50"], scenario["system.link"]
    flops = scenario["device.rubin.fp4"] * scenario.efficiency("gemm")
    return by_model(link / breakeven_rate(prefix, flops, KvDtype.FP8))


def ssd_ttft(scenario: Scenario) -> Values:
    """Seconds to read an agent's median context from SSD, divided by the accepted TTFT."""
    prefix, accepted = scenario["workload.agent.context_p50"], scenario["system.ttft"]
    rate, latency = scenario["ssd-read"], scenario["ssd-read-p99"]
    load = np.vectorize(breakeven.load_seconds, otypes=[float])
    byte = load(1.0, rate, np.inf)  # seconds per byte
    return by_model((latency + all_models().kv(prefix, KvDtype.FP16) * byte) / accepted)


def _usable(scenario: Scenario, rate: Floats) -> Values:
    usable = np.vectorize(demand.usable_capacity, otypes=[float])
    capacity = scenario["system.extra_capacity"]
    gaps = {
        tr("SSD serves all reuse"): "workload.agent.gap",
        tr("HBM and DDR serve reuse within 60 s"): "workload.agent.gap_above_60s",
    }
    return {name: usable(capacity, rate, scenario[key]) / 16e12 for name, key in gaps.items()}


def usable_capacity(scenario: Scenario) -> Values:
    """Bytes of flash that a rack's link can fill in the mean gap between uses, divided by 16 TB.

    The bytes are at most `system.extra_capacity`.
    """
    return _usable(scenario, scenario["system.link"])


def usable_capacity_here(scenario: Scenario) -> Values:
    """`usable_capacity` at the measured rate from SSD to HBM, instead of a rack's link."""
    return _usable(scenario, scenario["ssd-hbm"])


def endurance(scenario: Scenario) -> Values:
    """For each language model: drive writes per day / rated drive writes per day.

    The drives store all KV cache that a busy GPU produces.
    """
    prompt, flops = scenario["workload.prefill.prompt"], scenario["gemm"]
    per_day = cast("Formula", economics.drive_writes_per_day)
    capacity, rating = scenario["system.extra_capacity"], scenario["ssd.rating.dwpd"]
    return by_model(per_day(breakeven_rate(prompt, flops, KvDtype.FP16), capacity) / rating)


def write_over_production(scenario: Scenario) -> Values:
    """For each language model: SSD write rate / rate at which a busy GPU produces KV cache."""
    prompt, flops, rate = (
        scenario["workload.prefill.prompt"],
        scenario["gemm"],
        scenario["ssd-write"],
    )
    return by_model(rate / breakeven_rate(prompt, flops, KvDtype.FP16))
