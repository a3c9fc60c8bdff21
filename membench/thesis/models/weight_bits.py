"""Computes the bytes of a model's weights from the precision of each matrix.

`quantization_config` of a `config.json` gives the bits of each matrix. Supported formats:

- Hugging Face: fp8, mxfp4, gptq, awq, auto-round, bitsandbytes, fbgemm_fp8
- compressed-tensors
- NVIDIA ModelOpt

The bytes include the scales:

- NVFP4 has 8 bits of scale per 16 weights: 4.5 bits per weight.
- MXFP4 has 8 bits of scale per 32 weights: 4.25 bits per weight.
- FP8 in blocks of 128 x 128 has a float32 scale per block: 8.002 bits per weight.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from fnmatch import translate
from typing import Any, NamedTuple

from membench.core.record import record
from membench.thesis.models.configuration import Config, ModelError, Text, resolved, text_part
from membench.thesis.models.matrices import MatrixRole, WeightMatrix, matrices


class Precision(NamedTuple):
    """A precision of weights. ``bits`` is the number of bits per weight, including scales."""

    bits: float
    name: str


_PLAIN = Precision(16.0, "16 bits")
_TYPES = {
    "float32": Precision(32.0, "32 bits"),
    **dict.fromkeys(("float16", "bfloat16", "half", "fp16", "bf16"), _PLAIN),
}
_NVFP4 = Precision(4 + 8 / 16, "NVFP4")
_MXFP4 = Precision(4 + 8 / 32, "MXFP4")
_FP8 = Precision(8.0, "FP8")
_INT8 = Precision(8.0, "INT8")
_INT4 = Precision(4 + 16 / 128, "INT4")
_ALGORITHMS = {
    "NVFP4": _NVFP4,
    "NVFP4_AWQ": _NVFP4,
    "W4A16_NVFP4": _NVFP4,
    "W4A8_NVFP4_FP8": _NVFP4,
    "MXFP4": _MXFP4,
    "W4A8_MXFP4_FP8": _MXFP4,
    "FP8": _FP8,
    "FP8_PB_WO": Precision(8 + 32 / 128**2, "FP8"),
    "MXFP8": Precision(8 + 8 / 32, "MXFP8"),
    "FP8_PER_CHANNEL_PER_TOKEN": _FP8,
    "W4A16_AWQ": _INT4,
    "W4A8_AWQ": _INT4,
    "INT8_SQ": _INT8,
    "W8A8_SQ_PER_CHANNEL": _INT8,
    "W8A16": _INT8,
}
_GIVE = "give the precision: --weights fp8, nvfp4, mxfp4, int8, int4 or bf16"
_SCALE_BITS = {"float": 8, "int": 16}
# (pattern of a name in checkpoints, name in membench) for components of a layer
_SPELLINGS = (
    (re.compile(r"(?<=\.)(attn|attention|self_attention)(?=\.|\*|$)"), "self_attn"),
    (re.compile(r"(?<=\.)(ffn|block_sparse_moe|feed_forward|moe)(?=\.|\*|$)"), "mlp"),
    (re.compile(r"(?<=\.)(shared_experts?|shared_mlp|share_expert)(?=[.*]|$)"), "shared_experts"),
    (re.compile(r"(?<=\.)(router)(?=[.*]|$)"), "gate"),
    (re.compile(r"(?<=\.)mlp\.router(?=[.*]|$)"), "mlp.gate"),
)
_EXPERT_LEAF = re.compile(r"(\.experts)\.(\d+|\*)(\..*)?$")


class WeightType(StrEnum):
    """A precision that a user can choose for a model's matrices. `auto` uses the configuration."""

    AUTO = "auto"
    BF16 = "bf16"
    FP8 = "fp8"
    NVFP4 = "nvfp4"
    MXFP4 = "mxfp4"
    INT8 = "int8"
    INT4 = "int4"


_UNIFORM = {
    WeightType.BF16: _PLAIN,
    WeightType.FP8: _FP8,
    WeightType.NVFP4: _NVFP4,
    WeightType.MXFP4: _MXFP4,
    WeightType.INT8: _INT8,
    WeightType.INT4: _INT4,
}


