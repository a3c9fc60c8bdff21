"""What statistics share: the models, and the formulas of the model room over draws.

`roofline`, `breakeven`, `kvshape` and `demand` are plain arithmetic, so most of them
hold element by element for arrays of draws; here they get the types of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import NamedTuple, cast

import numpy as np

from membench.thesis.claims.draws import Floats
from membench.thesis.models import breakeven, roofline
from membench.thesis.models.catalogue import judged_models
from membench.thesis.models.kv_shape import KvDtype, KvShape
from membench.thesis.models.parameters import Parameters

HALF = 2.0
"""Bytes of a weight in 16 bits, as measured devices compute."""
FP4 = 0.5
"""Bytes of a weight in FP4, as Blackwell and Rubin are advertised."""

Formula = Callable[..., Floats]


class Known(NamedTuple):
    """A model whose weights are known."""

    name: str
    shape: KvShape
    weights: Parameters

    def kv(self, tokens: Floats, dtype: KvDtype) -> Floats:
        """Bytes of a context of ``tokens``: what grows, windows as full as they are, and state."""
        held: Floats = np.full_like(tokens, float(self.shape.state_bytes))
        for group in self.shape.groups:
            entries = np.minimum(tokens / group.every, group.window or np.inf)
            held = held + group.layers * group.entry_bytes(dtype) * entries
        return held


@cache
def known_models() -> tuple[Known, ...]:
    """The shipped models: every statistic that depends on a model is drawn for all of them."""
    return tuple(
        Known(model.slug, model.shape, model.parameters)
        for model in judged_models().values()
        if model.parameters is not None
    )


def each_model(value: Callable[[Known], Floats]) -> dict[str, Floats]:
    """``value`` of every model."""
    return {model.name: value(model) for model in known_models()}


def breakeven_rate(model: Known, prefix: Floats, flops: Floats, dtype: KvDtype) -> Floats:
    """B/s above which restoring ``prefix`` tokens beats recomputing them at ``flops``."""
    formula = cast("Formula", breakeven.breakeven_bandwidth)
    return formula(
        model.kv(prefix, dtype) / prefix,
        model.weights.matmul,
        model.weights.attention,
        prefix,
        flops,
    )


def prefill_flops(model: Known, tokens: Floats, cached: Floats) -> Floats:
    """FLOPs to prefill ``tokens``, the first ``cached`` of which are restored.

    The formula is linear in the model's two constants, so that its two terms are
    computed once for all models.
    """
    linear, pairs = _prefill_terms(tokens.tobytes(), cached.tobytes())
    return model.weights.matmul * linear + model.weights.attention * pairs


@lru_cache(maxsize=32)
def _prefill_terms(tokens: bytes, cached: bytes) -> tuple[Floats, Floats]:
    lengths = [
        (float(whole), float(restored))
        for whole, restored in zip(np.frombuffer(tokens), np.frombuffer(cached), strict=True)
    ]
    return (
        np.array([roofline.prefill_flops(whole, 1, 0, restored) for whole, restored in lengths]),
        np.array([roofline.prefill_flops(whole, 0, 1, restored) for whole, restored in lengths]),
    )


def touched(model: Known, element: float, batch: Floats) -> Floats:
    """Bytes of weights that a step of ``batch`` tokens reads, of the shape of ``batch``."""
    return element * _touched(model.weights, batch.tobytes()).reshape(batch.shape)


@lru_cache(maxsize=512)
def _touched(weights: Parameters, batches: bytes) -> Floats:
    """Weights, not bytes; for most changes of an input the batches stay what they were."""
    return np.array(
        [
            roofline.touched_weights(
                weights.shared, weights.expert, weights.experts, weights.active, float(batch)
            )
            for batch in np.frombuffer(batches)
        ]
    )


class TokenTime(NamedTuple):
    """The least seconds of one token in a decode step, by what bounds it."""

    memory: Floats
    compute: Floats

    @property
    def bound(self) -> Floats:
        """The longer of the two."""
        longer: Floats = np.maximum(self.memory, self.compute)
        return longer


def token_time(
    model: Known,
    batch: Floats,
    context: Floats,
    rate: Floats,
    flops: Floats,
    element: float,
    dtype: KvDtype,
) -> TokenTime:
    """The decode bound of one token: the step's weights are shared by ``batch`` of them."""
    formula = cast("Callable[..., roofline.DecodeBound]", roofline.decode_bound)
    bound = formula(
        weight_bytes=touched(model, element, batch) / batch,
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
