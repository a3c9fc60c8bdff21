"""Computes the KV shape of a model from its `config.json` (Hugging Face's format).

A configuration that does not define the KV cache is an error, because a guess could be wrong by a
large factor.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from membench.thesis.models.configuration import Config, ModelError, Text, number, resolved
from membench.thesis.models.kv_shape import KvShape, LayerGroup, LayerRole
from membench.thesis.models.layer_kinds import LayerKind, counted, layer_count, stored_kinds
from membench.thesis.models.recurrent_state import convolution_bytes, state_bytes

_GROWS = (LayerKind.FULL, LayerKind.WINDOW, LayerKind.CHUNK)
_RATIOS = {
    "compressed_sparse_attention": 4,
    "heavily_compressed_attention": 128,
    "sliding_attention": 0,
}
_INDEXED_RATIO = 4
_INDEX_ELEMENT = 1  # DeepSeek's sparse attention stores the index in FP8, for any KV type


def shape_of(config: Config) -> KvShape:
    """The KV shape of the model that ``config`` describes.

    Raises:
        ModelError: the configuration does not define the KV cache, or the model has no KV cache.
    """
    text = resolved(config)
    if is_compressed(text):
        return KvShape(groups=_compressed(text))
    kinds = stored_kinds(text)
    counts = counted(kinds)
    groups = _latent(text, kinds) if is_latent(text) else _heads(text, kinds)
    state = counts[LayerKind.STATE] * state_bytes(text) if counts[LayerKind.STATE] else 0
    state += counts[LayerKind.CONV] * convolution_bytes(text) if counts[LayerKind.CONV] else 0
    if not (groups or state):
        raise ModelError("the model has no KV cache: no layer stores keys and values, or a state")
    return KvShape(
        groups=groups,
        state_bytes=state,
        state_layers=counts[LayerKind.STATE] + counts[LayerKind.CONV],
    )


def is_latent(text: Config) -> bool:
    """Whether attention stores one latent vector per token (MLA) instead of K and V."""
    return bool(number(text, "kv_lora_rank", default=0))


def is_compressed(text: Text) -> bool:
    """Whether the KV cache has one entry for several tokens (DeepSeek V4)."""
    return text.kind == "deepseek_v4" or "compress_ratios" in text


def head_width(config: Config) -> int:
    """Number of elements of K per attention head."""
    return number(resolved(config), "head_dim")


def kv_heads(text: Text) -> int:
    """The usual number of KV heads per layer. `layer_geometry` handles the exceptions."""
    heads = number(text, "num_attention_heads")
    if not heads:
        raise ModelError("'num_attention_heads' of the model must not be 0")
    if text.kind == "falcon":
        if text.get("new_decoder_architecture") is not True:
            return 1 if text.get("multi_query") is True else heads
        return number(text, "num_kv_heads", "num_key_value_heads")
    if text.kind == "gpt_bigcode" and text.get("multi_query") is False:
        return heads
    if text.get("multi_query_attention") is False and text.kind == "chatglm":
        return heads
    found = number(text, "num_key_value_heads")
    if not found or heads % found:
        raise ModelError(
            f"{heads} attention heads cannot be divided evenly among {found} KV heads",
            "see 'num_attention_heads' and 'num_key_value_heads' of the configuration",
        )
    return found


def _heads(text: Text, kinds: tuple[LayerKind, ...]) -> tuple[LayerGroup, ...]:
    found: Counter[tuple[LayerKind, int, int, int, int]] = Counter()
    by_layer = heads_by_layer(text, kinds)
    for place, kind in enumerate(kinds):
        held = LayerKind.FULL if kind is LayerKind.BOTH else kind
        if held in _GROWS:
            heads, width, values = layer_geometry(text, held, by_layer[place])
            found[held, heads, width, values, _window(text, held)] += 1
    order = sorted(found, key=lambda one: _GROWS.index(one[0]))
    groups = [
        LayerGroup(
            layers=found[one],
            heads=one[1],
            width=one[2],
            value_width=0 if one[3] == one[2] else one[3],
            window=one[4],
        )
        for one in order
    ]
    if any(not group.heads or not group.width for group in groups):
        raise ModelError("the model has no KV cache: a number of heads or a head width is 0")
    return (*groups, *_sparse_index(text, kinds))


def layer_geometry(text: Text, kind: LayerKind, listed: int | None) -> tuple[int, int, int]:
    """(number of KV heads, elements of K per head, elements of V per head) of a ``kind`` layer.

    ``listed`` is the layer's entry of `heads_by_layer`, which may be None.
    """
    heads, width = kv_heads(text) if listed is None else listed, head_width(text)
    values = number(text, "v_head_dim", default=width)
    if kind is LayerKind.WINDOW:  # window layers of MiMo V2 and Step have another number of heads
        other = text.get("attention_other_setting")
        step: Config = other if isinstance(other, dict) else {}
        heads = number(
            text,
            "swa_num_key_value_heads",
            default=number(step, "num_attention_groups", default=heads),
        )
        width = number(text, "swa_head_dim", default=width)
        values = number(text, "swa_v_head_dim", default=values)
    if kind is LayerKind.FULL and text.kind.startswith("gemma4"):
        if text.get("attention_k_eq_v") is True:
            heads = number(text, "num_global_key_value_heads", default=heads)
        width = values = number(text, "global_head_dim", default=width)
    return heads if listed is None else listed, width, values


def heads_by_layer(text: Text, kinds: tuple[LayerKind, ...]) -> Sequence[int | None]:
    """The number of KV heads of each layer; None for each layer if ``text`` has no such list.

    Nemotron NAS, DeciLM and OpenELM have a list.
    """
    if isinstance(blocks := text.get("block_configs"), list):
        heads = number(text, "num_attention_heads")
        found: list[int | None] = []
        for block, kind in zip(blocks, kinds, strict=True):
            shared = number(block["attention"], "n_heads_in_group") if kind is LayerKind.FULL else 1
            found.append(heads // max(shared, 1))
        return found
    for key in ("num_key_value_heads_per_layer", "num_key_value_heads", "num_kv_heads"):
        named = text.get(key)
        if isinstance(named, list):
            if len(named) != len(kinds) or not all(type(one) is int and one >= 0 for one in named):
                raise ModelError(
                    f"'{key}' of the model does not have one whole number for each of "
                    f"{len(kinds)} layers"
                )
            return named
    return [None] * len(kinds)


def _window(text: Text, kind: LayerKind) -> int:
    if kind is LayerKind.FULL:
        return 0
    key = "sliding_window" if kind is LayerKind.WINDOW else "attention_chunk_size"
    window = number(text, key, default=0)
    if not window:
        raise ModelError(f"the model has layers of the kind '{kind}', but no '{key}'")
    return window


def _sparse_index(text: Text, kinds: tuple[LayerKind, ...]) -> tuple[LayerGroup, ...]:
    """The layer group for the index keys of block-sparse attention (MiniMax M3), or no group."""
    width = number(text, "index_head_dim", default=0)
    frequency = text.get("sparse_attention_freq")
    if not width or text.get("use_sparse_attention") is False:
        return ()
    layers = sum(kind is LayerKind.FULL for kind in kinds)
    if isinstance(frequency, list):
        layers = sum(bool(flag) for flag in frequency[: len(kinds)])
    elif text.kind.startswith("minimax_m3"):
        return ()
    return (LayerGroup(layers=layers, heads=1, width=width, parts=1, role=LayerRole.INDEX),)


def _latent(text: Text, kinds: tuple[LayerKind, ...]) -> tuple[LayerGroup, ...]:
    layers = sum(kind in _GROWS for kind in kinds)
    rotary = number(text, "qk_rope_head_dim")
    width = number(text, "kv_lora_rank") + rotary
    if not layers:
        return ()
    latent = LayerGroup(layers=layers, heads=1, width=width, rotary=rotary, parts=1)
    index = number(text, "index_head_dim", default=0)
    indexed = _indexed(text, kinds) if index else 0
    if not indexed:
        return (latent,)
    return (latent, _index(indexed, index))


def _indexed(text: Text, kinds: tuple[LayerKind, ...]) -> int:
    """The number of latent layers that store an index. The others use an earlier layer's index."""
    attends = [place for place, kind in enumerate(kinds) if kind in _GROWS]
    named = text.get("indexer_types")
    pattern = text.get("index_topk_pattern")
    if isinstance(pattern, str):
        pattern = [*pattern]
    given = named if isinstance(named, list) else pattern
    if isinstance(given, list):
        words = [{"F": "full", "S": "shared"}.get(str(word), str(word)) for word in given]
        if len(words) < len(kinds) or set(words) - {"full", "shared"}:
            key = "indexer_types" if isinstance(named, list) else "index_topk_pattern"
            raise ModelError(
                f"'{key}' of the model must be full (F) or shared (S) for each of "
                f"{len(kinds)} layers"
            )
        return sum(words[place] == "full" for place in attends)
    frequency = max(number(text, "index_topk_freq", default=1), 1)
    offset = number(text, "index_skip_topk_offset", default=2)
    return sum(max(place - offset + 1, 0) % frequency == 0 for place in attends)


