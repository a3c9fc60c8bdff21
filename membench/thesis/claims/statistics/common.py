"""Functions that several statistics use: the list of LLMs, and formulas for arrays of draws."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache
from operator import is_
from typing import NamedTuple, cast

import numpy as np

from membench.thesis.claims.draws import Floats
from membench.thesis.models import breakeven, roofline
from membench.thesis.models.catalogue import judged_models
from membench.thesis.models.kv_shape import KvDtype, KvShape, LayerGroup
from membench.thesis.models.parameters import Parameters
from membench.thesis.models.weight_bits import Weights

FP4 = 0.5
"""Bytes per weight in FP4."""

Formula = Callable[..., Floats]


class Known(NamedTuple):
    """A model with a published number of weights and a published precision.

    Attributes:
        held: bytes of the weights in the published precision.
        place: index in the arrays of `all_models`.
    """

    name: str
    shape: KvShape
    weights: Parameters
    held: Weights
    place: int

    def kv(self, tokens: Floats, dtype: KvDtype) -> Floats:
        """[draws] bytes of KV cache and state for [draws] ``tokens``."""
        row: Floats = all_models().kv(tokens, dtype)[self.place]
        return row


@cache
def known_models() -> tuple[Known, ...]:
    """The `judged_models` with known weights and precision."""
    known = [
        (model.slug, model.shape, model.parameters, model.weights)
        for model in judged_models().values()
        if model.parameters is not None and model.weights is not None
    ]
    return tuple(Known(*each, place) for place, each in enumerate(known))


class AllModels(NamedTuple):
    """The `known_models` as arrays. Models with few layer groups are padded with empty groups.

    Attributes:
        matmul, attention: [model, 1] as in `roofline.prefill_flops`.
        state: [model, 1] bytes of the constant state of a sequence.
        every: [group, model, 1] tokens per cache entry.
        window: [group, model, 1] maximum number of cache entries.
        entry: KV type -> [group, model, 1] bytes per entry, over all layers of the group.
    """

    names: tuple[str, ...]
    matmul: Floats
    attention: Floats
    state: Floats
    every: Floats
    window: Floats
    entry: dict[KvDtype, Floats]

    def kv(self, tokens: Floats, dtype: KvDtype) -> Floats:
        """[model, draws] bytes of KV cache and state for [draws] ``tokens``."""
        return _kv(dtype, tokens.tobytes())


@cache
def all_models() -> AllModels:
    models = known_models()
    most = max(len(model.shape.groups) for model in models)

    def column(values: Iterable[float]) -> Floats:
        return np.array([*values], float)[:, None]

    def of_groups(value: Callable[[LayerGroup], float], other: float) -> Floats:
        return np.array(
            [
                column(
                    value(model.shape.groups[place]) if place < len(model.shape.groups) else other
                    for model in models
                )
                for place in range(most)
            ]
        )

    return AllModels(
        names=tuple(model.name for model in models),
        matmul=column(model.weights.matmul for model in models),
        attention=column(model.weights.attention for model in models),
        state=column(model.shape.state_bytes for model in models),
        every=of_groups(lambda group: group.every, 1),
        window=of_groups(lambda group: group.window or np.inf, np.inf),
        entry={
            dtype: of_groups(lambda group: group.layers * group.entry_bytes(dtype), 0)  # noqa: B023
            for dtype in (KvDtype.FP16, KvDtype.FP8)
        },
    )


@lru_cache(maxsize=32)
def _kv(dtype: KvDtype, contexts: bytes) -> Floats:
    """The result of `AllModels.kv`, cached. ``contexts`` is ``tokens.tobytes()``."""
    models, tokens = all_models(), np.frombuffer(contexts)
    held: Floats = np.broadcast_to(models.state, (len(models.names), tokens.size))
    for every, window, entry in zip(models.every, models.window, models.entry[dtype], strict=True):
        held = held + entry * np.minimum(tokens / every, window)
    held.flags.writeable = False
    return held


def by_model(values: Floats) -> dict[str, Floats]:
    """Model -> its row [draws] in ``values``, which is [model, draws]."""
    return dict(zip(all_models().names, values, strict=True))


def breakeven_rate(prefix: Floats, flops: Floats, dtype: KvDtype) -> Floats:
    """[model, draws] B/s above which restoring ``prefix`` tokens is faster than recomputing.

    ``prefix`` is [draws] tokens, and ``flops`` are [draws] FLOP/s.
    """
    models = all_models()
    formula = cast("Formula", breakeven.breakeven_bandwidth)
    return formula(
        models.kv(prefix, dtype) / prefix, models.matmul, models.attention, prefix, flops
    )


def prefill_flops(tokens: Floats, cached: Floats) -> Floats:
    """[model, draws] FLOPs to prefill ``tokens`` if the first ``cached`` tokens are restored.

    Raises:
        ValueError: ``cached`` is negative or exceeds ``tokens``.
    """
    if not ((cached >= 0) & (cached <= tokens)).all():
        raise ValueError("the number of cached tokens is below 0 or above the number of tokens")
    models = all_models()
    formula = cast("Formula", roofline.prefill_formula)
    return formula(tokens, models.matmul, models.attention, cached)


class DecodeSeconds(NamedTuple):
    """Lower bounds on the seconds per decoded token: for reading memory, and for computing."""

    memory: Floats
    compute: Floats

    @property
    def bound(self) -> Floats:
        longer: Floats = np.maximum(self.memory, self.compute)
        return longer


def decode_seconds(
    weights: Floats | float, kv: Floats, context: Floats, speeds: tuple[Floats, Floats]
) -> DecodeSeconds:
    """[model, draws] lower bounds on the time per token of a decode step.

    Args:
        weights: bytes of weights that the step reads per token, a number or [model, 1].
        kv: [model, draws] bytes of KV cache per sequence.
        context: [draws] tokens in the KV cache per sequence.
        speeds: (B/s, FLOP/s), each [draws] or [model, draws].
    """
    models = all_models()
    formula = cast("Callable[..., roofline.DecodeBound]", roofline.decode_bound)
    bounds = formula(
        weight_bytes=weights,
        kv_bytes=[kv],
        contexts=[context],
        active_params=models.matmul,
        attention_flops=models.attention,
        bytes_per_s=speeds[0],
        flops_per_s=speeds[1],
    )
    return DecodeSeconds(cast("Floats", bounds.memory_s), cast("Floats", bounds.compute_s))


def touched(model: Known, batch: Floats, element: float | None = None) -> Floats:
    """Bytes of weights that a step reads, for each number of tokens per step in ``batch``.

    ``element`` is the bytes per weight; None for the published precision.
    """
    weights = model.weights
    if element is None:
        size = _touched(weights, model.held.read, model.held.experts, batch.tobytes())
    else:
        size = element * _touched(weights, weights.shared, weights.expert, batch.tobytes())
    return size.reshape(batch.shape)


@lru_cache(maxsize=512)
def _touched(weights: Parameters, shared: float, expert: float, batches: bytes) -> Floats:
    """[n] weights that a step reads, for each of n numbers of tokens per step.

    The result is in the unit of ``shared`` and ``expert``. ``batches`` is ``tobytes()`` of the
    array of the n numbers.
    """
    return np.array(
        [
            roofline.touched_weights(shared, expert, weights.experts, weights.active, float(batch))
            for batch in np.frombuffer(batches)
        ]
    )


_LAST: dict[tuple[str, ...], tuple[tuple[Floats, ...], Floats]] = {}


def remembered(
    key: tuple[str, ...], inputs: tuple[Floats, ...], compute: Callable[[], Floats]
) -> Floats:
    """The result of ``compute()``, cached per ``key`` while ``inputs`` are the same objects."""
    last = _LAST.get(key)
    if last is not None and all(map(is_, last[0], inputs)):
        return last[1]
    value = compute()
    _LAST[key] = (inputs, value)
    return value


def batches(most: float) -> Iterator[float]:
    """Yield 1, 2, 4, ... up to ``most``."""
    batch = 1.0
    while batch <= most:
        yield batch
        batch *= 2