@record(kw_only=True)
class Weights:
    """Bytes of a model's weights, including scales.

    Attributes:
        stored: bytes of all weights, over all GPUs.
        read: bytes that every decode step reads: all except routed experts and embedding.
        experts: bytes of all routed experts.
        label: the name of the precision of the matrices with the most weights.
        bits: mean bits per weight.
    """

    stored: float
    read: float
    experts: float
    label: str
    bits: float


def weights_of(config: Config, wanted: WeightType = WeightType.AUTO) -> Weights:
    """The bytes of the weights of the model that ``config`` describes.

    Args:
        wanted: `auto` for the precisions in ``config``. Otherwise, the precision of the matrices of
            the layers; embedding, output head and routers then have 16 bits.

    Raises:
        ModelError: the weights cannot be counted, or the precision is unknown.
    """
    text = resolved(config)
    found = matrices(text)
    count = sum(one.weights for one in found)
    if not count:
        raise ModelError(
            "the matrices of the model have no weights", "see 'hidden_size' in the configuration"
        )
    held_as = _uniform(_UNIFORM[wanted]) if wanted in _UNIFORM else _stated(config, text)
    precisions = [held_as(one) for one in found]
    size = [
        precision.bits * one.weights / 8 for one, precision in zip(found, precisions, strict=True)
    ]
    whole = sum(size)
    routed = sum(
        held for one, held in zip(found, size, strict=True) if one.role is MatrixRole.EXPERTS
    )
    looked_up = sum(
        held for one, held in zip(found, size, strict=True) if one.role is MatrixRole.EMBEDDING
    )
    by_name: dict[str, float] = {}
    for one, precision in zip(found, precisions, strict=True):
        by_name[precision.name] = by_name.get(precision.name, 0.0) + one.weights
    return Weights(
        stored=whole,
        read=whole - routed - looked_up,
        experts=routed,
        label=max(by_name, key=lambda name: by_name[name]),
        bits=8 * whole / count,
    )


def cache_type(config: Config) -> str | None:
    """`fp8` if the quantization settings give the KV cache 8 bits or an FP8 format, else None."""
    for part in (config, text_part(config)):
        try:
            quantized = _quantization(part)
        except ModelError:
            continue
        scheme = quantized.get("kv_cache_scheme") or quantized.get("kv_cache_quant_algo")
        eight = isinstance(scheme, Mapping) and scheme.get("num_bits") == 8
        if eight or (isinstance(scheme, str) and "FP8" in scheme.upper()):
            return "fp8"
    return None


def _quantization(part: Config) -> Mapping[str, Any]:
    """The quantization settings in ``part``; empty if ``part`` has no such settings.

    ModelOpt nests the settings in ``quantization``. Older compressed-tensors files have
    ``compression_config`` instead of ``quantization_config``.
    """
    for key in ("quantization_config", "compression_config"):
        stated = part.get(key)
        if stated is None or stated == {}:
            continue
        if not isinstance(stated, Mapping):
            raise ModelError(
                f"the precision of the weights is not known: '{key}' is {str(stated)[:40]!r}, not "
                "an object",
                _GIVE,
            )
        inner = stated.get("quantization")
        return {**stated, **inner} if isinstance(inner, Mapping) else stated
    return {}


def says_precision(config: Config) -> bool:
    """Whether ``config`` has quantization settings, in a known or unknown format."""
    keys = ("quantization_config", "compression_config")
    return any(part.get(key) for part in (config, text_part(config)) for key in keys)


Held = Callable[[WeightMatrix], Precision]


def _uniform(held: Precision) -> Held:
    return lambda one: held if one.role in {MatrixRole.LAYER, MatrixRole.EXPERTS} else _PLAIN


def _plain(config: Config, text: Config, *, quantized: bool) -> Precision:
    """The precision of the matrices that are not quantized; 16 bits if no key gives one."""
    for part in (text, config):
        for key in ("dtype", "torch_dtype"):
            name = part.get(key)
            if not isinstance(name, str) or name in {"", "auto"}:
                continue
            if (short := name.removeprefix("torch.")) in _TYPES:
                return _TYPES[short]
            if not quantized:
                raise ModelError(
                    f"the precision of the weights is not known: '{key}' has the unknown value "
                    f"'{name[:40]}'",
                    _GIVE,
                )
    return _PLAIN


