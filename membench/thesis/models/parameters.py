"""Weights and attention FLOPs of a model, counted from its configuration.

Counted are matrices; norms and biases (below 0.1 %) are not. Embedding rows
are looked up, not multiplied, so that only the output head is a product.
"""

from __future__ import annotations

from dataclasses import dataclass

from membench.thesis.models.architecture import (
    Config,
    ModelError,
    head_width,
    layer_kinds,
    number,
    text_part,
)


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Counts of weights (not bytes), and of attention.

    Attributes:
        total: all weights, embedding included.
        matmul: weights that one token is multiplied with (`N_mm`).
        shared: weights that every decode step reads: all but experts and embedding.
        expert: weights of all routed experts.
        experts, active: routed experts of a layer, and how many a token takes; 0 if dense.
        attention: FLOPs of one pair of a query and a key over all layers (`c_a`).
    """

    total: float
    matmul: float
    shared: float
    expert: float
    experts: int
    active: int
    attention: float


def count(config: Config) -> Parameters:
    """The counts of the model of ``config``.

    Raises:
        ModelError: a key is missing, or the weights are of a kind that is not understood.
    """
    text = text_part(config)
    if "compress_ratios" in text:
        raise ModelError("the configuration does not describe all weights of this architecture")
    hidden = number(text, "hidden_size")
    vocabulary = hidden * number(text, "vocab_size")
    experts = number(text, "n_routed_experts", "num_local_experts", "num_experts", default=0)
    active = number(text, "num_experts_per_tok", default=0) if experts else 0
    sparse, dense = _layers(text, experts)
    width = number(text, "moe_intermediate_size", "intermediate_size", default=0)
    wide = number(text, "intermediate_size_mlp", "intermediate_size", default=0)
    one = 3 * hidden * width  # gate, up and down of one expert
    shared = (
        _attention_weights(text, hidden)
        + dense * 3 * hidden * wide
        + sparse * (_shared_experts(text, hidden, one) + hidden * experts)
        + vocabulary
    )
    routed = sparse * experts * one
    tied = text.get("tie_word_embeddings", config.get("tie_word_embeddings")) is True
    return Parameters(
        total=shared + routed + (0 if tied else vocabulary),
        matmul=shared + sparse * active * one,
        shared=shared,
        expert=routed,
        experts=experts,
        active=active,
        attention=attention_flops(text),
    )


def stated(config: Config, total: float, matmul: float) -> Parameters:
    """The counts where a publisher states ``total`` and ``matmul``: the experts are still counted.

    Raises:
        ModelError: a key is missing, or the experts alone are more than what is stated.
    """
    text = text_part(config)
    experts = number(text, "n_routed_experts", default=0)
    active = number(text, "num_experts_per_tok", default=0)
    one = 3 * number(text, "hidden_size") * number(text, "moe_intermediate_size", default=0)
    layers = number(text, "num_hidden_layers")
    routed, taken = layers * experts * one, layers * active * one
    if routed > total or taken > matmul:
        raise ModelError("the experts of the model have more weights than are stated for all of it")
    return Parameters(
        total=total,
        matmul=matmul,
        shared=matmul - taken,
        expert=routed,
        experts=experts,
        active=active,
        attention=attention_flops(text),
    )


def attention_flops(text: Config) -> float:
    """``c_a``: FLOPs of one pair of a query and a key, summed over the full-attention layers.

    ``4 L n_h d_h``, for a latent ``2 L n_h (d_nope + d_rope + d_v)``. Windows,
    chunks and linear layers do not grow with the square and are left out. Sparse
    attention is counted as if it were dense: an upper bound there.
    """
    heads = number(text, "num_attention_heads")
    layers = number(text, "num_hidden_layers")
    if "kv_lora_rank" in text:
        widths = ("qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim")
        return 2.0 * layers * heads * sum(number(text, key) for key in widths)
    ratios = text.get("compress_ratios")
    if isinstance(ratios, list):
        return 4.0 * heads * head_width(text) * sum(1.0 / int(ratio) for ratio in ratios[:layers])
    return 4.0 * layer_kinds(text)["full_attention"] * heads * head_width(text)


def _layers(text: Config, experts: int) -> tuple[int, int]:
    """(layers with experts, layers without)."""
    layers = number(text, "num_hidden_layers")
    if not experts:
        return 0, layers
    dense = number(text, "first_k_dense_replace", default=0)
    sparse = (layers - dense) // max(1, number(text, "interleave_moe_layer_step", default=1))
    return sparse, layers - sparse


def _shared_experts(text: Config, hidden: int, one: int) -> int:
    if "interleave_moe_layer_step" in text:
        return one  # Llama 4: one expert that every token takes
    width = number(text, "shared_expert_intermediate_size", default=0)
    return number(text, "n_shared_experts", default=0) * one + 3 * hidden * width


def _attention_weights(text: Config, hidden: int) -> int:
    heads = number(text, "num_attention_heads")
    if "kv_lora_rank" in text:
        return number(text, "num_hidden_layers") * _latent_weights(text, hidden, heads)
    kinds = layer_kinds(text)
    width = head_width(text)
    groups = number(text, "num_key_value_heads", "num_attention_heads")
    gate = heads if text.get("attn_output_gate") is True else 0
    usual = hidden * width * (2 * heads + 2 * groups + gate)
    linear = 0
    if kinds["linear_attention"]:
        keys = number(text, "linear_num_key_heads") * number(text, "linear_key_head_dim")
        value_heads = number(text, "linear_num_value_heads")
        values = value_heads * number(text, "linear_value_head_dim")
        # q, k, v and the gate in, decay and step of each head in, v out
        linear = hidden * (2 * keys + 3 * values + 2 * value_heads)
    return kinds["linear_attention"] * linear + (kinds.total() - kinds["linear_attention"]) * usual


def _latent_weights(text: Config, hidden: int, heads: int) -> int:
    latent, rotary = number(text, "kv_lora_rank"), number(text, "qk_rope_head_dim")
    key, value = number(text, "qk_nope_head_dim"), number(text, "v_head_dim")
    query = number(text, "q_lora_rank", default=0)
    asked = heads * (key + rotary)
    queries = query * (hidden + asked) if query else hidden * asked
    index = number(text, "index_head_dim", default=0)
    index_heads = number(text, "index_n_heads", default=0)
    return (
        queries
        + hidden * (latent + rotary)
        + latent * heads * (key + value)
        + heads * value * hidden
        + (query * index_heads * index + hidden * (index + index_heads) if index else 0)
    )
