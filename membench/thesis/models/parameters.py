"""Counts a model's weights and attention FLOPs from the configuration.

Norms and biases (below 0.1 %) are not counted. The input embedding is a table lookup, so it does
not count as a matrix product; the output head does.
"""

from __future__ import annotations

from membench.core.record import record
from membench.thesis.models.architecture import (
    compress_ratios,
    head_width,
    is_compressed,
    is_latent,
)
from membench.thesis.models.configuration import Config, number, resolved
from membench.thesis.models.layer_kinds import LayerKind, counted, layer_kinds
from membench.thesis.models.matrices import MatrixRole, active_experts, experts, matrices


@record(kw_only=True)
class Parameters:
    """A model's numbers of weights (not bytes), and its FLOPs of attention.

    Attributes:
        total: all weights, including the embedding.
        matmul: weights that multiply one token. Of the routed experts, only active ones count.
        shared: all weights except routed experts and embedding. Every decode step reads these.
        expert: weights of all routed experts.
        experts: number of routed experts in a layer; 0 for a dense model.
        active: number of routed experts that one token uses; 0 for a dense model.
        attention: FLOPs for one pair of query and key (`attention_flops`).
    """

    total: float
    matmul: float
    shared: float
    expert: float
    experts: int
    active: int
    attention: float


def count(config: Config) -> Parameters:
    text = resolved(config)
    found = matrices(text)
    by_role = {role: sum(one.weights for one in found if one.role is role) for role in MatrixRole}
    routed = by_role[MatrixRole.EXPERTS]
    total = sum(by_role.values())
    shared = total - routed - by_role[MatrixRole.EMBEDDING]
    many, active = experts(text), active_experts(text)
    if not routed:
        many = active = 0
    return Parameters(
        total=total,
        matmul=shared + (routed * active / many if many else 0),
        shared=shared,
        expert=routed,
        experts=many,
        active=active,
        attention=attention_flops(config),
    )


def attention_flops(config: Config) -> float:
    """``c_a``: FLOPs for one pair of query and key, summed over the full-attention layers.

    ``c_a = 2 L n_h (d_k + d_v)`` with L layers, n_h query heads and d elements per head. For a
    latent, ``d_k = d_nope + d_rope``.

    - Windows, chunks and linear layers do not count: their FLOPs do not grow quadratically.
    - A layer that reuses the KV cache of another layer counts.
    - Sparse attention counts as dense attention, which is an upper bound.
    - A layer of DeepSeek V4 with n tokens per entry counts as 1/n of a layer.
    """
    text = resolved(config)
    heads = number(text, "num_attention_heads", default=0)
    if is_compressed(text):
        ratios = [ratio for ratio in compress_ratios(text) if ratio]
        return 4.0 * heads * head_width(text) * sum(1.0 / ratio for ratio in ratios)
    full = counted(layer_kinds(text))[LayerKind.FULL]
    if not full:
        return 0.0
    if is_latent(text):
        widths = ("qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")
        return 2.0 * full * heads * sum(number(text, key) for key in widths)
    width = head_width(text)
    if text.kind.startswith("gemma4"):
        width = number(text, "global_head_dim", default=width)
    values = number(text, "v_head_dim", default=width)
    return 2.0 * full * heads * (width + values)
