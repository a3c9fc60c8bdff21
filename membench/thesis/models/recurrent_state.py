"""Computes the bytes of the recurrent state of one layer, per sequence.

A state consists of matrices or vectors, and usually of the last inputs of a convolution. Matrices
and vectors are in float32 unless the configuration names another type. The convolution inputs
(kernel width minus 1) have 16 bits.
"""

from __future__ import annotations

from membench.thesis.models.configuration import Config, ModelError, Text, number

_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
_HALF = 2
STATE_HEADS = ("mamba_n_heads", "mamba_num_heads", "n_mamba_heads", "num_heads")
"""Keys for the number of heads of a state-space model."""


def state_bytes(text: Text) -> int:
    for reader in (_gated_delta, _kimi_delta, _mamba, _lightning, _gated_recurrence):
        if (found := reader(text)) is not None:
            return found
    raise ModelError(f"the size of the recurrent state of '{text.kind}' is unknown")


def convolution_bytes(text: Config) -> int:
    """Bytes of the state of one short-convolution layer (LFM2), per sequence."""
    return _tail(number(text, "hidden_size"), number(text, "conv_L_cache"))


def _element(text: Config) -> int:
    for key in ("mamba_ssm_dtype", "mamba_ssm_cache_dtype"):
        if (name := text.get(key)) is not None:
            if name not in _BYTES:
                raise ModelError(f"'{key}' of the model has the unknown value '{name}'")
            return _BYTES[name]
    return _BYTES["float32"]


def _tail(channels: int, kernel: int) -> int:
    return channels * max(kernel - 1, 0) * _HALF


def _gated_delta(text: Text) -> int | None:
    """Bytes of a state of the gated delta rule (Qwen3-Next); None for any other state.

    The state is a matrix per value head, and the inputs of a convolution.
    """
    if "linear_num_key_heads" not in text:
        return None
    width = number(text, "linear_key_head_dim")
    keys = number(text, "linear_num_key_heads") * width
    values = number(text, "linear_num_value_heads") * number(text, "linear_value_head_dim")
    tail = _tail(2 * keys + values, number(text, "linear_conv_kernel_dim"))
    return values * width * _element(text) + tail


def _kimi_delta(text: Text) -> int | None:
    """Bytes of a state of Kimi Delta Attention; None for any other state.

    The state is a square matrix per head, and the inputs of convolutions.
    """
    inner = text.get("linear_attn_config")
    part: Config = inner if isinstance(inner, dict) else {}
    if not part and "linear_num_heads" not in text:
        return None
    heads = number(part, "num_heads", default=number(text, "linear_num_heads", default=0))
    width = number(part, "head_dim", default=number(text, "linear_head_dim", default=0))
    usual = number(text, "linear_conv_kernel_dim", default=0)
    kernel = number(part, "short_conv_kernel_size", default=usual)
    return heads * width * width * _element(text) + _tail(3 * heads * width, kernel)


def _mamba(text: Text) -> int | None:
    """Bytes of a state of Mamba 1 or Mamba 2; None for any other state.

    The state is a vector per channel (Mamba 1) or a matrix per head (Mamba 2), and the inputs of a
    convolution.
    """
    states = number(text, "mamba_d_state", "ssm_state_size", "state_size", default=0)
    if not states:
        return None
    kernel = number(text, "mamba_d_conv", "conv_kernel")
    expanded = number(text, "mamba_expand", "expand", default=2) * number(text, "hidden_size")
    heads = number(text, *STATE_HEADS, default=0)
    if text.kind in {"mamba", "falcon_mamba", "jamba"} or not heads:
        return expanded * states * _element(text) + _tail(expanded, kernel)
    inner = number(text, "mamba_d_ssm", default=expanded)
    if text.get("mamba_d_head") not in (None, "auto"):
        inner = heads * number(text, "mamba_d_head")
    elif "mamba_head_dim" in text:
        inner = heads * number(text, "mamba_head_dim")
    groups = number(text, "mamba_n_groups", "mamba_ngroups", "n_groups", default=1)
    return inner * states * _element(text) + _tail(inner + 2 * groups * states, kernel)


def _lightning(text: Text) -> int | None:
    """Bytes of a state of lightning attention (MiniMax); None for any other state.

    The state is a square matrix per head.
    """
    if not text.kind.startswith("minimax"):
        return None
    width = number(text, "head_dim")
    return number(text, "num_attention_heads") * width * width * _element(text)


def _gated_recurrence(text: Text) -> int | None:
    """Bytes of a state of RG-LRU (RecurrentGemma); None for any other state.

    The state is a number per channel, and the inputs of a convolution.
    """
    if "lru_width" not in text:
        return None
    width = number(text, "lru_width", default=number(text, "hidden_size"))
    return width * _element(text) + _tail(width, number(text, "conv1d_width"))
