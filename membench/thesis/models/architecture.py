"""The KV shape of a model from its `config.json`, in the form of Hugging Face.

Only architectures whose cache is understood are accepted: a shape that is
guessed would be wrong by factors, and nobody would see it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from membench.core.errors import MembenchError
from membench.thesis.models.kv_shape import KvShape, LayerGroup, Role

Config = Mapping[str, Any]

_PLAIN = frozenset(
    {"llama", "mistral", "mixtral", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "phi3", "granite"}
    | {"glm4", "glm4_moe", "olmo2", "gpt_oss", "gemma3_text", "llama4_text", "llama4"}
    | {"qwen3_next", "qwen3_5_text", "qwen3_5_moe_text"}
)
_LATENT = frozenset({"deepseek_v2", "deepseek_v3", "deepseek_v32", "kimi_k2", "glm_moe_dsa"})
_COMPRESSED = frozenset({"deepseek_v4"})
KNOWN = _PLAIN | _LATENT | _COMPRESSED

_FULL = "full_attention"
_SLIDING = "sliding_attention"
_CHUNKED = "chunked_attention"
_LINEAR = "linear_attention"
_FLOAT32 = 4
_HALF = 2


class ModelError(MembenchError):
    """A model that is not known, or a configuration that cannot be understood."""


def text_part(config: Config) -> Config:
    """The part of ``config`` that describes the language model."""
    inner = config.get("text_config")
    return inner if isinstance(inner, Mapping) else config


def shape_of(config: Config) -> KvShape:
    """What the model of ``config`` keeps.

    Raises:
        ModelError: an architecture that is not known, or a key that is missing or no number.
    """
    text = text_part(config)
    kind = str(text.get("model_type") or config.get("model_type") or "")
    if kind in _LATENT:
        return KvShape(groups=_latent(text))
    if kind in _COMPRESSED:
        return KvShape(groups=_compressed(text))
    if kind in _PLAIN:
        return _plain(text)
    raise ModelError(
        f"the architecture '{kind}' is not known" if kind else "the model has no 'model_type'",
        f"known are {', '.join(sorted(KNOWN))}",
    )


def number(config: Config, *keys: str, default: int | None = None) -> int:
    """The first of ``keys`` that ``config`` has, a whole number of 0 or more."""
    for key in keys:
        value = config.get(key)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**40:
            raise ModelError(f"'{key}' of the model must be a whole number of 0 or more")
        return value
    if default is None:
        raise ModelError(f"the model has no '{keys[0]}'")
    return default


def head_width(config: Config) -> int:
    """Elements of one attention head."""
    heads = number(config, "num_attention_heads")
    if not heads:
        raise ModelError("'num_attention_heads' of the model must not be 0")
    return number(config, "head_dim", default=number(config, "hidden_size", default=0) // heads)


def layer_kinds(config: Config) -> Counter[str]:
    """How many layers attend to all, to a window, to a chunk or linearly."""
    layers = number(config, "num_hidden_layers")
    named = config.get("layer_types")
    if named is not None:
        kinds = Counter(map(str, named if isinstance(named, list) else ()))
        if kinds.total() != layers:
            raise ModelError(f"'layer_types' of the model does not name its {layers} layers")
        if unknown := set(kinds) - {_FULL, _SLIDING, _CHUNKED, _LINEAR}:
            raise ModelError(f"layers of the kind '{min(unknown)}' are not known")
        return kinds
    if interval := number(config, "full_attention_interval", default=0):
        return _every(layers, interval, _LINEAR)
    if number(config, "attention_chunk_size", default=0):
        # Llama 4 gives every fourth layer no positions and all tokens.
        return _every(layers, number(config, "no_rope_layer_interval", default=4), _CHUNKED)
    if (
        number(config, "sliding_window", default=0)
        and config.get("use_sliding_window") is not False
    ):
        pattern = number(config, "sliding_window_pattern", default=0)
        return _every(layers, pattern, _SLIDING) if pattern else Counter({_SLIDING: layers})
    return Counter({_FULL: layers})


def _every(layers: int, interval: int, other: str) -> Counter[str]:
    if not interval:
        return Counter({other: layers})
    return Counter({_FULL: layers // interval, other: layers - layers // interval})


def _plain(config: Config) -> KvShape:
    kinds = layer_kinds(config)
    heads = number(config, "num_key_value_heads", "num_attention_heads")
    width = head_width(config)
    windows = {
        _FULL: 0,
        _SLIDING: number(config, "sliding_window", default=0),
        _CHUNKED: number(config, "attention_chunk_size", default=0),
    }
    groups = []
    for kind, window in windows.items():
        if not kinds[kind]:
            continue
        if kind != _FULL and not window:
            raise ModelError(f"the model has layers of the kind '{kind}', but no size for them")
        groups.append(LayerGroup(layers=kinds[kind], heads=heads, width=width, window=window))
    state = kinds[_LINEAR] * _linear_state(config) if kinds[_LINEAR] else 0
    if not heads or not width or not (groups or state):
        raise ModelError("the model keeps nothing: a head count, a width or the layers are 0")
    return KvShape(groups=tuple(groups), state_bytes=state)


def _linear_state(config: Config) -> int:
    """Bytes of one layer of gated delta rule: its matrices (float32) and its convolution's tail."""
    keys = number(config, "linear_num_key_heads") * number(config, "linear_key_head_dim")
    value_heads = number(config, "linear_num_value_heads")
    values = value_heads * number(config, "linear_value_head_dim")
    matrices = values * number(config, "linear_key_head_dim") * _FLOAT32
    tail = (2 * keys + values) * (number(config, "linear_conv_kernel_dim") - 1) * _HALF
    return matrices + tail


def _latent(config: Config) -> tuple[LayerGroup, ...]:
    layers = number(config, "num_hidden_layers")
    width = number(config, "kv_lora_rank") + number(config, "qk_rope_head_dim")
    if not layers or not width:
        raise ModelError("the model keeps nothing: its latent's width or its layers are 0")
    latent = LayerGroup(layers=layers, heads=1, width=width, parts=1)
    index = number(config, "index_head_dim", default=0)
    if not index:
        return (latent,)
    # The indexer of DeepSeek sparse attention keeps one key a token and layer, in fp8.
    return (
        latent,
        LayerGroup(layers=layers, heads=1, width=index, parts=1, element_bytes=1, role=Role.INDEX),
    )


def _compressed(config: Config) -> tuple[LayerGroup, ...]:
    """DeepSeek V4: a latent for `ratio` tokens, the last ones as they are, an index at ratio 4."""
    layers = number(config, "num_hidden_layers")
    named = config.get("compress_ratios")
    whole = [ratio for ratio in named if type(ratio) is int] if isinstance(named, list) else []
    ratios = Counter(whole[:layers])
    if ratios.total() != layers or min(ratios, default=0) < 1:
        raise ModelError(
            f"'compress_ratios' of the model does not give its {layers} layers one each"
        )
    width = number(config, "head_dim")
    groups = [
        LayerGroup(layers=count, heads=1, width=width, parts=1, every=ratio)
        for ratio, count in sorted(ratios.items())
    ]
    index = number(config, "index_head_dim", default=0)
    if index and ratios[4]:
        groups.append(
            LayerGroup(layers=ratios[4], heads=1, width=index, parts=1, every=4, role=Role.INDEX)
        )
    window = number(config, "sliding_window", default=0)
    if window:
        groups.append(LayerGroup(layers=layers, heads=1, width=width, parts=1, window=window))
    return tuple(groups)
