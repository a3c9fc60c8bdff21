"""Published model configurations: membench reads each like transformers and inference engines."""

from __future__ import annotations

import json
import lzma
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from whole_commands import linear_model

from membench.thesis.models import parameters
from membench.thesis.models.architecture import (
    compress_ratios,
    head_width,
    is_compressed,
    is_latent,
    kv_heads,
    layer_geometry,
    shape_of,
)
from membench.thesis.models.catalogue import find_model, models
from membench.thesis.models.configuration import ModelError, absent_keys, resolved
from membench.thesis.models.kv_shape import (
    KvDtype,
    LayerRole,
    bytes_per_token,
    kv_bytes,
    mean_bytes_per_token,
)
from membench.thesis.models.layer_kinds import LayerKind, layer_kinds
from membench.thesis.models.weight_bits import WeightType, cache_type, weights_of

CONTEXTS = (1, 100, 1000, 8192, 32_768, 131_072)
DATA = Path(__file__).parent / "data" / "configurations.json.xz"

# Bytes of 16-bit KV cache for 32,768 tokens, including the index. Computed by hand from each
# published configuration: layers with full attention, layers with a window, and others.
_LLAMA_4 = (12 * 32_768 + 36 * 8192) * 2 * 8 * 128 * 2
_MIMO = (9 * 4 * 32_768 + 39 * 8 * 128) * (192 + 128) * 2
_STEP = (12 * 32_768 + 33 * 512) * 2 * 8 * 128 * 2
_V4_FLASH = (21 * 8192 + 20 * 256 + 43 * 128) * 512 * 2 + 21 * 8192 * 128 * 2
_V4_PRO = (30 * 8192 + 31 * 256 + 61 * 128) * 512 * 2 + 30 * 8192 * 128 * 2
_GLM_5 = 32_768 * (78 * 576 * 2 + 78 * 128)
_GLM_52 = 32_768 * (78 * 576 * 2 + 21 * 128)
_M3 = 32_768 * (60 * 2 * 4 * 128 * 2 + 57 * 128 * 2)


def _heads(layers: int, heads: int, width: int = 128) -> int:
    return layers * 2 * heads * width * 2 * 32_768


def _gated(layers: int, values: int) -> int:
    """Bytes of state of the gated delta rule with 16 key heads of 128 elements."""
    return layers * (values * 128 * 128 * 4 + (2 * 16 * 128 + values * 128) * 3 * 2)


def _mamba(layers: int, heads: int) -> int:
    """Bytes of state of Mamba 2 with heads of 64 elements, 128 states and 8 groups."""
    return layers * (heads * 64 * 128 * 4 + (heads * 64 + 2 * 8 * 128) * 3 * 2)