def _stated(config: Config, text: Text) -> Held:
    quantized = _quantization(config) or _quantization(text)
    plain = _plain(config, text, quantized=bool(quantized))
    if not quantized:
        return lambda _: plain
    method = str(quantized.get("quant_method") or "").lower().replace("_", "-")
    if not method and (quantized.get("load_in_4bit") or quantized.get("load_in_8bit")):
        method = "bitsandbytes"  # the only method before transformers 4.32
    scheme = str(quantized.get("quant_algo") or "").upper()
    lists = "config_groups" in quantized or "quantized_layers" in quantized
    kept = _pattern(
        [
            name
            for key in ("modules_to_not_convert", "ignore", "exclude_modules", "ignored_layers")
            for name in _words(quantized.get(key))
        ]
    )
    if scheme or method == "modelopt" or (lists and method not in {"fp8", "fbgemm-fp8"}):
        return _by_lists(quantized, scheme, kept, plain)
    within: Held
    if method == "mxfp4":
        within = _of_roles({MatrixRole.EXPERTS: _MXFP4}, plain)
    elif method in {"fp8", "fbgemm-fp8"}:
        own = _MXFP4 if text.get("expert_dtype") == "fp4" else None
        eight = Precision(8 + _block_scale(quantized), "FP8")
        within = _of_roles({MatrixRole.LAYER: eight, MatrixRole.EXPERTS: own or eight}, plain)
    elif method in {"gptq", "awq", "auto-round", "gptqmodel", "intel/auto-round"}:
        bits = _positive(quantized, "bits")
        scales = _per_group(quantized.get("group_size", 128), 16 + bits)  # scale and zero point
        packed = Precision(bits + scales, f"INT{bits}")
        within = _of_roles({MatrixRole.LAYER: packed, MatrixRole.EXPERTS: packed}, plain)
    elif method == "bitsandbytes":
        four = Precision(4 + 32 / 64, "NF4")
        packed = four if quantized.get("load_in_4bit") else _INT8
        within = _of_roles({MatrixRole.LAYER: packed, MatrixRole.EXPERTS: packed}, plain)
    else:
        raise ModelError(
            "the precision of the weights is not known: 'quant_method' has the unknown value "
            f"'{method}'",
            _GIVE,
        )
    return lambda one: plain if kept(one.name) else within(one)


def _of_roles(held: Mapping[MatrixRole, Precision], plain: Precision) -> Held:
    return lambda one: held.get(one.role, plain)


def _by_lists(
    quantized: Mapping[str, Any], scheme: str, kept: Callable[[str], bool], plain: Precision
) -> Held:
    """The precision of each matrix, for ModelOpt and compressed-tensors.

    ``kept`` is true for the names of matrices that the configuration excludes from quantization.
    """
    groups = _groups(quantized, scheme)
    # DeepSeek V4 with NVFP4 experts: unlisted matrices are in FP8 with block scales
    rest = plain
    if quantized.get("quant_method") == "fp8" and "weight_block_size" in quantized:
        rest = Precision(8 + _block_scale(quantized), "FP8")

    def held_as(one: WeightMatrix) -> Precision:
        if one.role is MatrixRole.EMBEDDING:
            return plain
        listed = next(
            (
                held
                for target, held in groups
                if (target is None and one.role in {MatrixRole.LAYER, MatrixRole.EXPERTS})
                or (target is not None and target(one.name))
            ),
            None,
        )
        if rest != plain:  # ignored matrices are in FP8; head and routers are not
            fallback = rest if one.role in {MatrixRole.LAYER, MatrixRole.EXPERTS} else plain
            return fallback if listed is None or kept(one.name) else listed
        return plain if listed is None or kept(one.name) else listed

    return held_as


