"""Statistics of memory bandwidth and capacity: HBM, host memory, and shares of peaks."""

from __future__ import annotations

import numpy as np

from membench.core.messages import tr
from membench.thesis.claims.draws import Floats
from membench.thesis.claims.scenario import NoData, Scenario
from membench.thesis.claims.statistics.common import (
    batches,
    breakeven_rate,
    by_model,
    known_models,
    token_time,
)
from membench.thesis.models.gpu_count import gpus_needed
from membench.thesis.models.kv_shape import KvDtype

Values = dict[str, Floats]

_PEAK_SHARE = 0.8
"""Share of the highest decode rate. A batch that reaches this share is large enough."""
_LARGEST_BATCH = 2.0**17


def kv_over_free_hbm(scenario: Scenario) -> Values:
    """KV bytes of a batch divided by the bytes of HBM without weights.

    The batch is the smallest one that reaches `_PEAK_SHARE` of the highest decode rate.
    """
    memory = scenario.of_device("memory") * scenario["system.hbm_share"]
    size = np.array(list(batches(_LARGEST_BATCH)))[:, None]
    found: Values = {}
    for model in known_models():
        many = gpus_needed(model.held.stored, memory, scenario["system.weights_share"])
        free = many * memory - model.held.stored
        for point in ("p50", "p90"):
            context = scenario[f"workload.agent.context_{point}"]
            time = token_time(
                model,
                size,
                context,
                many * scenario["hbm-read"],
                many * scenario["gemm"],
                KvDtype.FP16,
            ).bound
            enough = time <= time[-1] / _PEAK_SHARE
            batch = size[np.argmax(enough, axis=0), 0]
            name = tr("{model}, {point}", model=model.name, point=point)
            found[name] = batch * model.kv(context, KvDtype.FP16) / free
    return found


def elasticity(scenario: Scenario) -> Values:
    """Elasticity for each decode case: ln(ratio of decode rates) / ln(ratio of HBM bandwidths).

    Each ratio compares two machines.
    """
    steps = np.log(scenario["pair-rate"]) / np.log(scenario["pair-bandwidth"])
    return dict(zip(scenario.pair_cases, steps, strict=True))


def host_slowdown(scenario: Scenario) -> Values:
    """HBM read bandwidth divided by the bandwidth of a kernel that reads host memory."""
    return {tr("kernel reads"): scenario["hbm-read"] / scenario["zerocopy"]}


def ddr_over_breakeven(scenario: Scenario) -> Values:
    """Rate from host memory to the GPU, divided by the break-even rate of `breakeven_rate`."""
    rate = np.minimum(scenario["ddr-read"], scenario["kv-h2d"])
    prefix, flops = scenario["workload.agent.context_p50"], scenario["gemm"]
    return by_model(rate / breakeven_rate(prefix, flops, KvDtype.FP16))


def measured_over_peak(scenario: Scenario) -> Values:
    """Measured rate divided by the peak of the device, for each rate with a known peak."""
    found = {}
    for name in ("hbm-read", "gemm", "h2d", "ddr-read", "ssd-read"):
        if name in scenario.values and name in scenario.peaks:
            found[name] = scenario.efficiency(name)
    if not found:
        raise NoData(tr("no device with a measured rate has a known peak"))
    return found