EXPECTED = {
    "MiniMaxAI/MiniMax-M2.5": _heads(62, 8),
    "MiniMaxAI/MiniMax-M2.7": _heads(62, 8),
    "Qwen/Qwen3-0.6B": _heads(28, 8),
    "Qwen/Qwen3-1.7B": _heads(28, 8),
    "Qwen/Qwen3-235B-A22B": _heads(94, 4),
    "Qwen/Qwen3-235B-A22B-FP8": _heads(94, 4),
    "Qwen/Qwen3-30B-A3B": _heads(48, 4),
    "Qwen/Qwen3-30B-A3B-FP8": _heads(48, 4),
    "Qwen/Qwen3-32B": _heads(64, 8),
    "Qwen/Qwen3-32B-FP8": _heads(64, 8),
    "Qwen/Qwen3-32B-FP8-Static-PerTensor": _heads(64, 8),
    "Qwen/Qwen3-8B": _heads(36, 8),
    "Qwen/Qwen3-Coder-480B-A35B-Instruct": _heads(62, 8),
    "Qwen/Qwen3-VL-235B-A22B-Instruct": _heads(94, 4),
    "Qwen/Qwen3-VL-2B-Instruct": _heads(28, 8),
    "Qwen/Qwen3-VL-30B-A3B-Instruct": _heads(48, 4),
    "Qwen/Qwen3-VL-32B-Instruct": _heads(64, 8),
    "Qwen/Qwen3-VL-4B-Instruct": _heads(36, 8),
    "Qwen/Qwen3.5-122B-A10B": _heads(12, 2, 256) + _gated(36, 64),
    "Qwen/Qwen3.5-35B-A3B": _heads(10, 2, 256) + _gated(30, 32),
    "Qwen/Qwen3.5-397B-A17B": _heads(15, 2, 256) + _gated(45, 64),
    "XiaomiMiMo/MiMo-V2-Flash": _MIMO,
    "deepseek-ai/DeepSeek-R1": 61 * 576 * 2 * 32_768,
    "deepseek-ai/DeepSeek-V3": 61 * 576 * 2 * 32_768,
    "deepseek-ai/DeepSeek-V3.2": 61 * (576 * 2 + 128) * 32_768,
    "deepseek-ai/DeepSeek-V4-Flash": _V4_FLASH,
    "deepseek-ai/DeepSeek-V4-Pro": _V4_PRO,
    "meta-llama/Llama-4-Maverick-17B-128E-Instruct": _LLAMA_4,
    "meta-llama/Llama-4-Scout-17B-16E-Instruct": _LLAMA_4,
    "meta-llama/Meta-Llama-3.1-405B": _heads(126, 8),
    "meta-llama/Meta-Llama-3.1-70B": _heads(80, 8),
    "meta-llama/Meta-Llama-3.1-8B": _heads(32, 8),
    "mistralai/Mixtral-8x22B-v0.1": _heads(56, 8),
    "mistralai/Mixtral-8x7B-v0.1": _heads(32, 8),
    "moonshotai/Kimi-K2-Instruct": 61 * 576 * 2 * 32_768,
    "moonshotai/Kimi-K2.5": 61 * 576 * 2 * 32_768,
    "nvidia/DeepSeek-V3.1-NVFP4": 61 * 576 * 2 * 32_768,
    "nvidia/DeepSeek-V4-Flash-NVFP4": _V4_FLASH,
    "nvidia/DeepSeek-V4-Pro-NVFP4": _V4_PRO,
    "nvidia/GLM-5-NVFP4": _GLM_5,
    "nvidia/GLM-5.2-NVFP4": _GLM_52,
    "nvidia/Gemma-4-26B-A4B-NVFP4": _heads(5, 2, 512) + _heads(25, 8, 256) // 32,
    "nvidia/Gemma-4-31B-IT-NVFP4": _heads(10, 4, 512) + _heads(50, 16, 256) // 32,
    "nvidia/Kimi-K2.5-NVFP4": 61 * 576 * 2 * 32_768,
    "nvidia/Kimi-K2.6-NVFP4": 61 * 576 * 2 * 32_768,
    "nvidia/Llama-3.1-70B-Instruct-FP8": _heads(80, 8),
    "nvidia/MiniMax-M2.5-NVFP4": _heads(62, 8),
    "nvidia/MiniMax-M2.7-NVFP4": _heads(62, 8),
    "nvidia/MiniMax-M3-NVFP4": _M3,
    "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": _heads(6, 2) + _mamba(23, 64),
    "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4": _heads(6, 2) + _mamba(23, 64),
    "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-FP8": _heads(8, 2) + _mamba(40, 128),
    "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-NVFP4": _heads(8, 2) + _mamba(40, 128),
    "nvidia/Qwen3-235B-A22B-NVFP4": _heads(94, 4),
    "nvidia/Qwen3.5-122B-A10B-NVFP4": _heads(12, 2, 256) + _gated(36, 64),
    "nvidia/Qwen3.5-397B-A17B-NVFP4": _heads(15, 2, 256) + _gated(45, 64),
    "nvidia/Qwen3.6-35B-A3B-NVFP4": _heads(10, 2, 256) + _gated(30, 32),
    "openai/gpt-oss-120b": _heads(18, 8, 64) + 18 * 128 * 2 * 8 * 64 * 2,
    "stepfun-ai/Step-3.7-Flash-FP8": _STEP,
    "zai-org/GLM-5": _GLM_5,
    "zai-org/GLM-5-FP8": _GLM_5,
    "zai-org/GLM-5.1": _GLM_5,
    "zai-org/GLM-5.1-FP8": _GLM_5,
    "zai-org/GLM-5.2": _GLM_52,
}
# (GB of the published checkpoint files, type of most weights).
STORED = {
    "openai/gpt-oss-120b": (65.3, "MXFP4"),
    "deepseek-ai/DeepSeek-V3": (671, "FP8"),
    "moonshotai/Kimi-K2-Instruct": (1029, "FP8"),
    "moonshotai/Kimi-K2.5": (595, "INT4"),
    "deepseek-ai/DeepSeek-V4-Pro": (860, "MXFP4"),
    "deepseek-ai/DeepSeek-V4-Flash": (157, "MXFP4"),
    "nvidia/Gemma-4-31B-IT-NVFP4": (32, "NVFP4"),
    "Qwen/Qwen3-235B-A22B-FP8": (236, "FP8"),
    "meta-llama/Meta-Llama-3.1-8B": (16.06, "16 bits"),
}
# Model types whose class in transformers expects another form than the published configuration.
_OTHER_FORM = {"step3p7", "step3p5"}


