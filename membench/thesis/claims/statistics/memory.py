"""Statistics of HBM and host memory, and the ratios of measured rates to peaks."""

from __future__ import annotations

from functools import cache, partial
from typing import NamedTuple

import numpy as np

from membench.core.messages import tr
from membench.thesis.claims.draws import Floats
from membench.thesis.claims.scenario import NoData, Scenario
from membench.thesis.claims.statistics.common import (
    all_models,
    batches,
    breakeven_rate,
    by_model,
    decode_seconds,
    known_models,
    remembered,
    touched,
)
from membench.thesis.models.gpu_count import gpus_needed_each
from membench.thesis.models.kv_shape import KvDtype

Values = dict[str, Floats]

_PEAK_SHARE = 0.8
"""Share of the highest decode rate at which a batch is large enough."""
_LARGEST_BATCH = 2.0**17
_POINTS = ("p50", "p90")
"""Percentiles of the context length of agents."""


def kv_over_free_hbm(scenario: Scenario) -> Values:
    """KV bytes of a batch (`_batch`), divided by the HBM that the weights leave free."""
    read = (
        scenario.of_device("memory"),
        scenario["system.hbm_share"],
        scenario["system.weights_share"],
    )
    speeds = scenario["hbm-read"], scenario["gemm"]

    def gpus() -> Floats:
        memory, stored = read[0] * read[1], _weights().stored
        many = gpus_needed_each(stored, memory, read[2])
        return np.stack([many, many * memory - stored])

    many, free = remembered(("gpus",), read, gpus)

    def of_context(context: Floats) -> Floats:
        rate, flops = (many * speed for speed in speeds)
        kv = all_models().kv(context, KvDtype.FP16)
        ratio: Floats = _batch(context, rate, flops) * kv / free
        return ratio

    of_points = [
        remembered(("kv", name), (*read, *speeds, context), partial(of_context, context))
        for name in _POINTS
        for context in [scenario[f"workload.agent.context_{name}"]]
    ]
    both = np.stack(of_points, axis=1)
    return dict(zip(_points(), both.reshape(-1, both.shape[-1]), strict=True))


class _ModelWeights(NamedTuple):
    """The weights of all models.

    Attributes:
        stored: [model, 1] bytes.
        read: [batch, model, 1] bytes per token that a step reads.
    """

    stored: Floats
    read: Floats


@cache
def _weights() -> _ModelWeights:
    models, sizes = known_models(), np.array(list(batches(_LARGEST_BATCH)))
    read = np.array([touched(model, sizes) / sizes for model in models])
    return _ModelWeights(
        np.array([[model.held.stored] for model in models]), read.T[..., np.newaxis]
    )


def _batch(context: Floats, rate: Floats, flops: Floats) -> Floats:
    """[model, draws] the smallest batch that reaches `_PEAK_SHARE` of the highest decode rate.

    Only powers of two are considered.

    Args:
        context: [draws] tokens per sequence.
        rate: [model, draws] B/s.
        flops: [model, draws] FLOP/s.
    """
    kv, read = all_models().kv(context, KvDtype.FP16), _weights().read
    enough = decode_seconds(read[-1], kv, context, (rate, flops)).bound / _PEAK_SHARE
    # A smaller batch reads more weights per token. So count the powers of two that are too slow.
    slower = np.zeros(enough.shape)
    for smaller in reversed(range(len(read) - 1)):
        late = (read[smaller] + kv) / rate > enough
        slower += late
        if late.all():
            slower += smaller
            break
    batch: Floats = 2.0**slower
    return batch


@cache
def _points() -> tuple[str, ...]:
    return tuple(
        tr("{model}, {point}", model=name, point=point)
        for name in all_models().names
        for point in _POINTS
    )


def elasticity(scenario: Scenario) -> Values:
    """For each decode case: ln(ratio of rates) / ln(ratio of HBM bandwidths) of two machines."""
    steps = np.log(scenario["pair-rate"]) / np.log(scenario["pair-bandwidth"])
    return dict(zip(scenario.pair_cases, steps, strict=True))


def host_slowdown(scenario: Scenario) -> Values:
    """HBM read bandwidth divided by the bandwidth of a kernel that reads host memory."""
    return {tr("a GPU kernel reads host memory"): scenario["hbm-read"] / scenario["zerocopy"]}


def ddr_over_breakeven(scenario: Scenario) -> Values:
    """For each language model: rate from host memory to the GPU / break-even rate."""
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
