"""Statistics of the FLOPs of reasoning, memory limits on NVIDIA Rubin, and the cost per token."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache, partial

import numpy as np

from membench.core.messages import tr
from membench.thesis.claims.draws import Floats
from membench.thesis.claims.scenario import Scenario
from membench.thesis.claims.statistics.common import (
    FP4,
    DecodeSeconds,
    Known,
    all_models,
    batches,
    by_model,
    decode_seconds,
    known_models,
    prefill_flops,
    remembered,
    touched,
)
from membench.thesis.models.kv_shape import KvDtype

Values = dict[str, Floats]


def _request(scenario: Scenario, kind: str) -> Floats:
    """[model, draws] FLOPs of a request, for its output and the input that the cache misses."""
    given, written = scenario[f"workload.{kind}.input"], scenario[f"workload.{kind}.output"]
    return prefill_flops(given + written, given * (1 - scenario["workload.thinking.miss"]))


def reasoning_request(scenario: Scenario) -> Values:
    """For each language model: FLOPs of a thinking request / FLOPs of a chat request."""
    return by_model(_request(scenario, "thinking") / _request(scenario, "chat"))


def reasoning_session(scenario: Scenario) -> Values:
    """For each language model: FLOPs of an agent / FLOPs of a chat, per session and per request.

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
    cases = (tr("per session"), tr("per request"))
    return tuple(
        tr("{model}, {case}", model=name, case=case)
        for name in all_models().names
        for case in cases
    )


def _device(scenario: Scenario, name: str) -> tuple[Floats, Floats]:
    """(B/s, FLOP/s) of another GPU: its published peaks times the efficiencies of this GPU."""
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
    """([batch, 1] batch sizes, [batch, draws] 1 if the draw includes the size, else 0)."""
    most = scenario["workload.decode.batch_max"]
    sizes = _sizes(max(1.0, float(most.max())))
    used = remembered(("used",), (most,), lambda: (sizes <= np.maximum(most, 1)).astype(float))
    return sizes, used


@lru_cache(maxsize=32)
def _sizes(most: float) -> Floats:
    return np.array(list(batches(most)))[:, None]


def _decode(
    speeds: tuple[Floats, Floats], batch: Floats, context: Floats
) -> Callable[[Known], DecodeSeconds]:
    """Model -> [batch, draws] memory time and [draws] compute time, with FP4 weights and FP8 KV."""
    kv, weights = all_models().kv(context, KvDtype.FP8), _read(batch.tobytes())
    rate, _ = speeds
    # The compute time does not depend on the weights, so it is the same for every batch size.
    compute = decode_seconds(0.0, kv, context, speeds).compute

    def of_model(model: Known) -> DecodeSeconds:
        place = model.place
        return DecodeSeconds((weights[place] + kv[place]) / rate, compute[place])

    return of_model


@lru_cache(maxsize=32)
def _read(sizes: bytes) -> tuple[Floats, ...]:
    """[batch, 1] bytes of FP4 weights that a decode step reads per token, for each model."""
    batch = np.frombuffer(sizes)[:, None]
    return tuple(touched(model, batch, FP4) / batch for model in known_models())


def decode_memory_bound(scenario: Scenario) -> Values:
    """Share of decode time on Rubin that is memory-bound, with weights in FP4 and KV in FP8.

    The statistic covers two context lengths, each with several batch sizes (powers of two). Each
    pair of length and size is assumed to produce equally many tokens.
    """
    batch, used = _mix(scenario)
    rubin = _device(scenario, "rubin")

    def spent(context: Floats) -> Floats:
        # [2, model, draws]: memory-bound time, and all time
        decode = _decode(rubin, batch, context)
        both = []
        for model in known_models():
            time = decode(model)
            total = time.bound * used
            bound = total * (time.memory >= time.compute)
            both.append((bound.sum(axis=0), total.sum(axis=0)))
        return np.array(both).swapaxes(0, 1)

    first, second = (
        remembered(("decode", name), (used, *rubin, context), partial(spent, context))
        for name in ("workload.agent.context_p50", "workload.conversation.context")
        for context in [scenario[name]]
    )
    bound, total = first + second
    return by_model(bound / total)


def prefill_memory_bound(scenario: Scenario) -> Values:
    """Whether a prefill chunk after a long context is memory-bound: the mean over two contexts.

    The result is 0, 0.5 or 1. The GPU is Rubin, with weights in FP4 and KV in FP8.
    """
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
    """For each language model: cost of a decoded token on GB200 / cost on Rubin.

    The cost is the lower bound on the decode time, multiplied by the price of a rack. All batch
    sizes (powers of two) are assumed to produce equally many tokens.
    """
    batch, used = _mix(scenario)
    context = scenario["workload.conversation.context"]
    dearer = scenario["price.rack_rubin"] / scenario["price.rack_blackwell"]

    def spent(speeds: tuple[Floats, Floats]) -> Floats:
        decode = _decode(speeds, batch, context)
        return np.array([(decode(model).bound * used).sum(axis=0) for model in known_models()])

    old, new = (
        remembered(("fall", name), (used, *speeds, context), partial(spent, speeds))
        for name in ("gb200", "rubin")
        for speeds in [_device(scenario, name)]
    )
    return by_model(old / new / dearer)