@cache
def document() -> Mapping[str, Any]:
    """The file that `make_configurations.py` wrote."""
    found: Mapping[str, Any] = json.loads(lzma.decompress(DATA.read_bytes()))
    return found


def config_of(name: str, without: str | None = None) -> dict[str, Any]:
    """The configuration of a model, optionally without one key of its language part."""
    both = {**document()["published"], **document()["families"]}
    config: dict[str, Any] = json.loads(json.dumps(both[name]))
    if without is not None:
        del config.get("text_config", config)[without]
    return config


def test_all_that_are_published_are_here() -> None:
    assert set(document()["published"]) == set(EXPECTED)
    assert len(EXPECTED) == 64


@pytest.mark.parametrize("name", EXPECTED)
def test_a_published_configuration_keeps_what_was_counted_by_hand(name: str) -> None:
    assert kv_bytes(shape_of(config_of(name)), 32_768) == EXPECTED[name]


@pytest.mark.parametrize("name", EXPECTED)
def test_a_published_model_is_shipped_under_its_id(name: str) -> None:
    shipped, own = find_model(name.upper()), config_of(name)
    assert shipped.shape == shape_of(own)
    assert shipped.parameters is not None
    assert shipped.weights is not None
    if own.get("quantization_config") or own.get("text_config", {}).get("quantization_config"):
        assert shipped.weights == weights_of(own)


def _kinds_of(facts: Mapping[str, Any]) -> list[LayerKind]:
    """The kind of each layer according to transformers, as `LayerKind`."""
    window = facts["sliding_window"] or 0
    named = (
        facts["layer_types"] or [LayerKind.WINDOW if window else LayerKind.FULL] * facts["layers"]
    )
    words = {
        "indexed_attention": LayerKind.FULL,
        "minimax_m3_sparse": LayerKind.FULL,
        "moe": LayerKind.NONE,
    }
    kinds = [words.get(name) or LayerKind(name) for name in named]
    return [LayerKind.FULL if kind is LayerKind.WINDOW and not window else kind for kind in kinds]


