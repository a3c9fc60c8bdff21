"""Reads the language model in a `config.json`, and fills in absent keys.

`absent_keys.toml` has the defaults of each known `model_type`. For example, `mixtral` without
`num_key_value_heads` has 8 KV heads. An unknown type has one default, as in vLLM: a head has
``hidden_size / num_attention_heads`` elements.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from membench.core.errors import MembenchError

Config = Mapping[str, Any]

LAYERS = "layers"
"""The key in `absent_keys.toml` that gives the attention kind of each layer."""
_PARTS = ("text_config", "language_config", "llm_config", "thinker_config")
_MOST_NESTED = 4
_ANY: Mapping[str, Any] = {"head_dim": "hidden_size / num_attention_heads"}
# Key that membench uses -> alternative spellings in configurations.
_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "num_hidden_layers": ("n_layer", "n_layers", "num_layers", "num_transformer_layers"),
    "num_attention_heads": ("n_head", "n_heads"),
    "hidden_size": ("n_embd", "n_embed", "d_model", "model_dim"),
    "num_key_value_heads": (
        *("num_kv_heads", "n_head_kv", "num_attention_groups", "multi_query_group_num"),
        *("kv_n_heads", "num_query_groups"),
    ),
    "head_dim": ("attention_head_dim", "kv_channels", "head_size"),
    "vocab_size": ("padded_vocab_size",),
    "intermediate_size": ("ffn_hidden_size", "ffn_dim", "n_inner"),
    "sliding_window": ("attention_window_size",),
    "layer_types": ("layers_block_type",),
    "n_shared_experts": ("num_shared_experts", "num_shared_expert"),
    "num_experts_per_tok": ("num_experts_per_token", "moe_top_k", "moe_topk", "top_k_experts"),
    "moe_intermediate_size": ("expert_ffn_hidden_size",),
    "n_routed_experts": ("num_local_experts", "num_experts", "moe_num_experts"),
    "shared_expert_intermediate_size": (
        *("share_expert_dim", "moe_shared_expert_intermediate_size"),
        "shared_intermediate_size",
    ),
    "index_head_dim": ("indexer_head_dim",),
}
_BY_LAYER = frozenset(
    ("n_routed_experts", "n_shared_experts", "num_experts_per_tok", "moe_intermediate_size")
)
"""Keys for which Hunyuan gives a list: one entry per layer, all entries equal."""
_NESTED = ("attn_config", "sparse_attention_config")
_INDEX = {"sparse_index_dim": "index_head_dim", "sparse_num_index_heads": "index_n_heads"}


class ModelError(MembenchError):
    """A model's configuration is missing, invalid or not supported.

    Each function that reads a configuration can raise this error.
    """

    usual_hint = "use the published config.json of the model"


class Text(dict[str, Any]):
    """The configuration of a language model, with absent keys filled in.

    Attributes:
        kind: the model_type.
        known: whether `absent_keys.toml` has an entry for ``kind``.
        taken: one sentence for each assumed value.
    """

    def __init__(self, kind: str, known: bool) -> None:
        super().__init__()
        self.kind = kind
        self.known = known
        self.taken: list[str] = []


def text_part(config: Config) -> Config:
    """The nested object of ``config`` that describes the language model, or ``config`` itself."""
    for _ in range(_MOST_NESTED):
        inner = next((config[key] for key in _PARTS if isinstance(config.get(key), Mapping)), None)
        if inner is None:
            break
        config = inner
    return config


@cache
def absent_keys() -> Mapping[str, Mapping[str, Any]]:
    """model_type -> {key: default value of the absent key}, from `absent_keys.toml`.

    A default that is a string is a rule for `_quotient`. The exception is the key `LAYERS`, which
    has a rule of `layer_kinds`.
    """
    text = Path(__file__).with_name("absent_keys.toml").read_text(encoding="utf-8")
    document = tomllib.loads(text)
    rows: dict[str, Mapping[str, Any]] = dict(document["types"])
    rows.update({name: rows[same] for name, same in document["same"].items()})
    return MappingProxyType(rows)


def resolved(config: Config) -> Text:
    """The language model of ``config``, with uniform key names and with absent keys filled in."""
    if isinstance(config, Text):
        return config
    part = text_part(config)
    kinds = [one.get("model_type") for one in (part, config)]
    kind = next((one for one in kinds if isinstance(one, str) and one), "")
    if not kind:
        raise ModelError("the model has no 'model_type'", "use the published config.json")
    row = absent_keys().get(kind)
    text = Text(kind, row is not None)
    text.update(_stated(part))
    if "tie_word_embeddings" not in text and "tie_word_embeddings" in config:
        text["tie_word_embeddings"] = config["tie_word_embeddings"]
    absent = dict(_ANY if row is None else row)
    if "kv_lora_rank" in text and not text["kv_lora_rank"] and "head_dim" in absent:
        absent |= _ANY  # the default head_dim of DeepSeek applies only to models with a latent
    for key, meant in absent.items():
        if key in text or key == LAYERS or _spelled(text, key):
            continue
        value = _quotient(text, meant) if isinstance(meant, str) else meant
        if value is None:
            continue
        text[key] = value
        if row is None:
            text.taken.append(
                f"'{key}' is absent, and membench has no default for '{kind}', so "
                f"{_ANY[key]} = {value} is assumed, as in vLLM"
            )
    _null_heads(text)
    return text


def number(config: Config, *keys: str, default: int | None = None) -> int:
    """The value of the first of ``keys`` that ``config`` has, or else ``default``.

    Raises:
        ModelError: there is neither a value nor a default, or the value is not a whole number from
            0 to 2^40 - 1.
    """
    for key in keys:
        value = config.get(key)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**40:
            raise ModelError(f"'{key}' of the model must be a whole number from 0 to 2^40 - 1")
        return value
    if default is None:
        raise ModelError(
            f"the model has no '{keys[0]}', and membench has no default for this model_type",
            f"add '{keys[0]}' to the configuration",
        )
    return default


def _stated(part: Config) -> Iterator[tuple[str, Any]]:
    """The (key, value) pairs of ``part``, with the key names that membench uses."""
    flat = dict(part)
    for key in _NESTED:
        if isinstance(part.get(key), Mapping):
            flat = {**part[key], **flat}
    for theirs, ours in _INDEX.items():
        if theirs in flat:
            flat.setdefault(ours, flat[theirs])
    for ours, spellings in _SPELLINGS.items():
        value = next((flat[name] for name in (ours, *spellings) if name in flat), flat)
        if value is not flat:
            flat[ours] = _one_for_all(value) if ours in _BY_LAYER else value
    yield from flat.items()


def _one_for_all(value: Any) -> Any:
    """The first element if ``value`` is a list of equal elements, otherwise ``value``."""
    if isinstance(value, list) and value and all(one == value[0] for one in value):
        return value[0]
    return value


def _spelled(text: Config, key: str) -> bool:
    """Whether ``key`` is an alternative spelling of a key that ``text`` has."""
    return any(ours in text for ours, names in _SPELLINGS.items() if key in names)


def _null_heads(text: Text) -> None:
    """Replace a null number of KV heads or a null head width by the default of `transformers`."""
    if "num_key_value_heads" in text and text["num_key_value_heads"] is None:
        text["num_key_value_heads"] = text.get("num_attention_heads")
    if "head_dim" in text and text["head_dim"] is None:
        text["head_dim"] = _quotient(text, "hidden_size / num_attention_heads")


def _quotient(text: Config, rule: str) -> int | None:
    """The value of ``rule``: "KEY", "KEY / KEY" or "2 * KEY / KEY", rounded down.

    None if ``text`` has no valid value for a key.
    """
    over, _, under = rule.partition(" / ")
    factor = 2 if over.startswith("2 * ") else 1
    value = text.get(over.removeprefix("2 * "))
    if type(value) is not int:
        return None
    if not under:
        return value
    divisor = text.get(under)
    if type(divisor) is not int or divisor < 1:
        return None
    return factor * value // divisor
