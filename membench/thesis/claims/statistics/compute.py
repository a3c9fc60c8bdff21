"""Statistics of compute: FLOPs of reasoning, and memory limits on NVIDIA Rubin."""

from __future__ import annotations

from functools import cache, lru_cache, partial

import numpy as np

from membench.core.messages import tr
from membench.thesis.claims.draws import Floats
from membench.thesis.claims.scenario import Scenario
from membench.thesis.claims.statistics.common import (
    FP4,
    Known,
    TokenTime,
    all_models,
    batches,
    by_model,
    each_model,
    known_models,
    prefill_flops,
    remembered,
    token_time,
    touched,
)
from membench.thesis.models.kv_shape import KvDtype

Values = dict[str, Floats]


def _request(scenario: Scenario, kind: str) -> Floats:
    """[model, draws] FLOPs of a request: for the recomputed input and for the output."""
    given, written = scenario[f"workload.{kind}.input"], scenario[f"workload.{kind}.output"]
    return prefill_flops(given + written, given * (1 - scenario["workload.thinking.miss"]))


def reasoning_request(scenario: Scenario) -> Values:
    """FLOPs of a thinking request divided by the FLOPs of a chat request, by model."""
    return by_model(_request(scenario, "thinking") / _request(scenario, "chat"))


def reasoning_session(scenario: Scenario) -> Values:
    """FLOPs of an agent divided by FLOPs of a chat, per session and per request, by model.

    Shared prefixes are assumed to be restored instead of recomputed.
    """
    context, written = scenario["workload.agent.context_p50"], scenario["workload.agent.output"]
    restored = context * scenario["workload.agent.shared"]
    longer = scenario["workload.agent.requests"] / scenario["workload.chat.turns"]
    one = prefill_flops(context + written, restored) / _request(scenario, "chat")
    both = np.stack([longer * one, one], axis=1)
    return dict(zip(_compared(), both.reshape(-1, both.shape[-1]), strict=True))


@cache
def _compared() -> tuple[str, ...]:
    cases = (tr("session against session"), tr("request against request"))
    return tuple(
        tr("{model}, {case}", model=name, case=case)
        for name in all_models().names
        for case in cases
    )


def _device(scenario: Scenario, name: str) -> tuple[Floats, Floats]:
    """(B/s, FLOP/s) of a GPU that is not in this machine.

    The published peaks are multiplied by the efficiencies that this machine's GPU reaches.
    """
    return (
        _reached(scenario, f"device.{name}.bandwidth", "hbm-read"),
        _reached(scenario, f"device.{name}.fp4", "gemm"),
    )


def _reached(scenario: Scenario, published: str, measured: str) -> Floats:
    peak = scenario[published]
    return remembered(
        (published, str(scenario.peaks.get(measured))),
        (peak, scenario[measured]),
        lambda: peak * scenario.efficiency(measured),
    )


def _mix(scenario: Scenario) -> tuple[Floats, Floats]:
    """([batch, 1] batch sizes, [batch, draws] 1 if the draw includes the batch size, else 0)."""
    most = scenario["workload.decode.batch_max"]
    sizes = _sizes(max(1.0, float(most.max())))
    used = remembered(("used",), (most,), lambda: (sizes <= np.maximum(most, 1)).astype(float))
    return sizes, used


@lru_cache(maxsize=32)
def _sizes(most: float) -> Floats:
    return np.array(list(batches(most)))[:, None]


def _decode(
    model: Known, speeds: tuple[Floats, Floats], batch: Floats, context: Floats
) -> TokenTime:
    return token_time(model, batch, context, *speeds, KvDtype.FP8, FP4)


def decode_memory_bound(scenario: Scenario) -> Values:
    """Share of decode time on Rubin that is memory-bound, with weights in FP4 and KV in FP8.

    Each batch size (powers of two) and each of two contexts produces equally many tokens.
    """
    batch, used = _mix(scenario)
    rubin = _device(scenario, "rubin")
    contexts = [scenario["workload.agent.context_p50"], scenario["workload.conversation.context"]]

    def spent(model: Known, context: Floats) -> Floats:
        # [2, draws]: memory-bound time, and all time
        time = _decode(model, rubin, batch, context)
        total = time.bound * used
        return np.stack([(total * (time.memory >= time.compute)).sum(axis=0), total.sum(axis=0)])

    def share(model: Known) -> Floats:
        first, second = (
            remembered(
                ("decode", model.name, str(place)),
                (used, *rubin, context),
                partial(spent, model, context),
            )
            for place, context in enumerate(contexts)
        )
        bound, total = first + second
        fraction: Floats = bound / total
        return fraction

    return each_model(share)


def prefill_memory_bound(scenario: Scenario) -> Values:
    """Share of the contexts (agent and conversation) whose prefill on Rubin is memory-bound."""
    rate, flops = _device(scenario, "rubin")
    chunk = scenario["workload.prefill.chunk"]
    contexts = [scenario["workload.agent.context_p50"], scenario["workload.conversation.context"]]
    weights = np.stack([touched(model, chunk, FP4) for model in known_models()])
    bound = np.zeros_like(weights)
    for context in contexts:
        read = weights + all_models().kv(context, KvDtype.FP8)
        work = prefill_flops(context + chunk, context)
        bound = bound + (read / rate >= work / flops)
    return by_model(bound / len(contexts))


def hardware_fall(scenario: Scenario) -> Values:
    """Cost of a decoded token on GB200 divided by the cost on Rubin, by model.

    The cost is a lower bound on the decode time multiplied by the price of a rack.
    """
    batch, used = _mix(scenario)
    context = scenario["workload.conversation.context"]
    devices = {name: _device(scenario, name) for name in ("gb200", "rubin")}
    dearer = scenario["price.rack_rubin"] / scenario["price.rack_blackwell"]

    def fall(model: Known) -> Floats:
        old, new = (
            remembered(
                ("fall", model.name, device),
                (used, *speeds, context),
                lambda speeds=speeds: (  # type: ignore[misc]
                    (_decode(model, speeds, batch, context).bound * used).sum(axis=0)
                ),
            )
            for device, speeds in devices.items()
        )
        ratio: Floats = old / new / dearer
        return ratio

    return each_model(fall)