@pytest.mark.slow
def test_layers_and_heads_are_those_of_the_configuration_classes() -> None:
    seen: Counter[str] = Counter()
    for facts in document()["shapes"]:
        config = config_of(facts["name"], facts["without"])
        where = f"{facts['name']} without {facts['without']}"
        text = resolved(config)
        if text.kind in _OTHER_FORM:
            continue
        assert (text.get("tie_word_embeddings") is True) == facts["tied"], where
        if is_compressed(text):
            assert len(compress_ratios(text)) == facts["layers"], where
            continue
        kinds = list(layer_kinds(text))
        assert kinds == _kinds_of(facts), where
        seen["kinds"] += 1
        latent = [text["kv_lora_rank"], text["qk_rope_head_dim"]] if is_latent(text) else None
        assert latent == facts["latent"], where
        if latent or not {LayerKind.FULL, LayerKind.WINDOW, LayerKind.CHUNK, LayerKind.BOTH} & set(
            kinds
        ):
            continue
        theirs = facts["kv_heads"], facts["head_dim"]
        if theirs[0] is None or None in [*(theirs[0] if isinstance(theirs[0], list) else ())]:
            continue  # Falcon uses other keys
        if isinstance(facts["kv_heads"], list) and isinstance(facts["head_dim"], list):
            pairs = list(zip(*theirs, strict=True))
        else:
            pairs = [(theirs[0], theirs[1])] * len(kinds)
        if any(not count or text["num_attention_heads"] % count for count, _ in pairs):
            with pytest.raises(ModelError, match="cannot be divided evenly among"):
                kv_heads(text)
            seen["refused"] += 1
            continue
        for kind, (count, width) in zip(kinds, pairs, strict=True):
            if (
                kind in {LayerKind.FULL, LayerKind.WINDOW, LayerKind.CHUNK}
                and "v_head_dim" not in text
            ):
                assert layer_geometry(text, kind, None)[:2] == (count, width or head_width(text)), (
                    where
                )
        seen["heads"] += 1
    assert seen["kinds"] > 400
    assert seen["heads"] > 250
    assert seen["refused"] > 5


def test_a_window_is_counted_token_by_token() -> None:
    config = config_of("gemma-3-27b")
    shape = shape_of(config)
    for tokens in CONTEXTS:
        held = sum(
            min(tokens, 1024) if (place + 1) % 6 else tokens
            for place in range(config["text_config"]["num_hidden_layers"])
        )
        assert kv_bytes(shape, tokens) == held * 2 * 16 * 128 * 2


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 1_879_048_192),
        ({"max_window_layers": 21}, 1_468_006_400),
        ({"use_sliding_window": None}, 1_879_048_192),
        ({"use_sliding_window": False, "max_window_layers": 0}, 1_879_048_192),
    ],
)
def test_windows_of_qwen2_begin_at_max_window_layers(
    changes: dict[str, Any], expected: int
) -> None:
    config = {**config_of("qwen2-windows"), "max_window_layers": 28, **changes}
    kept = {key: value for key, value in config.items() if value is not None}
    assert kv_bytes(shape_of(kept), 32_768) == expected


@pytest.mark.parametrize(
    ("name", "dtype", "token"),
    [
        ("deepseek-ai/DeepSeek-V3", KvDtype.FP8, 61 * 576),
        ("deepseek-ai/DeepSeek-V3.2", KvDtype.FP8, 61 * (576 + 132)),
        ("deepseek-ai/DeepSeek-V3.2", KvDtype.FP8_DS_MLA, 61 * (656 + 132)),
        # 47,700; the measured value is 47,702.
        ("zai-org/GLM-5.2", KvDtype.FP8, 78 * 576 + 21 * 132),
    ],
)
def test_layouts_take_what_engines_keep(name: str, dtype: KvDtype, token: int) -> None:
    assert bytes_per_token(shape_of(config_of(name)), dtype) == token


def test_entries_of_v4_take_584_bytes() -> None:
    shape = shape_of(config_of("deepseek-ai/DeepSeek-V4-Flash"))
    by_role = {
        role: {one.entry_bytes(KvDtype.FP8_DS_MLA) for one in shape.groups if one.role is role}
        for role in LayerRole
    }
    assert by_role == {LayerRole.KV: {584}, LayerRole.INDEX: {132}}


