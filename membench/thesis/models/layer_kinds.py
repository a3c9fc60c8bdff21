"""Finds the attention kind of each layer: full attention, a window, a chunk, or a recurrent state.

If a configuration does not list the kinds, the model_type decides: `absent_keys.toml` has one of
these rules for each model_type.

    full                                 every layer attends to the whole context
    window                               every layer has a window
    window from max_window_layers        the layers from this number on have a window
    window if used[, from ...]           like "window", but only if use_sliding_window is true
    full last of N, full first of N      one of N layers is "full", the other layers have a window
    chunked, full last of N              one of N layers is "full", the other layers have a chunk
    linear, full last of N               one of N layers is "full", the other layers are recurrent
                                         (also "full first of N, linear")
    own                                  `_own` has a rule for this model_type

A layer whose window or chunk has no size in the configuration has full attention. A key such as
'full_attention_interval' replaces N.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

from membench.thesis.models.configuration import (
    LAYERS,
    Config,
    ModelError,
    Text,
    absent_keys,
    number,
    resolved,
)


class LayerKind(StrEnum):
    """The content that a layer stores for a context: all tokens, a window, a state, or nothing."""

    FULL = "full_attention"
    WINDOW = "sliding_attention"
    CHUNK = "chunked_attention"
    STATE = "linear_attention"
    BOTH = "hybrid"
    """Full attention and a recurrent state in one layer."""
    CONV = "conv"
    NONE = "mlp"
    """A layer without attention and state, such as an MLP."""


_NAMES: dict[str, LayerKind] = {
    **{kind.value: kind for kind in LayerKind},
    **dict.fromkeys(("attention", "global", "global_attention", "full", "*"), LayerKind.FULL),
    **dict.fromkeys(("indexed_attention", "deepseek_sparse_attention"), LayerKind.FULL),
    **dict.fromkeys(("minimax_m3_sparse", "sparse_attention", "dense_attention"), LayerKind.FULL),
    **dict.fromkeys(("sliding_window_attention", "local_attention", "local"), LayerKind.WINDOW),
    **dict.fromkeys(("mamba", "mamba2", "recurrent", "linear", "kda", "gdn", "M"), LayerKind.STATE),
    "chunked": LayerKind.CHUNK,
    **dict.fromkeys(("moe", "E", "-", "dense"), LayerKind.NONE),
    "short_conv": LayerKind.CONV,
}
# Parts of keys that define layer kinds in a way that membench does not support.
_STRANGE = (
    *("mamba", "ssm", "lru", "rwkv", "compress", "cross_attention", "recurrent", "linear_num"),
    *("layer_group_size", "linear_attn", "linear_rope", "linear_silu", "lightning", "delta_rule"),
    *("attn_layer_period", "kv_share", "share_kv", "cache_layer"),
)


_MOST_LAYERS = 10_000
"""Maximum number of layers; Llama 3.1 405B has 126."""


def layer_count(text: Config) -> int:
    """Number of layers in the configuration. A LongCat layer counts twice (two attentions)."""
    layers = number(text, "num_hidden_layers")
    if isinstance(text, Text) and text.kind == "longcat_flash" and "num_layers" in text:
        layers = 2 * number(text, "num_layers")
    if layers > _MOST_LAYERS:
        raise ModelError(
            f"{layers} layers exceed the limit of {_MOST_LAYERS}",
            "check the number of layers in the configuration",
        )
    return layers


def layer_kinds(config: Config) -> tuple[LayerKind, ...]:
    """The kind of each layer of the model, from the first layer to the last."""
    text = resolved(config)
    found = _named(text)
    return _by_rule(text) if found is None else found


def stored_kinds(config: Config) -> tuple[LayerKind, ...]:
    """`layer_kinds`, with `NONE` for each layer that stores nothing (`reuses_cache`)."""
    text = resolved(config)
    return tuple(
        LayerKind.NONE if reuses_cache(text, place) else kind
        for place, kind in enumerate(layer_kinds(text))
    )


def reuses_cache(text: Config, place: int) -> bool:
    """Whether layer number ``place`` (from 0) attends to the KV cache of an earlier layer.

    Such a layer computes neither K nor V. In Gemma, these are the last ``num_kv_shared_layers``
    layers. In Hunyuan with ``use_cla``, only the first of every ``cla_share_factor`` layers has its
    own cache.
    """
    if shared := number(text, "num_kv_shared_layers", default=0):
        layers = layer_count(text)
        if shared >= layers:
            raise ModelError(
                f"{shared} of {layers} layers reuse the KV cache of an earlier layer",
                "use a 'num_kv_shared_layers' below 'num_hidden_layers'",
            )
        return place >= layers - shared
    factor = number(text, "cla_share_factor", default=1) if text.get("use_cla") is True else 1
    return factor > 1 and place % factor > 0


def counted(kinds: Iterable[LayerKind]) -> Counter[LayerKind]:
    """The number of layers of each kind.

    A layer of the kind `BOTH` adds one to `FULL` and one to `STATE`.
    """
    counts = Counter(kinds)
    both = counts.pop(LayerKind.BOTH, 0)
    counts[LayerKind.FULL] += both
    counts[LayerKind.STATE] += both
    return counts


def _named(text: Text) -> tuple[LayerKind, ...] | None:
    """The kinds from a list or a pattern in ``text``; None if ``text`` has neither."""
    layers = layer_count(text)
    if (pattern := text.get("hybrid_override_pattern")) is not None:
        return _of_names(text, "hybrid_override_pattern", [*str(pattern)], len(str(pattern)))
    if isinstance(named := text.get("layer_types"), list):
        found = _of_names(text, "layer_types", named, layers)
        if text.kind.startswith("gemma4") and found and found[-1] is LayerKind.WINDOW:
            return (*found[:-1], LayerKind.FULL)
        return found
    if named is not None and "layer_types" in text:
        raise ModelError("'layer_types' of the model must be a list")
    return next((kinds for read in _READERS if (kinds := read(text, layers)) is not None), None)


def _of_zeros_and_ones(text: Text, layers: int) -> tuple[LayerKind, ...] | None:
    for key, zero, other in (
        ("hybrid_layer_pattern", LayerKind.FULL, LayerKind.WINDOW),  # MiMo V2
        ("attn_type_list", LayerKind.STATE, LayerKind.FULL),  # MiniMax 01
        ("no_rope_layers", LayerKind.FULL, LayerKind.CHUNK),  # Llama 4
    ):
        flags = text.get(key)
        if isinstance(flags, list) and flags and (other is not LayerKind.CHUNK or _chunk(text)):
            return _of_flags(key, flags, layers, zero, other)
    return None


def _of_places(text: Text, layers: int) -> tuple[LayerKind, ...] | None:
    """The kinds from lists of layer numbers, which start at 0 (Kimi: at 1); None without a list."""
    linear = text.get("linear_attn_config")
    if isinstance(linear, dict) and isinstance(linear.get("kda_layers"), list):
        states = linear["kda_layers"]
        return tuple(
            LayerKind.STATE if place + 1 in states else LayerKind.FULL for place in range(layers)
        )
    for key, other in (("attn_layer_indices", LayerKind.STATE), ("full_attn_idxs", LayerKind.CONV)):
        if isinstance(places := text.get(key), list):
            return tuple(LayerKind.FULL if place in places else other for place in range(layers))
    return None


def _of_cycle(text: Text, layers: int) -> tuple[LayerKind, ...] | None:
    """The kinds from the repeated list 'block_types' (RecurrentGemma); None without a list.

    In RecurrentGemma, attention always has a window.
    """
    cycle = text.get("block_types")
    if not isinstance(cycle, list) or not cycle:
        return None
    repeated = [cycle[place % len(cycle)] for place in range(layers)]
    kinds = _of_names(text, "block_types", repeated, layers)
    return tuple(LayerKind.WINDOW if kind is LayerKind.FULL else kind for kind in kinds)


def _of_blocks(text: Text, layers: int) -> tuple[LayerKind, ...] | None:
    blocks = text.get("block_configs")
    if not isinstance(blocks, list):
        return None
    if len(blocks) != layers:
        raise ModelError(
            f"'block_configs' of the model must have one entry for each of {layers} layers"
        )
    return tuple(map(_of_block, blocks))


_READERS = (_of_zeros_and_ones, _of_places, _of_cycle, _of_blocks)


def _of_block(block: Any) -> LayerKind:
    """The kind of a layer from its entry in 'block_configs' (Nemotron NAS)."""
    attention = block.get("attention") if isinstance(block, dict) else None
    if not isinstance(attention, dict):
        raise ModelError("'block_configs' of the model has a layer without 'attention'")
    gone = attention.get("no_op") is True or attention.get("replace_with_linear") is True
    return LayerKind.NONE if gone else LayerKind.FULL


def _of_names(text: Text, key: str, names: Sequence[Any], layers: int) -> tuple[LayerKind, ...]:
    spare = number(text, "num_nextn_predict_layers", default=0)
    if not names:
        raise ModelError(f"'{key}' of the model is empty")
    if len(names) not in {layers, layers + spare}:
        raise ModelError(f"'{key}' of the model must have one entry for each of {layers} layers")
    words = [str(name) for name in names[:layers]]
    if unknown := set(words) - set(_NAMES):
        raise ModelError(f"'{key}' of the model has the unknown layer kind '{min(unknown)}'")
    return tuple(_NAMES[word] for word in words)


def _of_flags(
    key: str, flags: Sequence[Any], layers: int, zero: LayerKind, other: LayerKind
) -> tuple[LayerKind, ...]:
    if len(flags) < layers or set(map(str, flags)) - {"0", "1"}:
        raise ModelError(f"'{key}' of the model must have a 0 or 1 for each of {layers} layers")
    return tuple(other if flag else zero for flag in flags[:layers])


def _by_rule(text: Text) -> tuple[LayerKind, ...]:
    layers = layer_count(text)
    rule = str(absent_keys()[text.kind][LAYERS]) if text.known else _rule_of_keys(text)
    if rule == "own":
        return _own(text, layers)
    window = number(text, "sliding_window", default=0)
    if rule.startswith("window"):
        begin = number(text, "max_window_layers", default=0) if "max_window" in rule else 0
        slides = window and ("if used" not in rule or text.get("use_sliding_window") is True)
        return tuple(
            LayerKind.WINDOW if slides and place >= begin else LayerKind.FULL
            for place in range(layers)
        )
    if " of " not in rule:
        return (LayerKind.FULL,) * layers
    other = LayerKind.WINDOW
    if "linear" in rule:
        other = LayerKind.STATE
    elif "chunked" in rule:
        other = LayerKind.CHUNK
    if (other is LayerKind.WINDOW and not window) or (
        other is LayerKind.CHUNK and not _chunk(text)
    ):
        return (LayerKind.FULL,) * layers
    default = int(rule.split(" of ")[1].split(",")[0])
    return _every(text, layers, _interval(text, default), other, first="first" in rule)


def _every(
    text: Text, layers: int, interval: int, other: LayerKind, *, first: bool
) -> tuple[LayerKind, ...]:
    if not interval:
        return (other,) * layers
    place_of_full = 0 if first else interval - 1
    found = [
        LayerKind.FULL if place % interval == place_of_full else other for place in range(layers)
    ]
    if text.kind.startswith("gemma4") and found:
        found[-1] = LayerKind.FULL
    return tuple(found)


def _interval(text: Text, default: int) -> int:
    """The N of the rule "one of N layers has full attention"; ``default`` if ``text`` has none."""
    keys = ("full_attention_interval", "sliding_window_pattern", "no_rope_layer_interval")
    for key in (*keys, "global_attn_every_n_layers"):
        value = text.get(key)
        if isinstance(value, str) and set(value) <= {"L", "G"} and value.endswith("G"):
            return len(value)  # EXAONE has a pattern such as LLLG
        if value is not None and key in text:
            return number(text, key)
    return default


def _chunk(text: Config) -> int:
    return number(text, "attention_chunk_size", default=0)


def _rule_of_keys(text: Text) -> str:
    """The rule (see the module) for an unknown model_type, from the keys of ``text``."""
    strange = [
        key
        for key, value in text.items()
        if value not in (None, 0, False, [], {}) and any(word in key for word in _STRANGE)
    ]
    if strange:
        raise ModelError(
            f"unknown architecture '{text.kind}' with the unsupported key '{min(strange)}'",
            "use a known model with the same KV cache, or a newer membench",
        )
    if number(text, "full_attention_interval", default=0):
        raise ModelError(
            f"unknown architecture '{text.kind}' without a list of layer kinds",
            "add 'layer_types' to the configuration",
        )
    if not number(text, "sliding_window", default=0) or text.get("use_sliding_window") is False:
        return "full"
    if number(text, "sliding_window_pattern", default=0):
        return "full last of 1"
    raise ModelError(
        f"unknown architecture '{text.kind}': the configuration does not define which layers have "
        f"the 'sliding_window' of {text['sliding_window']} tokens",
        "add 'layer_types' to the configuration",
    )


def _own(text: Text, layers: int) -> tuple[LayerKind, ...]:
    places = range(layers)
    if text.kind == "jamba":
        period, offset = number(text, "attn_layer_period"), number(text, "attn_layer_offset")
        if not period:
            raise ModelError("'attn_layer_period' of the model must not be 0")
        return tuple(
            LayerKind.FULL if place % period == offset else LayerKind.STATE for place in places
        )
    if text.kind in {"mamba", "mamba2", "falcon_mamba", "bamba", "granitemoehybrid"}:
        return (LayerKind.STATE,) * layers
    if text.kind == "falcon_h1":
        return (LayerKind.BOTH,) * layers
    if text.kind in {"lfm2", "lfm2_moe"}:
        return (LayerKind.FULL,) * layers
    if text.kind == "recurrent_gemma":
        return tuple(LayerKind.WINDOW if place % 3 == 2 else LayerKind.STATE for place in places)
    if text.kind == "mimo_v2_flash":
        return tuple(
            LayerKind.FULL if not place or place % 6 == 5 else LayerKind.WINDOW for place in places
        )
    if text.kind == "kimi_linear":
        return tuple(
            LayerKind.FULL if place and place % 4 == 0 else LayerKind.STATE for place in places
        )
    if text.kind == "bailing_hybrid":
        group = number(text, "layer_group_size")
        return tuple(
            LayerKind.FULL if group and (place + 1) % group == 0 else LayerKind.STATE
            for place in places
        )
    raise ModelError(
        f"the configuration does not define which layers of '{text.kind}' have attention",
        "use the published config.json, which has 'layer_types' or a pattern",
    )
