"""Lists the matrices of a model: name, number of weights, and role.

The list omits norms and biases (below 0.1 %), vision towers, and layers for multi-token prediction.
The names follow Llama checkpoints and quantization configurations, without the prefix `model.`,
such as `layers.0.self_attn.q_proj`.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from membench.thesis.models.architecture import (
    compress_ratios,
    head_width,
    heads_by_layer,
    is_compressed,
    is_latent,
    layer_geometry,
)
from membench.thesis.models.configuration import Config, ModelError, Text, number
from membench.thesis.models.layer_kinds import LayerKind, layer_kinds, reuses_cache
from membench.thesis.models.recurrent_state import STATE_HEADS

_UNGATED = frozenset(
    {"nemotron_h", "nemotron", "phi", "falcon", "gpt2", "gptj", "gpt_neox", "bloom", "mpt", "opt"}
    | {"starcoder2", "persimmon", "gpt_bigcode", "arcee", "apertus"}
)
"""Model types with two matrices per MLP (up and down) instead of three."""


class MatrixRole(StrEnum):
    """The purpose of a matrix, which decides how much of it a decode step reads."""

    LAYER = "layer"
    """A matrix that multiplies every token."""
    EXPERTS = "experts"
    """The matrices of all routed experts of a layer together."""
    ROUTER = "router"
    HEAD = "head"
    EMBEDDING = "embedding"
    """A table from which a step reads one row per token, without a multiplication."""


class WeightMatrix(NamedTuple):
    """One matrix of a model, or several together. ``weights`` is the number of weights."""

    name: str
    role: MatrixRole
    weights: float


def matrices(text: Text) -> list[WeightMatrix]:
    hidden = number(text, "hidden_size")
    kinds = (
        layer_kinds(text)
        if not is_compressed(text)
        else (LayerKind.FULL,) * number(text, "num_hidden_layers")
    )
    found: list[WeightMatrix] = []
    by_layer = heads_by_layer(text, kinds)
    for place, kind in enumerate(kinds):
        under = f"layers.{place}"
        for name, weights in _mixer(text, place, kind, hidden, by_layer[place]):
            found.append(WeightMatrix(f"{under}.{name}", MatrixRole.LAYER, weights))
        if _has_mlp(text, place, kind):
            found += _mlp(text, under, place, hidden)
    vocabulary = hidden * number(text, "vocab_size")
    found.append(WeightMatrix("lm_head", MatrixRole.HEAD, vocabulary))
    if text.get("tie_word_embeddings") is not True:
        found.append(WeightMatrix("embed_tokens", MatrixRole.EMBEDDING, vocabulary))
    own = number(text, "hidden_size_per_layer_input", default=0)
    if own:  # Gemma has an additional embedding for each layer
        rows = number(text, "vocab_size_per_layer_input", "vocab_size")
        found.append(
            WeightMatrix("embed_tokens_per_layer", MatrixRole.EMBEDDING, rows * own * len(kinds))
        )
    return found


def experts(text: Config) -> int:
    """Number of routed experts in a layer; 0 for a dense model."""
    return number(text, "n_routed_experts", "num_local_experts", "num_experts", default=0)


def active_experts(text: Config) -> int:
    """Number of routed experts that each token activates; 0 for a dense model."""
    return number(text, "num_experts_per_tok", default=0) if experts(text) else 0


def _mixer(
    text: Text, place: int, kind: LayerKind, hidden: int, listed: int | None
) -> Iterator[tuple[str, float]]:
    """(name, number of weights) of each matrix of one layer, without the MLP."""
    if is_compressed(text):
        yield from _compressed(text, compress_ratios(text)[place], hidden)
    elif kind in {LayerKind.FULL, LayerKind.WINDOW, LayerKind.CHUNK, LayerKind.BOTH}:
        if is_latent(text):
            yield from _latent(text, hidden)
        else:
            yield from _heads(text, place, kind, hidden, listed)
    if kind in {LayerKind.STATE, LayerKind.BOTH}:
        yield from _state(text, hidden)
    if kind is LayerKind.CONV:
        yield "conv.in_proj", 3 * hidden * hidden
        yield "conv.out_proj", hidden * hidden


def _heads(
    text: Text, place: int, kind: LayerKind, hidden: int, listed: int | None
) -> Iterator[tuple[str, float]]:
    held = LayerKind.FULL if kind is LayerKind.BOTH else kind
    groups, width, values = layer_geometry(text, held, listed)
    heads = number(text, "num_attention_heads")
    step = text.get("attention_other_setting")
    if kind is LayerKind.WINDOW and isinstance(step, dict):
        heads = number(step, "num_attention_heads", default=heads)
    gate = 2 if text.get("attn_output_gate") is True else 1
    yield "self_attn.q_proj", gate * hidden * heads * width
    if not reuses_cache(text, place):
        yield "self_attn.k_proj", hidden * groups * width
        if not (kind is LayerKind.FULL and text.get("attention_k_eq_v") is True):
            yield "self_attn.v_proj", hidden * groups * values
    yield "self_attn.o_proj", heads * values * hidden


def _latent(text: Text, hidden: int) -> Iterator[tuple[str, float]]:
    heads = number(text, "num_attention_heads")
    latent, rotary = number(text, "kv_lora_rank"), number(text, "qk_rope_head_dim")
    key, value = number(text, "qk_nope_head_dim"), number(text, "v_head_dim")
    query = number(text, "q_lora_rank", default=0)
    asked = heads * (key + rotary)
    if query:
        yield "self_attn.q_a_proj", hidden * query
        yield "self_attn.q_b_proj", query * asked
    else:
        yield "self_attn.q_proj", hidden * asked
    yield "self_attn.kv_a_proj_with_mqa", hidden * (latent + rotary)
    yield "self_attn.kv_b_proj", latent * heads * (key + value)
    yield "self_attn.o_proj", heads * value * hidden
    if index := number(text, "index_head_dim", default=0):
        index_heads = number(text, "index_n_heads", default=0)
        yield "self_attn.indexer", query * index_heads * index + hidden * (index + index_heads)


def _compressed(text: Text, ratio: int, hidden: int) -> Iterator[tuple[str, float]]:
    """(name, number of weights) of each attention matrix of one DeepSeek V4 layer.

    ``ratio`` is the number of tokens per compressed entry.
    """
    width, query = head_width(text), number(text, "q_lora_rank")
    wide = number(text, "num_attention_heads") * width
    groups, rank = number(text, "o_groups"), number(text, "o_lora_rank")
    yield "self_attn.q_a_proj", hidden * query
    yield "self_attn.q_b_proj", query * wide
    yield "self_attn.kv_proj", hidden * width
    yield "self_attn.o_a_proj", wide * rank
    yield "self_attn.o_b_proj", groups * rank * hidden
    overlapping = 2 if ratio == 4 else 1
    if ratio:  # 2: a matrix for entries and a matrix for gates
        yield "self_attn.compressor", 2 * overlapping * hidden * width
    if ratio == 4:
        index, heads = number(text, "index_head_dim"), number(text, "index_n_heads")
        yield (
            "self_attn.indexer",
            query * heads * index + hidden * heads + 2 * overlapping * hidden * index,
        )


def _state(text: Text, hidden: int) -> Iterator[tuple[str, float]]:
    if "linear_num_key_heads" in text:
        keys = number(text, "linear_num_key_heads") * number(text, "linear_key_head_dim")
        heads = number(text, "linear_num_value_heads")
        values = heads * number(text, "linear_value_head_dim")
        yield "linear_attn.in_proj_qkv", hidden * (2 * keys + values)
        yield "linear_attn.in_proj_z", hidden * values
        yield "linear_attn.in_proj_ba", 2 * hidden * heads
        yield "linear_attn.out_proj", values * hidden
        return
    own = text.get("linear_attn_config")
    if isinstance(own, dict) or "linear_num_heads" in text:
        part: Config = own if isinstance(own, dict) else {}
        heads = number(part, "num_heads", default=number(text, "linear_num_heads", default=0))
        width = number(part, "head_dim", default=number(text, "linear_head_dim", default=0))
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            yield f"self_attn.{name}", hidden * heads * width
        yield "self_attn.gates", 2 * width * (hidden + heads * width) + hidden * heads
        return
    states = number(text, "mamba_d_state", "ssm_state_size", "state_size", default=0)
    if states:
        yield from _mamba(text, hidden, states)
        return
    if text.kind.startswith("minimax"):
        wide = number(text, "num_attention_heads") * head_width(text)
        yield "self_attn.qkv_proj", 3 * hidden * wide
        yield "self_attn.output_gate", hidden * wide
        yield "self_attn.out_proj", wide * hidden
        return
    raise ModelError(f"the weights of the recurrent layers of '{text.kind}' are unknown")


def _mamba(text: Text, hidden: int, states: int) -> Iterator[tuple[str, float]]:
    heads = number(text, *STATE_HEADS, default=0)
    inner = number(text, "mamba_expand", "expand", default=2) * hidden
    if text.kind in {"mamba", "falcon_mamba", "jamba"} or not heads:
        rank = -(-hidden // 16)
        yield "mamba.in_proj", 2 * hidden * inner
        yield "mamba.x_proj", inner * (rank + 2 * states)
        yield "mamba.dt_proj", rank * inner
        yield "mamba.out_proj", inner * hidden
        return
    if "mamba_head_dim" in text:
        inner = heads * number(text, "mamba_head_dim")
    inner = number(text, "mamba_d_ssm", default=inner)
    groups = number(text, "mamba_n_groups", "mamba_ngroups", "n_groups", default=1)
    yield "mamba.in_proj", hidden * (2 * inner + 2 * groups * states + heads)
    yield "mamba.out_proj", inner * hidden


def _has_mlp(text: Text, place: int, kind: LayerKind) -> bool:
    if text.kind in {"mamba", "mamba2", "falcon_mamba"}:
        return False
    if text.kind == "nemotron_h":
        return kind is LayerKind.NONE
    if text.kind == "zamba2":
        return kind is LayerKind.BOTH
    blocks = text.get("block_configs")
    if isinstance(blocks, list):
        ffn = blocks[place].get("ffn")
        return isinstance(ffn, dict) and ffn.get("no_op") is not True
    return True


def _mlp(text: Text, under: str, place: int, hidden: int) -> Iterator[WeightMatrix]:
    many = 2 if text.kind in _UNGATED else 3
    count = experts(text)
    sparse = count > 0 and _sparse(text, place)
    # Gemma 4 and LongCat have an MLP in addition to experts in one layer.
    gemma = text.get("enable_moe_block") is True
    both = gemma or text.kind == "longcat_flash"
    if not sparse or both:
        wide = _dense_width(text, place, hidden)
        if text.get("use_double_wide_mlp") is True and reuses_cache(text, place):
            wide *= 2  # Gemma 4 E2B
        names = ("gate_proj", "up_proj", "down_proj")[3 - many :]
        for name in names:
            yield WeightMatrix(f"{under}.mlp.{name}", MatrixRole.LAYER, hidden * wide)
    if not sparse:
        return
    width = number(text, "moe_intermediate_size", "intermediate_size")
    latent = number(text, "moe_latent_size", default=0)
    one = many * (latent or hidden) * width
    name = "experts" if gemma else "mlp.experts"
    yield WeightMatrix(f"{under}.{name}", MatrixRole.EXPERTS, count * one)
    yield WeightMatrix(f"{under}.mlp.gate", MatrixRole.ROUTER, hidden * count)
    if latent:
        yield WeightMatrix(f"{under}.mlp.latent_proj", MatrixRole.LAYER, 2 * hidden * latent)
    if shared := _shared_width(text, width):
        yield WeightMatrix(f"{under}.mlp.shared_experts", MatrixRole.LAYER, many * hidden * shared)


def _dense_width(text: Text, place: int, hidden: int) -> int:
    each = text.get("intermediate_size")
    if isinstance(each, list) and place < len(each) and type(each[place]) is int:
        return int(each[place])
    blocks = text.get("block_configs")
    if isinstance(blocks, list):
        factor = blocks[place]["ffn"].get("ffn_mult")
        if isinstance(factor, (int, float)):
            return -(-int(2 * factor * hidden / 3) // 256) * 256
        return number(blocks[place]["ffn"], "intermediate_size")
    keys = ("dense_intermediate_size", "intermediate_size_mlp", "intermediate_size")
    return number(text, *keys, default=4 * hidden if text.kind in _UNGATED else None)


def _shared_width(text: Text, width: int) -> int:
    if "interleave_moe_layer_step" in text:
        return width  # Llama 4 has one shared expert
    shared = number(text, "shared_expert_intermediate_size", default=0)
    return shared or number(text, "n_shared_experts", default=0) * width


def _ernie(text: Text, place: int) -> bool:
    """Whether layer number ``place`` of ERNIE 4.5 has experts.

    The configuration gives the first and the last layer with experts, each as a number or as a list
    of numbers. -1 is the last layer of the model.
    """
    ends = [text.get("moe_layer_start_index"), text.get("moe_layer_end_index", -1)]
    starts, stops = (one if isinstance(one, list) else [one] for one in ends)
    if not (starts and stops and all(type(one) is int for one in (*starts, *stops))):
        raise ModelError(
            "'moe_layer_start_index' and 'moe_layer_end_index' of the model must be whole numbers"
        )
    final = number(text, "num_hidden_layers") - 1
    last = max(final if one == -1 else one for one in stops)
    every = max(number(text, "moe_layer_interval", default=1), 1)
    return bool(min(starts) <= place <= last and (place + 1) % every == 0)


def _sparse(text: Text, place: int) -> bool:
    """Whether layer number ``place`` (from 0) has experts. The model must have experts."""
    if text.kind == "nemotron_h":
        pattern = text.get("hybrid_override_pattern")
        named = text.get("layer_types")
        if pattern is not None:
            return str(pattern)[place : place + 1] == "E"
        return isinstance(named, list) and named[place] == "moe"
    if text.kind == "longcat_flash":
        return place % 2 == 1
    named = text.get("mlp_layer_types")
    if isinstance(named, list) and place < len(named):
        return named[place] not in {"dense", "mlp"}
    if isinstance(flags := text.get("moe_layer_freq"), list) and place < len(flags):
        return bool(flags[place])
    if isinstance(layers := text.get("moe_layers"), list) and layers:
        return place in layers
    return _ernie(text, place) if "moe_layer_start_index" in text else _by_numbers(text, place)


def _by_numbers(text: Text, place: int) -> bool:
    if isinstance(dense := text.get("mlp_only_layers"), list) and place in dense:
        return False
    if place < number(text, "first_k_dense_replace", default=0):
        return False
    if "expert_layer_period" in text:
        period, offset = number(text, "expert_layer_period"), number(text, "expert_layer_offset")
        return place % max(period, 1) == offset
    every = number(text, "interleave_moe_layer_step", "decoder_sparse_step", default=1)
    return (place + 1) % max(every, 1) == 0