def test_the_mean_of_a_context_counts_windows_and_state() -> None:
    scout = models()["llama-4-scout"].shape
    for tokens, ratio in ((8192, 4.0), (32_768, 1.75)):
        assert mean_bytes_per_token(scout, tokens) == ratio * bytes_per_token(scout)
    qwen = models()["qwen3.5-397b-a17b"].shape
    assert mean_bytes_per_token(qwen, 8192) / bytes_per_token(qwen) == pytest.approx(1.76, abs=0.01)


@pytest.mark.parametrize("name", STORED)
def test_weights_are_as_large_as_the_checkpoint(name: str) -> None:
    held = weights_of(config_of(name))
    gigabytes, label = STORED[name]
    assert held.stored / 1e9 == pytest.approx(gigabytes, rel=0.02)
    assert held.label == label


def test_matrices_without_weights_are_refused() -> None:
    with pytest.raises(ModelError, match="have no weights"):
        weights_of({**json.loads(linear_model()), "hidden_size": 0})


def test_weights_in_another_precision_leave_embedding_and_head_alone() -> None:
    config = config_of("meta-llama/Meta-Llama-3.1-8B")
    vocabulary = 2 * 128_256 * 4096
    plain, four = weights_of(config), weights_of(config, WeightType.NVFP4)
    assert four.stored - 2 * vocabulary == (plain.stored - 2 * vocabulary) * 4.5 / 16


@pytest.mark.parametrize(
    ("quantized", "says"),
    [
        ({"quant_method": "hqq"}, "'quant_method' has the unknown value 'hqq'"),
        ({"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION"}, "does not list"),
        (
            {"quant_method": "modelopt", "quant_algo": "FP3"},
            "'quant_algo' has the unknown value 'FP3'",
        ),
        ({"quant_method": "gptq", "bits": "four"}, "'bits' is not a whole number of bits"),
        ({"quant_method": "compressed-tensors", "config_groups": {}}, "does not list"),
    ],
)
def test_a_precision_that_is_not_said_is_not_known(quantized: dict[str, Any], says: str) -> None:
    config = {**config_of("meta-llama/Meta-Llama-3.1-8B"), "quantization_config": quantized}
    with pytest.raises(ModelError, match=says) as caught:
        weights_of(config)
    assert "--weights" in caught.value.hint
    assert weights_of(config, WeightType.FP8).label == "FP8"


def test_matrices_that_are_left_out_stay_as_they_are() -> None:
    config = config_of("meta-llama/Meta-Llama-3.1-8B")
    whole = weights_of({**config, "quantization_config": {"quant_method": "fp8"}})
    kept = {"quant_method": "fp8", "modules_to_not_convert": ["model.layers.0.self_attn.q_proj"]}
    part = weights_of({**config, "quantization_config": kept})
    assert part.stored - whole.stored == 4096 * 4096
    by_glob = {"quant_algo": "FP8", "ignore": ["model.layers.*.self_attn*", "lm_head"]}
    attention = 32 * 4096 * (4096 + 1024 + 1024 + 4096)
    globbed = weights_of({**config, "quantization_config": by_glob})
    assert globbed.stored - whole.stored == attention


def test_the_cache_type_of_a_checkpoint_is_read() -> None:
    assert cache_type(config_of("nvidia/GLM-5.2-NVFP4")) == "fp8"
    assert cache_type(config_of("deepseek-ai/DeepSeek-V3")) is None


def test_a_shape_under_a_name_that_is_not_known_is_read() -> None:
    config = {**config_of("Qwen/Qwen3-32B"), "model_type": "never_seen"}
    assert shape_of(config) == shape_of(config_of("Qwen/Qwen3-32B"))
    assert not resolved(config).taken
    del config["head_dim"]
    assert resolved(config).taken
    latent = {**config_of("deepseek-ai/DeepSeek-V3"), "model_type": "never_seen"}
    assert shape_of(latent) == shape_of(config_of("deepseek-ai/DeepSeek-V3"))


