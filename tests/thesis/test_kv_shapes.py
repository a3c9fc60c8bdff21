"""KV cache sizes to the byte, and numbers of weights, compared with published figures."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from whole_commands import linear_model

from membench.core.errors import UsageError
from membench.thesis.models.architecture import shape_of
from membench.thesis.models.catalogue import find_model, judged_models, models, parse_models
from membench.thesis.models.configuration import ModelError
from membench.thesis.models.kv_shape import (
    BlockLayout,
    KvDtype,
    KvShape,
    Pieces,
    bytes_per_token,
    constant_bytes,
    kv_bytes,
    piece_sizes,
    pieces,
)

MIB = 2**20
GIB = 2**30

# Name: bytes per token (fp16, without the index of sparse attention), constant bytes, GiB at 128k.
TABLE = {
    "llama-3.1-8b": (131_072, 0, 16.0),
    "llama-3.1-70b": (327_680, 0, 40.0),
    "llama-3.1-405b": (516_096, 0, 63.0),
    "qwen3-32b": (262_144, 0, 32.0),
    "qwen3-235b-a22b": (192_512, 0, 23.5),
    "mistral-7b": (131_072, 0, 16.0),
    "mixtral-8x7b": (131_072, 0, 16.0),
    "llama-4-scout": (49_152, 1.125 * GIB, 7.125),
    "llama-4-maverick": (49_152, 1.125 * GIB, 7.125),
    "gpt-oss-20b": (24_576, 3 * MIB, 3.0 + 3 / 1024),
    "gpt-oss-120b": (36_864, 4.5 * MIB, 4.5 + 4.5 / 1024),
    "deepseek-v3": (70_272, 0, 8.578125),
    "kimi-k2": (70_272, 0, 8.578125),
    "glm-5": (89_856, 0, 10.96875),
}
# Name: (all weights, multiplied weights) in 1e9, as published or computed independently.
WEIGHTS = {
    "llama-3.1-8b": (8.03, 7.50),
    "llama-3.1-70b": (70.55, 69.50),
    "llama-3.1-405b": (405.85, 403.8),
    "qwen3-32b": (32.76, 31.98),
    "qwen3-235b-a22b": (235.09, 21.57),
    "qwen3.5-397b-a17b": (397, 17),
    "mixtral-8x7b": (46.70, 12.75),
    "llama-4-scout": (107.8, 16.1),
    "llama-4-maverick": (400.7, 16.1),
    "gpt-oss-20b": (20.91, 3.61),
    "gpt-oss-120b": (116.79, 5.13),
    "deepseek-v3": (671.0, 36.62),
    "kimi-k2": (1026, 31.69),
    "deepseek-v4-pro": (1573, 48.8),
}


@pytest.mark.parametrize("slug", TABLE)
def test_bytes_of_a_model_to_the_byte(slug: str) -> None:
    shape = models()[slug].shape
    token, constant, at_128k = TABLE[slug]
    assert bytes_per_token(shape, index=False) == token
    assert bytes_per_token(shape, KvDtype.FP8, index=False) == token / 2
    assert constant_bytes(shape) == constant
    assert kv_bytes(shape, 131_072, index=False) == at_128k * GIB


def test_a_hybrid_keeps_a_constant_state() -> None:
    shape = models()["qwen3.5-397b-a17b"].shape
    assert bytes_per_token(shape) == 30_720
    assert kv_bytes(shape, 131_072) - shape.state_bytes == 3.75 * GIB
    # 45 layers: 64 heads of 128 x 128 in float32, and 3 columns of 12,288 channels in bf16
    assert shape.state_bytes == 45 * (64 * 128 * 128 * 4 + 12_288 * 3 * 2)
    assert kv_bytes(shape, 0) == shape.state_bytes


def test_compressed_layers_keep_an_entry_for_many_tokens() -> None:
    shape = models()["deepseek-v4-pro"].shape
    assert bytes_per_token(shape) == 9_848
    # in FP8, the index has a float32 scale for every 128 elements
    assert bytes_per_token(shape, KvDtype.FP8) == 4_924 + 30 * 4 / 4
    assert kv_bytes(shape, 2**20) == 9_848 * 2**20 + 61 * 128 * 512 * 2
    assert round(kv_bytes(shape, 2**20) / GIB, 2) == 9.62
    assert kv_bytes(shape, 3) == 61 * 3 * 512 * 2  # no cache entry is complete


def test_the_index_of_sparse_attention_is_counted_apart() -> None:
    shape = models()["glm-5"].shape
    assert bytes_per_token(shape) - bytes_per_token(shape, index=False) == 78 * 128
    fp8 = bytes_per_token(shape, KvDtype.FP8) - bytes_per_token(shape, KvDtype.FP8, index=False)
    assert fp8 == 78 * 132  # engines always store the index in fp8, with its scale


@pytest.mark.parametrize("slug", WEIGHTS)
def test_weights_agree_with_published_counts(slug: str) -> None:
    counted = models()[slug].parameters
    assert counted is not None
    total, matmul = WEIGHTS[slug]
    # The model's name contains a rounded number.
    tolerance = 0.05 if slug.startswith("qwen3.5") else 4e-3
    assert counted.total == pytest.approx(total * 1e9, rel=tolerance)
    assert counted.matmul == pytest.approx(matmul * 1e9, rel=tolerance)
    taken = counted.expert * counted.active / counted.experts if counted.experts else 0
    assert counted.shared + taken == pytest.approx(counted.matmul)


def test_weights_of_glm_5_without_its_indexer_are_as_published() -> None:
    counted = models()["glm-5"].parameters
    assert counted is not None
    indexer = 78 * (2048 * 32 * 128 + 6144 * (128 + 32))
    assert counted.total - indexer == pytest.approx(743.2e9, rel=1e-3)
    assert counted.matmul - indexer == pytest.approx(40.1e9, rel=1e-3)


@pytest.mark.parametrize("slug", list(judged_models()))
@given(tokens=st.integers(0, 300_000), more=st.integers(0, 5_000))
def test_a_longer_context_never_keeps_less_and_fp8_never_more(
    slug: str, tokens: int, more: int
) -> None:
    shape = models()[slug].shape
    assert kv_bytes(shape, tokens) <= kv_bytes(shape, tokens + more)
    assert kv_bytes(shape, tokens, KvDtype.FP8) <= kv_bytes(shape, tokens)
    assert kv_bytes(shape, tokens) <= bytes_per_token(shape) * tokens + constant_bytes(shape)


def test_pieces_are_what_an_engine_moves() -> None:
    llama = models()["llama-3.1-70b"].shape
    assert pieces(llama, 16) == Pieces(16 * 8 * 128 * 2, 160)
    assert pieces(llama, 16, layout=BlockLayout.JOINT) == Pieces(2 * 16 * 8 * 128 * 2, 80)
    assert pieces(llama, 16, layout=BlockLayout.WHOLE) == Pieces(16 * 327_680, 1)
    assert pieces(llama, 16, tp=8) == Pieces(16 * 128 * 2, 160)
    assert pieces(llama, 16, tp=16) == pieces(llama, 16, tp=8)  # two GPUs store each head
    latent = models()["deepseek-v3"].shape
    assert pieces(latent, 64, tp=8, dtype=KvDtype.FP8) == Pieces(64 * 576, 61)


def test_pieces_of_unequal_layers_are_all_listed() -> None:
    shape = models()["deepseek-v4-pro"].shape
    found = piece_sizes(shape, 128, 1, BlockLayout.JOINT, KvDtype.FP16)
    assert found == (Pieces(32 * 1024, 30), Pieces(32 * 256, 30), Pieces(1024, 31))
    assert sum(size * count for size, count in found) == 9_848 * 128
    assert pieces(shape, 128, layout=BlockLayout.JOINT) == found[0]


@pytest.mark.parametrize("slug", list(judged_models()))
@pytest.mark.parametrize("layout", BlockLayout)
def test_pieces_of_one_rank_add_up_to_the_block(slug: str, layout: BlockLayout) -> None:
    shape = models()[slug].shape
    found = piece_sizes(shape, 128, 1, layout, KvDtype.FP16)
    assert sum(size * count for size, count in found) == bytes_per_token(shape) * 128


@pytest.mark.parametrize(("tokens", "tp"), [(0, 1), (16, 0), (16, 3), (16, 12)])
def test_what_cannot_be_divided_is_refused(tokens: int, tp: int) -> None:
    with pytest.raises(UsageError):
        pieces(models()["llama-3.1-70b"].shape, tokens, tp)


def test_windows_alone_are_moved_by_blocks_and_states_alone_whole() -> None:
    mistral = {
        "model_type": "mistral",
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "sliding_window": 4096,
    }
    assert pieces(shape_of(mistral), 16) == Pieces(16 * 8 * 128 * 2, 64)
    # Qwen3-Next's gated delta rule: 32 matrices of 128 x 128 in float32. In addition, in 16 bits:
    # the last 3 inputs of the convolution over two keys (16 x 128 each) and the values (32 x 128).
    layer = 32 * 128 * 128 * 4 + 3 * (2 * 16 * 128 + 32 * 128) * 2
    states = shape_of(json.loads(linear_model()))
    assert states.state_layers == 4
    assert kv_bytes(states, 10) == kv_bytes(states, 10_000) == 4 * layer
    for tp in (1, 2, 8):
        assert piece_sizes(states, 16, tp, BlockLayout.SPLIT, KvDtype.FP16) == (
            Pieces(layer // tp, 4),
        )
        assert pieces(states, 16, tp, BlockLayout.WHOLE) == Pieces(4 * layer // tp, 1)


def test_a_block_does_not_cut_a_compressed_entry() -> None:
    with pytest.raises(UsageError, match="128"):
        pieces(models()["deepseek-v4-pro"].shape, 64)


def test_a_model_is_read_from_its_configuration(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    llama2 = {
        "model_type": "llama",
        "num_hidden_layers": 32,
        "hidden_size": 4096,
        "num_attention_heads": 32,
        "num_key_value_heads": None,
        "intermediate_size": 11008,
        "vocab_size": 32000,
    }
    path.write_text(json.dumps({"text_config": llama2}))
    model = find_model(str(path))
    # MHA: as many KV heads as query heads.
    assert bytes_per_token(model.shape) == 2 * 32 * 32 * 128 * 2
    assert model.parameters is not None
    assert model.parameters.total == pytest.approx(6.74e9, rel=1e-3)
    path.write_text(json.dumps({**llama2, "model_type": "mistral", "sliding_window": 4096}))
    assert kv_bytes(find_model(str(path)).shape, 10**6) == 4096 * bytes_per_token(model.shape)
    limits = {"time_step_limit": [0.0, math.inf]}  # as in the configuration of Nemotron-H
    path.write_text(json.dumps({**llama2, **limits}))
    assert find_model(str(path)).shape == model.shape
    path.write_text(json.dumps({**llama2, "num_hidden_layers": math.inf}))
    with pytest.raises(ModelError, match="num_hidden_layers"):
        find_model(str(path))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON"),
        ('{"model_type": "llama"', "not JSON"),
        ("[1]", "JSON object"),
        ("{}", "no 'model_type'"),
        ('{"model_type": "mamba"}', "no 'num_hidden_layers'"),
        ('{"model_type": ["llama"]}', "no 'model_type'"),
        ('{"model_type": "llama"}', "no 'num_hidden_layers'"),
        ('{"model_type": "llama", "num_hidden_layers": -1}', "whole number"),
        ('{"model_type": "llama", "num_hidden_layers": "32"}', "whole number"),
        ('{"model_type": "llama", "num_hidden_layers": 2, "num_attention_heads": 0}', "not be 0"),
        ('{"model_type": "llama", "num_hidden_layers": 2, "layer_types": ["x"]}', "layer_types"),
        (
            '{"model_type": "llama", "num_hidden_layers": 1, "layer_types": ["x"]}',
            "unknown layer kind 'x'",
        ),
        ('{"model_type": "llama", "num_hidden_layers": 2, "num_attention_heads": 8}', "head_dim"),
        (
            '{"model_type": "deepseek_v3", "num_hidden_layers": 0}',
            "no layer stores keys and values, or a state",
        ),
        ('{"model_type": "deepseek_v4", "num_hidden_layers": 2}', "compress_ratios"),
        (
            '{"model_type": "deepseek_v4", "num_hidden_layers": 1, "compress_ratios": [[]]}',
            "compress_ratios",
        ),
    ],
)
def test_a_configuration_that_is_not_understood_is_one_line(
    text: str, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(ModelError, match=says) as caught:
        find_model(str(path))
    assert "\n" not in str(caught.value)


KEYS = (
    *("model_type", "num_hidden_layers", "layer_types", "num_attention_heads", "head_dim"),
    *("kv_lora_rank", "qk_rope_head_dim", "compress_ratios", "sliding_window", "text_config"),
)
VALUES = st.one_of(
    st.none(),
    st.integers(-3, 100),
    st.floats(),
    st.booleans(),
    st.sampled_from(["llama", "deepseek_v3", "deepseek_v4", "gpt_oss"]),
    st.lists(st.one_of(st.just("full_attention"), st.integers(-1, 200)), max_size=4),
)


@given(st.dictionaries(st.sampled_from(KEYS), VALUES))
def test_any_configuration_is_a_shape_or_a_plain_refusal(config: dict[str, object]) -> None:
    found: KvShape | str
    try:
        found = shape_of(config)
    except ModelError as error:
        found = str(error)
    if isinstance(found, str):
        assert found
        assert "\n" not in found
    else:
        assert kv_bytes(found, 1000) >= 0


def test_a_model_that_is_not_known_gets_a_hint() -> None:
    with pytest.raises(UsageError) as caught:
        find_model("llama-3.1-70")
    assert "llama-3.1-70b" in caught.value.hint
    with pytest.raises(ModelError, match="does not exist"):
        find_model("nowhere/config.json")


def test_an_empty_name_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text(json.dumps(models()["llama-3.1-8b"].config))
    monkeypatch.chdir(tmp_path)
    assert find_model(".").shape == models()["llama-3.1-8b"].shape
    with pytest.raises(UsageError, match="'' is not a known model"):
        find_model("")


@pytest.mark.parametrize("key", ["slug", "name", "ids", "source", "date", "config"])
def test_a_shipped_model_says_where_it_is_from(key: str) -> None:
    entry = {
        "slug": '"x"',
        "name": '"X"',
        "ids": '["X/X"]',
        "source": '"there"',
        "date": "2026-01-01",
        "config": '{model_type = "llama"}',
    }
    del entry[key]
    text = "[[model]]\n" + "\n".join(f"{name} = {value}" for name, value in entry.items())
    with pytest.raises(ModelError, match=f"'{key}' is missing"):
        parse_models(text)


def test_every_shipped_model_has_its_origin_and_counts() -> None:
    assert len(models()) >= 14
    for model in models().values():
        assert model.day is not None
        assert model.parameters is not None
        assert all(group.layers > 0 for group in model.shape.groups)
