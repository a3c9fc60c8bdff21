"""Statistics of compute: what reasoning costs, and whether Rubin's FLOPS can be used."""

from __future__ import annotations

import numpy as np

from membench.thesis.claims.draws import Floats
from membench.thesis.claims.statistics.common import (
    FP4,
    Known,
    TokenTime,
    batches,
    each_model,
    prefill_flops,
    token_time,
    touched,
)
from membench.thesis.claims.world import Scenario
from membench.thesis.models.kv_shape import KvDtype

Values = dict[str, Floats]


def _request(model: Known, world: Scenario, kind: str) -> Floats:
    """FLOPs of a request: what is not restored of its input, and its output."""
    given, written = world[f"workload.{kind}.input"], world[f"workload.{kind}.output"]
    return prefill_flops(model, given + written, given * (1 - world["workload.thinking.miss"]))


def reasoning_request(world: Scenario) -> Values:
    """FLOPs of a thinking request over those of a chat request."""
    return each_model(
        lambda model: _request(model, world, "thinking") / _request(model, world, "chat")
    )


def reasoning_session(world: Scenario) -> Values:
    """FLOPs of all requests of an agent session over those of one uncached chat request."""
    context, written = world["workload.agent.context_p50"], world["workload.agent.output"]
    restored = context * world["workload.agent.shared"]
    chat = world["workload.chat.input"] + world["workload.chat.output"]

    def ratio(model: Known) -> Floats:
        request = prefill_flops(model, context + written, restored)
        return (
            world["workload.agent.requests"]
            * request
            / prefill_flops(model, chat, np.zeros_like(chat))
        )

    return each_model(ratio)


def _device(world: Scenario, name: str) -> tuple[Floats, Floats]:
    """(B/s, FLOP/s) of a device that is not here, at the efficiencies measured here."""
    return (
        world[f"device.{name}.bandwidth"] * world.efficiency("hbm-read"),
        world[f"device.{name}.fp4"] * world.efficiency("gemm"),
    )


def _mix(world: Scenario) -> tuple[Floats, Floats]:
    """Batches, [batch, 1], and whether a draw has them, [batch, draws]."""
    most = world["workload.decode.batch_max"]
    sizes = np.array(list(batches(max(1.0, float(most.max())))))[:, None]
    return sizes, (sizes <= np.maximum(most, 1)).astype(float)


def _decode(
    world: Scenario, model: Known, device: str, batch: Floats, context: Floats
) -> TokenTime:
    return token_time(model, batch, context, *_device(world, device), FP4, KvDtype.FP8)


def decode_memory_bound(world: Scenario) -> Values:
    """Share of decode time on Rubin that is bound by memory: weights FP4, KV fp8.

    Of equally many tokens at every batch size (powers of two) and both contexts.
    """
    batch, used = _mix(world)
    contexts = [world["workload.agent.context_p50"], world["workload.conversation.context"]]

    def share(model: Known) -> Floats:
        total = bound = np.zeros(1)
        for context in contexts:
            time = _decode(world, model, "rubin", batch, context)
            spent = time.bound * used
            total = total + spent.sum(axis=0)
            bound = bound + (spent * (time.memory >= time.compute)).sum(axis=0)
        fraction: Floats = bound / total
        return fraction

    return each_model(share)


def prefill_memory_bound(world: Scenario) -> Values:
    """Share of the two contexts at which a prefill step on Rubin is bound by memory."""
    rate, flops = _device(world, "rubin")
    chunk = world["workload.prefill.chunk"]
    contexts = [world["workload.agent.context_p50"], world["workload.conversation.context"]]

    def share(model: Known) -> Floats:
        bound = np.zeros_like(chunk)
        for context in contexts:
            read = touched(model, FP4, chunk) + model.kv(context, KvDtype.FP8)
            work = prefill_flops(model, context + chunk, context)
            bound = bound + (read / rate >= work / flops)
        return bound / len(contexts)

    return each_model(share)


def hardware_fall(world: Scenario) -> Values:
    """Cost of a decoded token on GB200 over that on Rubin, by bounds and rack prices."""
    batch, used = _mix(world)
    context = world["workload.conversation.context"]
    dearer = world["price.rack_rubin"] / world["price.rack_blackwell"]

    def fall(model: Known) -> Floats:
        old, new = (
            (_decode(world, model, device, batch, context).bound * used).sum(axis=0)
            for device in ("gb200", "rubin")
        )
        ratio: Floats = old / new / dearer
        return ratio

    return each_model(fall)