@pytest.mark.parametrize(
    ("without", "changes", "says"),
    [
        ("num_key_value_heads", {}, "num_key_value_heads"),
        ("num_attention_heads", {}, "num_attention_heads"),
        (None, {"sliding_window": 4096, "use_sliding_window": True}, "sliding_window"),
        (None, {"mamba_d_state": 16}, "mamba_d_state"),
        (None, {"cross_attention_layers": [3]}, "cross_attention_layers"),
    ],
)
def test_a_key_that_is_absent_and_in_no_table_is_refused(
    without: str | None, changes: dict[str, Any], says: str
) -> None:
    config = {**config_of("Qwen/Qwen3-32B", without), **changes, "model_type": "never_seen"}
    with pytest.raises(ModelError, match=says):
        shape_of(config)


def test_every_row_of_the_table_says_which_layers_attend() -> None:
    assert len(absent_keys()) > 130
    assert all(row.get("layers") for row in absent_keys().values())


@pytest.mark.parametrize(
    ("config", "token"),
    [
        # Falcon 40B: 8 KV heads; Falcon 7B: one
        (
            {
                "model_type": "falcon",
                "hidden_size": 8192,
                "num_attention_heads": 128,
                "num_hidden_layers": 60,
                "num_kv_heads": 8,
                "new_decoder_architecture": True,
            },
            60 * 2 * 8 * 64 * 2,
        ),
        (
            {
                "model_type": "falcon",
                "hidden_size": 4544,
                "num_attention_heads": 71,
                "num_hidden_layers": 32,
                "multi_query": True,
            },
            32 * 2 * 64 * 2,
        ),
        (
            {"model_type": "gpt2", "n_layer": 12, "n_head": 12, "n_embd": 768},
            12 * 2 * 768 * 2,
        ),
        (
            {
                "model_type": "dbrx",
                "n_layers": 40,
                "n_heads": 48,
                "d_model": 6144,
                "attn_config": {"kv_n_heads": 8},
            },
            40 * 2 * 8 * 128 * 2,
        ),
        # Gemma 3n E4B: 35 layers; the last 15 layers share the cache of earlier layers
        (
            {
                "model_type": "gemma3n_text",
                "hidden_size": 2048,
                "num_hidden_layers": 35,
                "num_attention_heads": 8,
                "num_key_value_heads": 2,
                "head_dim": 256,
                "sliding_window": 512,
                "num_kv_shared_layers": 15,
            },
            4 * 2 * 2 * 256 * 2,
        ),
        # OpenELM 270M
        (
            {
                "model_type": "openelm",
                "model_dim": 1280,
                "num_transformer_layers": 16,
                "num_query_heads": [12] * 5 + [16] * 7 + [20] * 4,
                "num_kv_heads": [3] * 5 + [4] * 7 + [5] * 4,
                "head_dim": 64,
            },
            (5 * 3 + 7 * 4 + 4 * 5) * 2 * 64 * 2,
        ),
        # as in Nemotron NAS, without a number for all layers
        (
            {
                "model_type": "nemotron-nas",
                "hidden_size": 8192,
                "num_attention_heads": 64,
                "num_hidden_layers": 3,
                "block_configs": [
                    {"attention": {"n_heads_in_group": 8}},
                    {"attention": {"n_heads_in_group": None, "no_op": True}},
                    {"attention": {"n_heads_in_group": 16}},
                ],
            },
            (8 + 4) * 2 * 128 * 2,
        ),
    ],
)
def test_older_spellings_are_read(config: dict[str, Any], token: int) -> None:
    assert bytes_per_token(shape_of(config)) == token