def _index(layers: int, width: int) -> LayerGroup:
    return LayerGroup(
        layers=layers,
        heads=1,
        width=width,
        parts=1,
        element_bytes=_INDEX_ELEMENT,
        role=LayerRole.INDEX,
    )


def compress_ratios(text: Text) -> list[int]:
    """Tokens per compressed KV entry, for each layer; 0 for a layer with only a sliding window."""
    layers = layer_count(text)
    named = text.get("compress_ratios")
    if named is None and isinstance(kinds := text.get("layer_types"), list):
        rates = text.get("compress_rates")
        own = rates if isinstance(rates, dict) else {}
        named = [own.get(str(kind), _RATIOS.get(str(kind))) for kind in kinds]
    whole = [ratio for ratio in named if type(ratio) is int] if isinstance(named, list) else []
    found = whole[:layers]
    if len(found) != layers or not isinstance(named, list) or len(whole) != len(named):
        raise ModelError(
            "'compress_ratios' of the model does not have one whole number for each of "
            f"{layers} layers"
        )
    if min(found, default=0) < 0:
        raise ModelError("'compress_ratios' of the model has a number below 0")
    return found


def _compressed(text: Text) -> tuple[LayerGroup, ...]:
    """The layer groups of DeepSeek V4.

    A layer with a ratio above 0 stores one latent per ``ratio`` tokens. If the model has an index,
    each layer with ratio 4 also stores index keys. If the model has a window, each layer also
    stores the tokens in the window uncompressed.
    """
    ratios = Counter(compress_ratios(text))
    layers = ratios.total()
    width, rotary = number(text, "head_dim"), number(text, "qk_rope_head_dim", default=0)
    if not layers or not width:
        raise ModelError(
            "the model has no KV cache, because 'head_dim' or the number of layers is 0"
        )

    def latents(count: int, *, every: int = 1, window: int = 0) -> LayerGroup:
        return LayerGroup(
            layers=count,
            heads=1,
            width=width,
            rotary=rotary,
            parts=1,
            every=every,
            window=window,
            compressed=True,
        )

    groups = [latents(count, every=ratio) for ratio, count in sorted(ratios.items()) if ratio]
    index = number(text, "index_head_dim", default=0)
    if index and ratios[_INDEXED_RATIO]:
        groups.append(
            LayerGroup(
                layers=ratios[_INDEXED_RATIO],
                heads=1,
                width=index,
                parts=1,
                every=_INDEXED_RATIO,
                compressed=True,
                role=LayerRole.INDEX,
            )
        )
    window = number(text, "sliding_window", default=0)
    if window:
        groups.append(latents(layers, window=window))
    elif ratios[0]:
        raise ModelError(
            "the model has layers with sliding-window attention, but no 'sliding_window'"
        )
    return tuple(groups)
