"""Lower bounds on prefill and decode time at a machine's measured rates.

A time computed here is the shortest that the given rates allow, not a prediction. The decode time
is a **lower bound** if weights and cache are counted in the precision in which they are served;
`SERVED_DECODE` says by how much served models exceed it. The prefill time is a lower bound if the
FLOP/s are those of the arithmetic's precision: prefills served in FP8 and FP4 take as little as
0.54 of the time at 75 % of the BF16 peak. Efficiencies are measured shares of the peak (bandwidth
from a read test, FLOP/s from a matrix product); with measured rates instead of peaks they are 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from membench.core.messages import tr
from membench.core.record import record


@record(kw_only=True)
class BoundRatios:
    """Distribution of the ratio of served times to their lower bound.

    Attributes:
        points: number of measured points.
        p5, median, p95: quantiles of the ratio.
        low, high: a range of the ratio that includes at least a share ``covers`` of the points.
        below: number of points below the bound.
    """

    points: int
    p5: float
    median: float
    p95: float
    low: float
    high: float
    covers: float
    below: int
    source: str

    def sentence(self) -> str:
        """The statistics as a sentence: range, quantiles, number of points and source."""
        return tr(
            "of {points} published measurements of served models, at least {share} % take {low} "
            "to {high} times the lower bound for decoding (5 % take less than {p5} times, half "
            "less than {median} times, 95 % less than {p95} times; {source})",
            points=f"{self.points:,}",
            share=f"{100 * self.covers:g}",
            low=f"{self.low:g}",
            high=f"{self.high:g}",
            p5=f"{self.p5:g}",
            median=f"{self.median:g}",
            p95=f"{self.p95:g}",
            source=self.source,
        )


SERVED_DECODE = BoundRatios(
    points=3491,
    p5=1.54,
    median=3.41,
    p95=19.6,
    low=1.5,
    high=30.0,
    covers=0.9,
    below=7,
    source=tr(
        "aiconfigurator 095f58a, silicon_sample.csv: bound for weights as served, KV cache in FP8 "
        "and 92 % of the memory bandwidth"
    ),
)
"""Served decode times relative to their lower bound; a test recomputes the statistics."""


def prefill_flops(
    tokens: float, matmul_params: float, attention_flops: float, cached: float = 0
) -> float:
    """FLOPs to prefill ``tokens`` tokens, of which the first ``cached`` are restored.

    ``F = 2 N (n - p) + c_a (n^2 - p^2) / 2``; attention is causal, so half of all pairs count.

    Args:
        matmul_params: weights by which every token is multiplied (for MoE the active ones).
        attention_flops: ``c_a``, FLOPs for one pair of query and key, over all layers.
    """
    if not 0 <= cached <= tokens:
        raise ValueError(f"{cached} cached tokens of {tokens}")
    return prefill_formula(tokens, matmul_params, attention_flops, cached)


def prefill_formula(
    tokens: float, matmul_params: float, attention_flops: float, cached: float
) -> float:
    """`prefill_flops` without its check, so that it also works on arrays."""
    linear = 2 * matmul_params * (tokens - cached)
    return linear + attention_flops * (tokens**2 - cached**2) / 2


def prefill_seconds(flops: float, flops_per_s: float, efficiency: float = 1.0) -> float:
    """The least time in seconds for ``flops`` FLOPs at ``efficiency`` times ``flops_per_s``."""
    return flops / (efficiency * flops_per_s)


def touched_weights(
    shared_bytes: float, expert_bytes: float, experts: int, active: int, batch: float
) -> float:
    """Bytes of weights that one decode step reads.

    ``W = W_shared + W_exp (1 - (1 - k/E)^B)``: each of ``batch`` tokens chooses ``active`` of
    ``experts`` at random; ``shared_bytes`` is W_shared, and ``expert_bytes`` is W_exp, the size of
    all experts.
    """
    if not experts:
        return shared_bytes
    untouched = math.pow(1 - active / experts, batch)
    return shared_bytes + expert_bytes * (1 - untouched)


@record
class DecodeBound:
    """Lower bounds (seconds) on the time of one decode step, by memory and by compute."""

    memory_s: float
    compute_s: float
    fixed_s: float

    @property
    def seconds(self) -> float:
        """The lower bound: the longer of memory and compute, which overlap, plus the fixed time."""
        return max(self.memory_s, self.compute_s) + self.fixed_s

    @property
    def memory_bound(self) -> bool:
        """Whether reading memory takes longer than computing."""
        return self.memory_s >= self.compute_s


def decode_bound(
    *,
    weight_bytes: float,
    kv_bytes: Iterable[float],
    contexts: Iterable[float],
    active_params: float,
    attention_flops: float,
    bytes_per_s: float,
    flops_per_s: float,
    memory_efficiency: float = 1.0,
    compute_efficiency: float = 1.0,
    fixed_s: float = 0.0,
) -> DecodeBound:
    """The least time of a step that produces one token for each sequence of a batch.

    Args:
        weight_bytes: bytes of weights read (`touched_weights`).
        kv_bytes: bytes of cache of each sequence.
        contexts: tokens of each sequence, in the same order.
        active_params: weights by which a token is multiplied.
        attention_flops: FLOPs for one pair of query and key, over all layers.
    """
    lengths = tuple(contexts)
    reads = weight_bytes + sum(kv_bytes)
    flops = 2 * active_params * len(lengths) + attention_flops * sum(lengths)
    return DecodeBound(
        memory_s=reads / (memory_efficiency * bytes_per_s),
        compute_s=flops / (compute_efficiency * flops_per_s),
        fixed_s=fixed_s,
    )


def decode_intensity(
    *,
    weight_bytes: float,
    kv_bytes_per_sequence: float,
    context: float,
    active_params: float,
    attention_flops: float,
    batch: float,
) -> float:
    """FLOP per byte of a decode step for ``batch`` sequences of ``context`` tokens each."""
    flops = batch * (2 * active_params + attention_flops * context)
    return flops / (weight_bytes + batch * kv_bytes_per_sequence)


def ridge(flops_per_s: float, bytes_per_s: float) -> float:
    """FLOP per byte below which computation on the machine is memory-bound."""
    return flops_per_s / bytes_per_s
