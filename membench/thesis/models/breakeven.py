"""The break-even bandwidth, at which restoring a KV cache takes as long as recomputing it.

The recompute time is a lower bound (`roofline`), so the break-even bandwidth is an upper bound.
"""

from __future__ import annotations

import math


def breakeven_bandwidth(
    bytes_per_token: float,
    matmul_params: float,
    attention_flops: float,
    prefix: float,
    flops_per_s: float,
    efficiency: float = 1.0,
) -> float:
    """The bandwidth (B/s) above which restoring ``prefix`` tokens is faster than recomputing.

    ``B_be(p) = k e F / (2 N + c_a p / 2)``

    Args:
        bytes_per_token: k, bytes of KV cache per token.
        matmul_params, attention_flops: N and c_a, as in `roofline.prefill_flops`.
        prefix: p, number of tokens.
        flops_per_s: F, FLOP/s of the GPU.
        efficiency: e, share of F that the prefill reaches.
    """
    return (
        bytes_per_token
        * efficiency
        * flops_per_s
        / (2 * matmul_params + attention_flops * prefix / 2)
    )


def mooncake_bandwidth(
    *,
    prefix: float,
    width: float,
    gqa: float,
    flops_per_s: float,
    attention: float = 4,
    linear: float = 22,
    element_bytes: float = 2,
) -> float:
    """The break-even bandwidth (B/s) by equation 2 of Mooncake (FAST '25).

    The equation compares ``l (a p^2 d + b p d^2)`` FLOPs with ``2 l p d s / gqa`` bytes for l
    layers. The equation counts all pairs of query and key, but `breakeven_bandwidth` only the
    causal half.

    Args:
        prefix: p, number of tokens.
        width: d, number of elements of the model's hidden state.
        gqa: number of query heads per KV head.
        flops_per_s: FLOP/s of the GPU.
        attention: a, factor of the FLOPs of attention.
        linear: b, factor of the FLOPs of the matrix products (25.5 for Llama 70B).
        element_bytes: s, bytes per element of the KV cache.
    """
    flops_per_token_and_layer = attention * prefix * width + linear * width**2
    return 2 * width * element_bytes / gqa * flops_per_s / flops_per_token_and_layer


def load_seconds(
    kv_bytes: float, source_bytes_per_s: float, link_bytes_per_s: float, latency_s: float = 0.0
) -> float:
    """Seconds to load ``kv_bytes`` to the GPU: latency plus transfer at the lower of two rates."""
    return latency_s + kv_bytes / min(source_bytes_per_s, link_bytes_per_s)


def restored_ttft(
    load_s: float, suffix_s: float, layers: float, *, overlap: bool, fixed_s: float = 0.0
) -> float:
    """Seconds to the first token if the GPU loads a prefix and prefills the suffix.

    With ``overlap``, the GPU computes a layer while later layers load. For ``layers`` equal layers
    the time is ``max(load_s + suffix_s / layers, load_s / layers + suffix_s) + fixed_s``. With
    ``layers = math.inf`` the time is a lower bound for unequal layers.

    Without ``overlap``, the prefill begins after the load.
    """
    if overlap:
        return max(load_s + suffix_s / layers, load_s / layers + suffix_s) + fixed_s
    return load_s + suffix_s + fixed_s


def contexts_held(
    capacity_bytes: float, kv_bytes: float, weight_bytes: float = 0.0, usable: float = 1.0
) -> int:
    """Number of contexts of ``kv_bytes`` bytes each that fit in a memory beside the weights.

    ``usable`` is the share of the capacity (0 to 1) for weights and KV caches.
    """
    return max(0, math.floor((capacity_bytes * usable - weight_bytes) / kv_bytes))


def drain_seconds(capacity_bytes: float, bytes_per_s: float) -> float:
    """Seconds to read all ``capacity_bytes`` of a tier once."""
    return capacity_bytes / bytes_per_s