def _groups(
    quantized: Mapping[str, Any], scheme: str
) -> list[tuple[Callable[[str], bool] | None, Precision]]:
    """(predicate on matrix names, precision) pairs. A predicate None matches all layer matrices."""
    groups: list[tuple[Callable[[str], bool] | None, Precision]] = []
    layers = quantized.get("quantized_layers")
    if isinstance(layers, Mapping):
        alike: dict[Precision, list[str]] = {}
        for name, how in layers.items():
            algorithm = how.get("quant_algo") if isinstance(how, Mapping) else None
            alike.setdefault(_algorithm(str(algorithm)), []).append(str(name))
        groups += [(_pattern(names), held) for held, names in alike.items()]
    elif isinstance(named := quantized.get("config_groups"), Mapping):
        for group in named.values():
            if not isinstance(group, Mapping) or not isinstance(group.get("weights"), Mapping):
                continue
            targets = _words(group.get("targets"))
            anything = not targets or "Linear" in targets
            groups.append((None if anything else _pattern(targets), _scheme(group["weights"])))
    elif scheme and scheme != "MIXED_PRECISION":
        groups.append((None, _algorithm(scheme)))
    if not groups:
        raise ModelError(
            "the precision of the weights is not known: the configuration does not "
            "list the precision of the matrices",
            _GIVE,
        )
    return groups


def _algorithm(name: str) -> Precision:
    if name not in _ALGORITHMS:
        raise ModelError(
            "the precision of the weights is not known: 'quant_algo' has the unknown value "
            f"'{name}'",
            _GIVE,
        )
    return _ALGORITHMS[name]


def _scheme(weights: Mapping[str, Any]) -> Precision:
    bits = _positive(weights, "num_bits")
    kind = str(weights.get("type") or "int")
    group = weights.get("group_size")
    if kind == "float" and bits == 4:
        return _MXFP4 if group == 32 else _NVFP4
    block = {"weight_block_size": weights.get("block_structure")}
    scales = _block_scale(block) or _per_group(group, _SCALE_BITS.get(kind, 16))
    return Precision(bits + scales, f"FP{bits}" if kind == "float" else f"INT{bits}")


def _per_group(group: Any, bits: float) -> float:
    return bits / group if isinstance(group, int) and group > 0 else 0.0


def _block_scale(quantized: Mapping[str, Any]) -> float:
    block = quantized.get("weight_block_size")
    if isinstance(block, list) and len(block) == 2 and all(type(n) is int and n > 0 for n in block):
        return 32 / float(block[0] * block[1])
    return 0.0


def _positive(part: Mapping[str, Any], key: str) -> int:
    value = part.get(key)
    if type(value) is not int or not 0 < value <= 32:
        raise ModelError(
            f"the precision of the weights is not known: '{key}' is not a whole number of bits "
            "from 1 to 32",
            _GIVE,
        )
    return value


def _words(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, (list, tuple)) else []


def _pattern(names: Iterable[str]) -> Callable[[str], bool]:
    """A predicate: whether a matrix name matches an element of ``names``.

    An element is a component or a prefix of a dotted name, a glob with ``*``, or ``re:`` and a
    regular expression.
    """
    own = [name for name in names if name.startswith("re:")]
    plain = {_canonical(name) for name in names if not name.startswith("re:")}
    globs = [translate(name) for name in plain if "*" in name]
    exact = {name for name in plain if "*" not in name}
    by_glob = re.compile("|".join(globs)) if globs else None
    try:
        written = [re.compile(name.removeprefix("re:")) for name in own]
    except re.error:
        raise ModelError(
            "a pattern of 'ignore' or 'targets' is not a valid regular expression"
        ) from None

    def fits(name: str) -> bool:
        parts = name.split(".")
        above = {".".join(parts[:end]) for end in range(1, len(parts) + 1)}
        if exact & (above | set(parts)) or (by_glob and by_glob.fullmatch(name)):
            return True
        # regular expressions are written for the matrices of single experts
        spelled = f"model.{name}" + (".0.up_proj" if name.endswith(".experts") else "")
        return any(one.match(spelled) for one in written)

    return fits


def _canonical(name: str) -> str:
    """Convert ``name`` to a name of `matrices`: drop the prefix and rename the components."""
    at = name.find("layers.")
    tail = name[at:] if at >= 0 else name.rpartition(".")[2] if "*" not in name else name
    for pattern, ours in _SPELLINGS:
        tail = pattern.sub(ours, tail)
    tail = _EXPERT_LEAF.sub(r"\1", tail)
    return {"head": "lm_head", "router": "gate"}.get(tail, tail)
