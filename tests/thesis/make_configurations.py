"""Write `data/configurations.json.xz`: model configurations, and how transformers reads each.

    pip install transformers==5.24.0      (no torch)
    python tests/thesis/make_configurations.py FOLDER_OF_CONFIG_JSON

The folder contains `<owner>--<model>_config.json` files from NVIDIA's aiconfigurator
(ai-dynamo/aiconfigurator 095f58a, model_configs, Apache-2.0). The script keeps the keys that decide
the sizes of cache and weights. The configuration classes of transformers give the kind of attention
of each layer, also after single keys were removed.
"""

from __future__ import annotations

import json
import lzma
import re
import sys
from pathlib import Path
from typing import Any

from transformers import CONFIG_MAPPING  # type: ignore[import-not-found]  # no dependency of ours

# Published configurations of families that the folder lacks, with the keys that decide.
FAMILIES: dict[str, dict[str, Any]] = {
    "gemma-3-4b": {
        "model_type": "gemma3",
        "text_config": {
            "hidden_size": 2560,
            "intermediate_size": 10240,
            "model_type": "gemma3_text",
            "num_hidden_layers": 34,
            "sliding_window": 1024,
        },
    },
    "gemma-3-27b": {
        "model_type": "gemma3",
        "text_config": {
            "head_dim": 128,
            "hidden_size": 5376,
            "intermediate_size": 21504,
            "model_type": "gemma3_text",
            "num_attention_heads": 32,
            "num_hidden_layers": 62,
            "num_key_value_heads": 16,
            "sliding_window": 1024,
        },
    },
    "gemma-3-1b": {
        "model_type": "gemma3_text",
        "head_dim": 256,
        "hidden_size": 1152,
        "intermediate_size": 6912,
        "num_attention_heads": 4,
        "num_hidden_layers": 26,
        "num_key_value_heads": 1,
        "sliding_window": 512,
        "sliding_window_pattern": 6,
        "vocab_size": 262144,
    },
    "gemma-2-9b": {
        "model_type": "gemma2",
        "head_dim": 256,
        "hidden_size": 3584,
        "intermediate_size": 14336,
        "num_attention_heads": 16,
        "num_hidden_layers": 42,
        "num_key_value_heads": 8,
        "sliding_window": 4096,
        "vocab_size": 256000,
    },
    "gemma-7b": {
        "model_type": "gemma",
        "head_dim": 256,
        "hidden_size": 3072,
        "intermediate_size": 24576,
        "num_attention_heads": 16,
        "num_hidden_layers": 28,
        "num_key_value_heads": 16,
    },
    "qwen2-7b": {
        "model_type": "qwen2",
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "vocab_size": 152064,
        "num_attention_heads": 28,
        "num_hidden_layers": 28,
        "num_key_value_heads": 4,
        "sliding_window": 131072,
        "use_sliding_window": False,
        "max_window_layers": 28,
    },
    "qwen2-windows": {
        "model_type": "qwen2",
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "vocab_size": 152064,
        "num_attention_heads": 28,
        "num_hidden_layers": 28,
        "num_key_value_heads": 4,
        "sliding_window": 4096,
        "use_sliding_window": True,
        "max_window_layers": 21,
    },
    "qwen2-moe": {
        "model_type": "qwen2_moe",
        "hidden_size": 3584,
        "num_attention_heads": 28,
        "num_hidden_layers": 28,
        "num_key_value_heads": 4,
        "sliding_window": 65536,
        "use_sliding_window": False,
        "max_window_layers": 28,
        "num_experts": 64,
        "num_experts_per_tok": 8,
    },
    "mistral-7b-v0.1": {
        "model_type": "mistral",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "num_key_value_heads": 8,
        "sliding_window": 4096,
    },
    "mistral-7b-v0.3": {
        "model_type": "mistral",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "num_key_value_heads": 8,
        "sliding_window": None,
        "vocab_size": 32768,
    },
    "mistral-small-3": {
        "model_type": "mistral",
        "head_dim": 128,
        "hidden_size": 5120,
        "intermediate_size": 32768,
        "num_attention_heads": 32,
        "num_hidden_layers": 40,
        "num_key_value_heads": 8,
        "sliding_window": None,
        "vocab_size": 131072,
    },
    "phi-3-mini-4k": {
        "model_type": "phi3",
        "hidden_size": 3072,
        "intermediate_size": 8192,
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "num_key_value_heads": 32,
        "sliding_window": 2047,
    },
    "phi-4": {
        "model_type": "phi3",
        "hidden_size": 5120,
        "intermediate_size": 17920,
        "num_attention_heads": 40,
        "num_hidden_layers": 40,
        "num_key_value_heads": 10,
        "sliding_window": None,
        "vocab_size": 100352,
    },
    "phi-2": {
        "model_type": "phi",
        "hidden_size": 2560,
        "intermediate_size": 10240,
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "num_key_value_heads": 32,
        "vocab_size": 51200,
    },
    "command-r-v01": {
        "model_type": "cohere",
        "hidden_size": 8192,
        "intermediate_size": 22528,
        "num_attention_heads": 64,
        "num_hidden_layers": 40,
        "num_key_value_heads": 64,
    },
    "command-r7b": {
        "model_type": "cohere2",
        "head_dim": 128,
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "num_key_value_heads": 8,
        "sliding_window": 4096,
        "sliding_window_pattern": 4,
    },
    "olmo-2-7b": {
        "model_type": "olmo2",
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "num_key_value_heads": 32,
        "vocab_size": 100352,
    },
    "olmo-3-32b": {
        "model_type": "olmo3",
        "hidden_size": 5120,
        "intermediate_size": 27648,
        "num_attention_heads": 40,
        "num_hidden_layers": 64,
        "num_key_value_heads": 8,
        "sliding_window": 4096,
        "vocab_size": 100278,
    },
    "glm-4-9b": {
        "model_type": "glm4",
        "head_dim": 128,
        "hidden_size": 4096,
        "intermediate_size": 13696,
        "num_attention_heads": 32,
        "num_hidden_layers": 40,
        "num_key_value_heads": 2,
    },
    "glm-4.5": {
        "model_type": "glm4_moe",
        "head_dim": 128,
        "hidden_size": 5120,
        "intermediate_size": 12288,
        "num_attention_heads": 96,
        "num_hidden_layers": 92,
        "num_key_value_heads": 8,
        "n_routed_experts": 160,
        "moe_intermediate_size": 1536,
        "num_experts_per_tok": 8,
        "first_k_dense_replace": 3,
        "n_shared_experts": 1,
    },
    "glm-4.7-flash": {
        "model_type": "glm4_moe_lite",
        "hidden_size": 2048,
        "num_attention_heads": 20,
        "num_hidden_layers": 47,
        "num_key_value_heads": 20,
        "kv_lora_rank": 512,
        "qk_rope_head_dim": 64,
    },
    "nemotron-h-8b": {
        "model_type": "nemotron_h",
        "hybrid_override_pattern": "M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M-",
        "hidden_size": 4096,
        "head_dim": 128,
        "num_attention_heads": 32,
        "num_hidden_layers": 52,
        "num_key_value_heads": 8,
        "mamba_num_heads": 128,
        "mamba_head_dim": 64,
        "n_groups": 8,
        "ssm_state_size": 128,
        "conv_kernel": 4,
    },
    "jamba-1.5-mini": {
        "model_type": "jamba",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "num_key_value_heads": 8,
        "attn_layer_offset": 4,
        "attn_layer_period": 8,
        "mamba_d_conv": 4,
        "mamba_d_state": 16,
        "mamba_expand": 2,
        "num_experts": 16,
        "num_experts_per_tok": 2,
    },
    "mamba-2.8b": {
        "model_type": "mamba",
        "hidden_size": 2560,
        "num_hidden_layers": 64,
        "state_size": 16,
        "conv_kernel": 4,
        "expand": 2,
    },
    "bamba-9b": {
        "model_type": "bamba",
        "attn_layer_indices": [9, 18, 27],
        "hidden_size": 4096,
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "num_key_value_heads": 8,
        "mamba_n_heads": 128,
        "mamba_d_head": 64,
        "mamba_n_groups": 1,
        "mamba_d_state": 128,
        "mamba_d_conv": 4,
    },
    "falcon-7b": {
        "model_type": "falcon",
        "hidden_size": 4544,
        "multi_query": True,
        "new_decoder_architecture": False,
        "num_attention_heads": 71,
        "num_hidden_layers": 32,
    },
    "falcon-h1-7b": {
        "model_type": "falcon_h1",
        "hidden_size": 3072,
        "head_dim": 128,
        "num_attention_heads": 12,
        "num_key_value_heads": 2,
        "num_hidden_layers": 44,
        "mamba_d_ssm": 3072,
        "mamba_d_head": 128,
        "mamba_n_heads": 24,
        "mamba_d_state": 256,
        "mamba_n_groups": 1,
        "mamba_d_conv": 4,
    },
    "granite-3-8b": {
        "model_type": "granite",
        "hidden_size": 4096,
        "intermediate_size": 12800,
        "num_attention_heads": 32,
        "num_hidden_layers": 40,
        "num_key_value_heads": 8,
    },
    "granite-4-h-small": {
        "model_type": "granitemoehybrid",
        "hidden_size": 4096,
        "num_attention_heads": 32,
        "num_hidden_layers": 40,
        "num_key_value_heads": 8,
        "layer_types": [
            "attention" if place in {5, 15, 25, 35} else "mamba" for place in range(40)
        ],
        "mamba_n_heads": 128,
        "mamba_d_head": 64,
        "mamba_n_groups": 1,
        "mamba_d_state": 128,
        "mamba_d_conv": 4,
    },
    "deepseek-v2-lite": {
        "model_type": "deepseek_v2",
        "hidden_size": 2048,
        "num_attention_heads": 16,
        "num_hidden_layers": 27,
        "num_key_value_heads": 16,
        "kv_lora_rank": 512,
        "qk_rope_head_dim": 64,
        "qk_nope_head_dim": 128,
        "v_head_dim": 128,
    },
    "kimi-linear-48b": {
        "model_type": "kimi_linear",
        "hidden_size": 2304,
        "num_attention_heads": 32,
        "num_hidden_layers": 27,
        "num_key_value_heads": 32,
        "kv_lora_rank": 512,
        "qk_rope_head_dim": 64,
        "qk_nope_head_dim": 128,
        "v_head_dim": 128,
        "linear_attn_config": {
            "full_attn_layers": [4, 8, 12, 16, 20, 24, 27],
            "kda_layers": [
                *(1, 2, 3, 5, 6, 7, 9, 10, 11, 13, 14, 15, 17, 18, 19, 21, 22, 23, 25, 26),
            ],
            "head_dim": 128,
            "num_heads": 32,
            "short_conv_kernel_size": 4,
        },
    },
    "qwen3-next-80b": {
        "model_type": "qwen3_next",
        "full_attention_interval": 4,
        "head_dim": 256,
        "hidden_size": 2048,
        "num_attention_heads": 16,
        "num_hidden_layers": 48,
        "num_key_value_heads": 2,
        "linear_num_key_heads": 16,
        "linear_key_head_dim": 128,
        "linear_num_value_heads": 32,
        "linear_value_head_dim": 128,
        "linear_conv_kernel_dim": 4,
    },
    "gpt-oss-20b": {
        "model_type": "gpt_oss",
        "head_dim": 64,
        "hidden_size": 2880,
        "num_attention_heads": 64,
        "num_hidden_layers": 24,
        "num_key_value_heads": 8,
        "sliding_window": 128,
    },
    "exaone-4-32b": {
        "model_type": "exaone4",
        "head_dim": 128,
        "hidden_size": 5120,
        "num_attention_heads": 40,
        "num_hidden_layers": 64,
        "num_key_value_heads": 8,
        "sliding_window": 4096,
        "sliding_window_pattern": 4,
    },
    "seed-oss-36b": {
        "model_type": "seed_oss",
        "head_dim": 128,
        "hidden_size": 5120,
        "num_attention_heads": 80,
        "num_hidden_layers": 64,
        "num_key_value_heads": 8,
    },
    "smollm3-3b": {
        "model_type": "smollm3",
        "hidden_size": 2048,
        "num_attention_heads": 16,
        "num_hidden_layers": 36,
        "num_key_value_heads": 4,
    },
    "starcoder2-15b": {
        "model_type": "starcoder2",
        "hidden_size": 6144,
        "num_attention_heads": 48,
        "num_hidden_layers": 40,
        "num_key_value_heads": 4,
        "sliding_window": 4096,
    },
    "afmoe": {
        "model_type": "afmoe",
        "hidden_size": 2048,
        "num_attention_heads": 32,
        "num_hidden_layers": 32,
        "num_key_value_heads": 4,
        "head_dim": 128,
        "sliding_window": 2048,
    },
    "lfm2-1.2b": {
        "model_type": "lfm2",
        "hidden_size": 2048,
        "num_attention_heads": 32,
        "num_hidden_layers": 16,
        "num_key_value_heads": 8,
        "full_attn_idxs": [2, 5, 8, 10, 12, 14],
        "conv_L_cache": 3,
    },
    "recurrentgemma-9b": {
        "model_type": "recurrent_gemma",
        "hidden_size": 4096,
        "num_attention_heads": 16,
        "num_hidden_layers": 38,
        "num_key_value_heads": 1,
        "block_types": ["recurrent", "recurrent", "attention"],
        "attention_window_size": 2048,
        "lru_width": 4096,
    },
}
# Keys that are removed one at a time. A configuration that becomes invalid is skipped.
DROPPED = (
    *("num_key_value_heads", "head_dim", "sliding_window", "use_sliding_window", "layer_types"),
    *("max_window_layers", "sliding_window_pattern", "num_attention_heads", "no_rope_layers"),
    *("full_attention_interval", "indexer_types", "kv_lora_rank", "qk_rope_head_dim"),
)
_DECIDE = re.compile(
    r"model_type|text_config|layer|head|hidden_size|window|chunk|rank|rope_dim|index|sparse|compress"
    r"|expert|intermediate|vocab|tie_|mamba|ssm|conv|linear|group|expand|state|pattern|interval"
    r"|quantization_config|k_eq_v|swa_|o_lora|topk|attention_value|moe|block|no_rope|expert_dtype"
    r"|attn|gating|freq|offset|lora|dense|query|decoder|types|hidden_size_per"
)
_NOT = re.compile(r"vision|audio|rope_(theta|scaling|parameters)|norm|bias|token|num_return|beam")


