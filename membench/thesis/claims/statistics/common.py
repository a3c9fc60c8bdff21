"""Functions that several statistics use: the list of LLMs, and formulas for arrays of draws.

The functions in `roofline`, `breakeven`, `kv_shape` and `demand` use plain arithmetic, so most of
them also work element by element on arrays of random draws. This module wraps these functions with
type annotations for arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache
from typing import NamedTuple, cast

import numpy as np

from membench.thesis.claims.draws import Floats
from membench.thesis.models import breakeven, roofline
from membench.thesis.models.catalogue import judged_models
from membench.thesis.models.kv_shape import KvDtype, KvShape, LayerGroup
from membench.thesis.models.parameters import Parameters
from membench.thesis.models.weight_bits import Weights

FP4 = 0.5
"""Bytes per weight in FP4, the format in which Blackwell and Rubin are advertised."""

Formula = Callable[..., Floats]


class Known(NamedTuple):
    """A model with known weights, and the bits per weight in which it is published.

    Attributes:
        place: index of the model in the arrays of `all_models`.
    """

    name: str
    shape: KvShape
    weights: Parameters
    held: Weights
    place: int

    def kv(self, tokens: Floats, dtype: KvDtype) -> Floats:
        """Bytes of a context of ``tokens``: the row of `AllModels.kv` for this model."""
        row: Floats = all_models().kv(tokens, dtype)[self.place]
        return row


@cache
def known_models() -> tuple[Known, ...]:
    """The shipped models with known weights; statistics that depend on a model use all of them."""
    known = [
        (model.slug, model.shape, model.parameters, model.weights)
        for model in judged_models().values()
        if model.parameters is not None and model.weights is not None
    ]
    return tuple(Known(*each, place) for place, each in enumerate(known))


class AllModels(NamedTuple):
    """The `known_models` as arrays, for arithmetic on all models and all draws at once.

    Attributes:
        names: [model].
        matmul, attention: [model, 1] the constants of `roofline.prefill_flops`.
        state: [model, 1] bytes of the constant state of a sequence.
        every, window, entry: lists of [model, 1], one per layer group: tokens per entry, entries in
            a window, and, for each KV type, bytes per entry over all layers of the group. Models
            with fewer groups have empty ones.
    """

    names: tuple[str, ...]
    matmul: Floats
    attention: Floats
    state: Floats
    every: Floats
    window: Floats
    entry: dict[KvDtype, Floats]

    def kv(self, tokens: Floats, dtype: KvDtype) -> Floats:
        """[model, draws] bytes of a context of ``tokens`` ([draws]).

        The bytes include the growing cache, windows as far as they are filled, and the state.
        """
        return _kv(dtype, tokens.tobytes())


@cache
def all_models() -> AllModels:
    """The shipped models as arrays."""
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
    """Cached, because most changes of an input leave the contexts unchanged."""
    models, tokens = all_models(), np.frombuffer(contexts)
    held: Floats = np.broadcast_to(models.state, (len(models.names), tokens.size))
    for every, window, entry in zip(models.every, models.window, models.entry[dtype], strict=True):
        held = held + entry * np.minimum(tokens / every, window)
    held.flags.writeable = False
    return held


def each_model(value: Callable[[Known], Floats]) -> dict[str, Floats]:
    """The result of ``value`` for each model, by the model's name."""
    return {model.name: value(model) for model in known_models()}


def by_model(values: Floats) -> dict[str, Floats]:
    """The rows of ``values`` ([model, draws]) by the model's name."""
    return dict(zip(all_models().names, values, strict=True))


def breakeven_rate(prefix: Floats, flops: Floats, dtype: KvDtype) -> Floats:
    """The rate in B/s above which restoring ``prefix`` tokens is faster than recomputing them.

    The array has the shape [model, draws]. ``flops`` is the rate of recomputing in FLOP/s.
    """
    models = all_models()
    formula = cast("Formula", breakeven.breakeven_bandwidth)
    return formula(
        models.kv(prefix, dtype) / prefix, models.matmul, models.attention, prefix, flops
    )


def prefill_flops(tokens: Floats, cached: Floats) -> Floats:
    """[model, draws] FLOPs to prefill ``tokens``; the first ``cached`` of them are restored.

    Raises:
        ValueError: ``cached`` exceeds ``tokens``.
    """
    if not ((cached >= 0) & (cached <= tokens)).all():
        raise ValueError("more tokens are cached than there are")
    models = all_models()
    formula = cast("Formula", roofline.prefill_formula)
    return formula(tokens, models.matmul, models.attention, cached)


def touched(model: Known, batch: Floats, element: float | None = None) -> Floats:
    """Bytes of weights that a step of ``batch`` tokens reads, in the shape of ``batch``.

    Args:
        element: bytes per weight; None for the published precision.
    """
    weights = model.weights
    if element is None:
        size = _touched(weights, model.held.read, model.held.experts, batch.tobytes())
    else:
        size = element * _touched(weights, weights.shared, weights.expert, batch.tobytes())
    return size.reshape(batch.shape)


@lru_cache(maxsize=512)
def _touched(weights: Parameters, shared: float, expert: float, batches: bytes) -> Floats:
    """`touched` in weights or bytes.

    The result is cached, because most changes of an input leave the batches equal.
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
    """The result of ``compute``; the last one for ``key`` if ``inputs`` are the same objects.

    While one input of a statistic is moved, most variants use only other inputs, whose arrays
    remain the same objects.
    """
    last = _LAST.get(key)
    if last is not None and all(a is b for a, b in zip(last[0], inputs, strict=True)):
        return last[1]
    value = compute()
    _LAST[key] = (inputs, value)
    return value


class TokenTime(NamedTuple):
    """Lower bounds (seconds) on the time per token of a decode step, by memory and by compute."""

    memory: Floats
    compute: Floats

    @property
    def bound(self) -> Floats:
        """The larger of the two bounds."""
        longer: Floats = np.maximum(self.memory, self.compute)
        return longer


def token_time(
    model: Known,
    batch: Floats,
    context: Floats,
    rate: Floats,
    flops: Floats,
    dtype: KvDtype,
    element: float | None = None,
) -> TokenTime:
    """Lower bounds on the time per token of a decode step; ``batch`` tokens share the weights.

    Args:
        element: bytes per weight; None for the published precision.
    """
    formula = cast("Callable[..., roofline.DecodeBound]", roofline.decode_bound)
    bound = formula(
        weight_bytes=touched(model, batch, element) / batch,
        kv_bytes=[model.kv(context, dtype)],
        contexts=[context],
        active_params=model.weights.matmul,
        attention_flops=model.weights.attention,
        bytes_per_s=rate,
        flops_per_s=flops,
    )
    return TokenTime(cast("Floats", bound.memory_s), cast("Floats", bound.compute_s))


def batches(most: float) -> Iterator[float]:
    """1, 2, 4, ... up to ``most``."""
    batch = 1.0
    while batch <= most:
        yield batch
        batch *= 2
