"""Lower bounds on prefill and decode time at a machine's measured rates.

The times are lower bounds only if rates, weights and KV cache have the precision of the real
server. `SERVED_DECODE` compares real servers with the bound on decode time.

An efficiency is the share (0 to 1) of a given rate that the machine reaches: 1 if the given rate
was measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from membench.core.messages import tr
from membench.core.record import record


@record(kw_only=True)
class BoundRatios:
    """Distribution of the ratio of measured decode times to the lower bound.

    Attributes:
        points: number of measurements.
        low, high: a range that contains at least the share ``covers`` (0 to 1) of the ratios.
        below: number of measurements below the lower bound.
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

    def sentences(self) -> str:
        return tr(
            "In at least {share} % of {points} published measurements of served models, decoding "
            "takes {low} to {high} times as long as the lower bound. The 5th percentile is {p5} "
            "times the lower bound, the median {median} times, and the 95th percentile {p95} "
            "times. {source}",
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
        "The measurements are from aiconfigurator 095f58a (silicon_sample.csv). The lower bound "
        "assumes weights in the served precision, KV cache in FP8 and 92 % of the memory bandwidth."
    ),
)
"""Measured decode times of real servers divided by the lower bound. A test checks the values."""


def prefill_flops(
    tokens: float, matmul_params: float, attention_flops: float, cached: float = 0
) -> float:
    """FLOPs to prefill ``tokens`` tokens if the first ``cached`` tokens are restored.

    ``F = 2 N (n - p) + c_a (n^2 - p^2) / 2``. Attention is causal, so half of all pairs count.

    Args:
        tokens: n, number of tokens.
        matmul_params: N, weights that multiply a token. Of the routed experts, only active ones
            count.
        attention_flops: c_a, FLOPs for one pair of query and key, over all layers.
        cached: p, number of restored tokens.

    Raises:
        ValueError: ``cached`` is negative or larger than ``tokens``.
    """
    if not 0 <= cached <= tokens:
        raise ValueError(f"the number of cached tokens is {cached}, but must be from 0 to {tokens}")
    return prefill_formula(tokens, matmul_params, attention_flops, cached)


def prefill_formula(
    tokens: float, matmul_params: float, attention_flops: float, cached: float
) -> float:
    """`prefill_flops` without the check of the arguments, which may be arrays."""
    linear = 2 * matmul_params * (tokens - cached)
    return linear + attention_flops * (tokens**2 - cached**2) / 2


def prefill_seconds(flops: float, flops_per_s: float, efficiency: float = 1.0) -> float:
    return flops / (efficiency * flops_per_s)


def touched_weights(
    shared_bytes: float, expert_bytes: float, experts: int, active: int, batch: float
) -> float:
    """Bytes of weights that a step with ``batch`` tokens reads.

    ``W = W_shared + W_exp (1 - (1 - k/E)^B)``, if each token chooses experts at random.

    Args:
        shared_bytes: W_shared, bytes of weights that every step reads.
        expert_bytes: W_exp, bytes of all experts.
        experts: E, number of experts in a layer.
        active: k, number of experts that a token chooses.
        batch: B, number of tokens.
    """
    if not experts:
        return shared_bytes
    untouched = math.pow(1 - active / experts, batch)
    return shared_bytes + expert_bytes * (1 - untouched)


@record
class DecodeBound:
    """Lower bounds on the time of a decode step, in seconds.

    Attributes:
        memory_s: time to read weights and KV cache.
        fixed_s: time that does not depend on bytes and FLOPs.
    """

    memory_s: float
    compute_s: float
    fixed_s: float

    @property
    def seconds(self) -> float:
        """The lower bound in seconds, if reading and computing overlap completely."""
        return max(self.memory_s, self.compute_s) + self.fixed_s

    @property
    def memory_bound(self) -> bool:
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
    """Lower bounds on the time of a decode step: one token for each sequence of a batch.

    Args:
        weight_bytes: bytes of weights that the step reads (`touched_weights`).
        kv_bytes: bytes of KV cache of each sequence.
        contexts: tokens of each sequence, in the order of ``kv_bytes``.
        active_params, attention_flops: N and c_a, as in `prefill_flops`.
        memory_efficiency, compute_efficiency: shares of ``bytes_per_s`` and ``flops_per_s`` that
            the step reaches.
        fixed_s: seconds of a step that do not depend on bytes and FLOPs.
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
    """The ridge point of the roofline: FLOP per byte below which the memory limits the rate."""
    return flops_per_s / bytes_per_s