@pytest.mark.parametrize("key", ["num_key_value_heads_per_layer", "num_key_value_heads"])
def test_heads_that_are_listed_layer_by_layer_are_counted(key: str) -> None:
    """DeciLM has such a list, with or without one number for all layers."""
    config: dict[str, Any] = {
        "model_type": "deci",
        "hidden_size": 4096,
        "intermediate_size": 14_336,
        "vocab_size": 32_000,
        "num_attention_heads": 32,
        "num_hidden_layers": 3,
        key: [4, 1, 2],
    }
    assert bytes_per_token(shape_of(config)) == 7 * 2 * 128 * 2
    weights = 3 * (2 * 4096**2 + 3 * 4096 * 14_336) + 7 * 2 * 4096 * 128 + 2 * 4096 * 32_000
    assert parameters.count(config).total == weights
    with pytest.raises(ModelError, match="one whole number for each of 3 layers"):
        shape_of({**config, key: [4, 1, -2]})


# The first 10 layers of Gemma 3n E4B. One of 5 layers has full attention.
_GEMMA_3N: dict[str, Any] = {
    "model_type": "gemma3n_text",
    "hidden_size": 2048,
    "num_hidden_layers": 10,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 256,
    "intermediate_size": 16_384,
    "vocab_size": 262_400,
    "sliding_window": 512,
    "num_kv_shared_layers": 0,
}


def test_a_layer_that_reuses_a_cache_still_attends() -> None:
    alone, shared = (
        parameters.count({**_GEMMA_3N, "num_kv_shared_layers": layers}) for layers in (0, 6)
    )
    keys_and_values = 2 * 2048 * 2 * 256  # of one layer
    assert alone.matmul - shared.matmul == alone.total - shared.total == 6 * keys_and_values
    assert alone.attention == shared.attention == 2 * 4 * 8 * 256  # two layers have no window
    stored = shape_of({**_GEMMA_3N, "num_kv_shared_layers": 6})
    assert bytes_per_token(stored) == 0  # only the first 4 layers store, and all have a window
    assert kv_bytes(stored, 10_000) == 4 * 2 * 2 * 256 * 512 * 2


def test_layers_of_gemma_4_that_reuse_a_cache_have_a_wide_mlp() -> None:
    gemma = {**_GEMMA_3N, "model_type": "gemma4_text", "num_kv_shared_layers": 6}
    wide = parameters.count({**gemma, "use_double_wide_mlp": True})
    assert wide.matmul - parameters.count(gemma).matmul == 6 * 3 * 2048 * 16_384


def test_every_layer_cannot_reuse_a_cache() -> None:
    with pytest.raises(ModelError, match="10 of 10 layers reuse the KV cache"):
        shape_of({**_GEMMA_3N, "num_kv_shared_layers": 10})


def test_hunyuan_large_has_its_published_size_and_half_of_the_cache() -> None:
    # arXiv:2411.02265 gives 389 billion parameters, of which 52 billion are active
    config = {
        "model_type": "hunyuan",
        "hidden_size": 6400,
        "num_hidden_layers": 64,
        "num_attention_heads": 80,
        "num_key_value_heads": 8,
        "intermediate_size": 18_304,
        "num_experts": 16,
        "moe_topk": 1,
        "num_shared_expert": 1,
        "vocab_size": 128_000,
        "tie_word_embeddings": True,
        "use_cla": True,
        "cla_share_factor": 2,
    }
    model = parameters.count(config)
    assert round(model.total / 1e9) == 389
    assert model.attention == 64 * 4 * 80 * 80
    assert bytes_per_token(shape_of(config)) == 32 * 2 * 8 * 80 * 2
    assert bytes_per_token(shape_of({**config, "use_cla": False})) == 64 * 2 * 8 * 80 * 2