def decisive(config: dict[str, Any]) -> dict[str, Any]:
    """The keys of ``config`` that decide the sizes of cache and weights."""
    found = {}
    for key, value in config.items():
        if key == "text_config" and isinstance(value, dict):
            found[key] = decisive(value)
        elif key == "quantization_config" or (_DECIDE.search(key) and not _NOT.search(key)):
            found[key] = value
    return found


def resolved(config: dict[str, Any]) -> dict[str, Any] | None:
    """The properties of each layer according to transformers; None for an unknown model type."""
    plain = json.loads(json.dumps(config))
    plain.pop("quantization_config", None)
    kind = plain.pop("model_type")
    if kind not in CONFIG_MAPPING:
        return None
    try:
        whole = CONFIG_MAPPING[kind](**plain)
        text = whole.get_text_config()
        text.allow_global_per_layer_attribute_access = True
    except Exception as error:
        sys.stderr.write(f"{kind}: {type(error).__name__}\n")
        return None

    def get(key: str) -> Any:
        try:
            return getattr(text, key, None)
        except Exception:
            return None

    own = (
        [text.per_layer_config[place] for place in range(text.num_hidden_layers)]
        if getattr(text, "per_layer_config", None)
        else []
    )
    kinds = get("layer_types")
    heads, width = get("num_key_value_heads"), get("head_dim")
    return {
        "layers": text.num_hidden_layers if kinds is None else len(kinds),
        "layer_types": kinds,
        "kv_heads": [getattr(one, "num_key_value_heads", heads) for one in own] or heads,
        "head_dim": [getattr(one, "head_dim", width) for one in own]
        or width
        or (get("hidden_size") // get("num_attention_heads") if get("num_attention_heads") else 0),
        "sliding_window": get("sliding_window"),
        "chunk": get("attention_chunk_size"),
        "latent": [get("kv_lora_rank"), get("qk_rope_head_dim")] if get("kv_lora_rank") else None,
        "tied": bool(getattr(whole, "tie_word_embeddings", get("tie_word_embeddings"))),
    }


def without(config: dict[str, Any], key: str) -> dict[str, Any] | None:
    """``config`` without ``key`` in its language part; None if ``key`` is missing."""
    copy: dict[str, Any] = json.loads(json.dumps(config))
    part = copy.get("text_config", copy)
    if key not in part:
        return None
    del part[key]
    return copy


def main(folder: str) -> None:
    published = {
        path.name.removesuffix("_config.json").replace("--", "/", 1): decisive(
            json.loads(path.read_text(encoding="utf-8"))
        )
        for path in sorted(Path(folder).glob("*_config.json"))
    }
    shapes: list[dict[str, Any]] = []
    for name, config in {**published, **FAMILIES}.items():
        for key in (None, *DROPPED):
            changed = config if key is None else without(config, key)
            if changed is None or (facts := resolved(changed)) is None:
                continue
            shapes.append({"name": name, "without": key, **facts})
    document = {"published": published, "families": FAMILIES, "shapes": shapes}
    text = json.dumps(document, separators=(",", ":"), sort_keys=True).replace("Infinity", "1e300")
    target = Path(__file__).parent / "data" / "configurations.json.xz"
    target.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
    sys.stdout.write(f"{len(published)} published, {len(shapes)} shapes\n")


if __name__ == "__main__":
    main(sys.argv[1])