_DENSE: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 4096,
    "num_hidden_layers": 2,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14_336,
    "vocab_size": 1000,
}
_NESTED_MODELOPT = {"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "NVFP4"}}
_BY_COMPRESSED_TENSORS = {
    "quant_method": "compressed-tensors",
    "config_groups": {
        "group_0": {"targets": ["Linear"], "weights": {"num_bits": 8, "type": "float"}}
    },
}


@pytest.mark.parametrize(
    ("stated", "label"),
    [
        ({"quantization_config": {"load_in_4bit": True}}, "NF4"),
        ({"quantization_config": _NESTED_MODELOPT}, "NVFP4"),
        ({"compression_config": _BY_COMPRESSED_TENSORS}, "FP8"),
        ({"quantization_config": {}, "dtype": "torch.float32"}, "32 bits"),
        ({"torch_dtype": "bf16"}, "16 bits"),
    ],
)
def test_older_and_nested_forms_of_quantization_are_read(
    stated: dict[str, Any], label: str
) -> None:
    assert weights_of({**_DENSE, **stated}).label == label


@pytest.mark.parametrize(
    "stated", [{"quantization_config": "fp8"}, {"torch_dtype": "float8_e4m3fn"}]
)
def test_a_precision_that_is_not_understood_is_not_16_bits(stated: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="precision of the weights is not known"):
        weights_of({**_DENSE, **stated})


def test_the_file_of_modelopt_beside_a_configuration_counts(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(_DENSE))
    assert find_model(str(tmp_path)).weights == weights_of(_DENSE)
    (tmp_path / "hf_quant_config.json").write_text(json.dumps(_NESTED_MODELOPT))
    found = find_model(str(tmp_path)).weights
    assert found is not None
    assert found.label == "NVFP4"


def test_a_name_with_a_precision_that_the_configuration_lacks_is_told(tmp_path: Path) -> None:
    path = tmp_path / "owner--Model-NVFP4_config.json"
    path.write_text(json.dumps(_DENSE))
    model = find_model(str(path))
    assert any("the name contains NVFP4" in note for note in model.notes)
    assert not model.held_as(WeightType.NVFP4).notes


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "not JSON"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"\n<!doctype html>", "web page"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"[]", "JSON object"),
    ],
)
def test_a_file_that_is_no_configuration_is_told_with_a_hint(
    content: bytes, what: str, tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=what) as caught:
        find_model(str(path))
    assert caught.value.hint


def test_a_number_of_layers_that_no_model_has_is_refused_at_once() -> None:
    with pytest.raises(ModelError, match="layers exceed the limit"):
        shape_of({**_DENSE, "num_hidden_layers": 10**9})


def test_experts_begin_where_ernie_says() -> None:
    """ERNIE 4.5 300B has 300e9 weights. With experts in all layers it would have 314e9."""
    ernie = {
        "model_type": "ernie4_5_moe",
        "hidden_size": 8192,
        "num_hidden_layers": 54,
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
        "intermediate_size": 28_672,
        "moe_num_experts": 64,
        "moe_k": 8,
        "moe_intermediate_size": 3584,
        "moe_layer_start_index": 3,
        "moe_layer_end_index": 53,
        "moe_layer_interval": 1,
        "vocab_size": 103_424,
    }
    assert weights_of(ernie).stored / 2 == pytest.approx(300e9, rel=0.01)


def test_experts_that_are_stated_layer_by_layer_are_read() -> None:
    """Hunyuan A13B has 80e9 weights, according to its published description."""
    hunyuan = {
        "model_type": "hunyuan_v1_moe",
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "intermediate_size": 3072,
        "num_experts": 64,
        "num_shared_expert": [1] * 32,
        "moe_topk": [8] * 32,
        "moe_intermediate_size": [3072] * 32,
        "vocab_size": 128_167,
    }
    assert weights_of(hunyuan).stored / 2 == pytest.approx(80e9, rel=0.02)


def test_deepseek_without_a_latent_has_heads_of_its_own() -> None:
    """DeepSeek VL2 tiny has 10 heads of 128 elements, as in its code."""
    tiny = {
        "model_type": "deepseek_v2",
        "hidden_size": 1280,
        "num_hidden_layers": 12,
        "num_attention_heads": 10,
        "num_key_value_heads": 10,
        "kv_lora_rank": None,
        "use_mla": False,
    }
    assert kv_bytes(shape_of(tiny), 32_768) == _heads(12, 10)
