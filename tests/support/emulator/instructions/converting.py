"""cvt and cvt.pack: conversions between all types."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from emulator.instructions.integers import apply, is_integer
from emulator.operands import Scope, Step, reject
from emulator.scalars import Lanes, bf16_to_f32, dtype, f32_to_bf16, packed
from emulator.source import Instruction

_TO_INTEGER: dict[str, Callable[[Lanes], Lanes]] = {
    "rni": np.rint,
    "rzi": np.trunc,
    "rmi": np.floor,
    "rpi": np.ceil,
}
_FLOATS = {"f16", "f32", "f64", "bf16"}


def cvt(instruction: Instruction, scope: Scope) -> Step:
    """Convert one value, or two values into a packed word."""
    *modifiers, target, source = instruction.parts[1:]
    if target in ("f16x2", "bf16x2") and source == "f32":
        return _pack_floats(instruction, scope, tuple(modifiers), target)
    if target == "f16x2" and source in ("e4m3x2", "e5m2x2"):
        return _unpack_fp8(instruction, scope, tuple(modifiers), source)
    if target in ("e4m3x2", "e5m2x2"):
        return _pack_fp8(instruction, scope, tuple(modifiers), target, source)
    function = _function(instruction, tuple(modifiers), target, source)
    return apply(instruction, scope, function, (source,), target)


def _function(
    instruction: Instruction, modifiers: tuple[str, ...], target: str, source: str
) -> Callable[[Lanes], Lanes]:
    result = dtype(target)
    if is_integer(target) and is_integer(source):
        reject(instruction, {"sat"}, modifiers)
        if modifiers:
            return lambda a: _clamped(a, result)
        return lambda a: _fresh(a, result)
    if is_integer(target) and source in _FLOATS:
        reject(instruction, {*_TO_INTEGER, "sat"}, modifiers)
        rounding = next((_TO_INTEGER[m] for m in modifiers if m in _TO_INTEGER), None)
        if rounding is None:
            raise instruction.unknown("no rounding")
        return lambda a: _to_integer(rounding(_value(a, source)), result)
    if target in _FLOATS and is_integer(source):
        reject(instruction, {"rn"}, modifiers)
        if target == "bf16":
            raise instruction.unknown()
        return lambda a: a.astype(result)
    if target in _FLOATS and source in _FLOATS:
        return _between_floats(instruction, modifiers, target, source)
    raise instruction.unknown()


def _between_floats(
    instruction: Instruction, modifiers: tuple[str, ...], target: str, source: str
) -> Callable[[Lanes], Lanes]:
    if target == source and modifiers and modifiers[0] in _TO_INTEGER and target != "bf16":
        reject(instruction, set(), modifiers[1:])
        rounding = _TO_INTEGER[modifiers[0]]
        return lambda a: rounding(a).astype(dtype(target))
    reject(instruction, {"rn", "rz"} if target == "bf16" else {"rn"}, modifiers)
    if target == "bf16":
        truncate = "rz" in modifiers
        if source != "f32":
            raise instruction.unknown()
        return lambda a: f32_to_bf16(a, truncate=truncate)
    return lambda a: _fresh(_value(a, source), dtype(target))


def _value(a: Lanes, type_: str) -> Lanes:
    return bf16_to_f32(a) if type_ == "bf16" else a


def _fresh(a: Lanes, result: np.dtype[Any]) -> Lanes:
    """A new array, because each register needs its own array."""
    return a.astype(result)


def _clamped(a: Lanes, result: np.dtype[Any]) -> Lanes:
    info, own = np.iinfo(result), np.iinfo(a.dtype)
    low, high = max(info.min, own.min), min(info.max, own.max)
    return np.clip(a, low, high).astype(result)


def _to_integer(value: Lanes, result: np.dtype[Any]) -> Lanes:
    """Convert to integers. Values out of range are clamped, NaN becomes 0."""
    info = np.iinfo(result)
    wide = np.asarray(value).astype(np.float64)
    too_high, too_low = wide >= float(info.max), wide <= float(info.min)
    inside = np.where(np.isnan(wide) | too_high | too_low, 0, wide).astype(result)
    clamped = np.where(
        too_high, result.type(info.max), np.where(too_low, result.type(info.min), inside)
    )
    return clamped.astype(result)


def _pack_floats(
    instruction: Instruction, scope: Scope, modifiers: tuple[str, ...], target: str
) -> Step:
    """Pack two floats; the first source becomes the upper half."""
    reject(instruction, {"rn"} if target == "f16x2" else {"rn", "rz"}, modifiers)
    truncate = "rz" in modifiers

    def half(value: Lanes) -> Lanes:
        if target == "f16x2":
            return value.astype(np.float16).view(np.uint16)
        return f32_to_bf16(value, truncate=truncate)

    return apply(instruction, scope, lambda a, b: packed(half(b), half(a)), ("f32", "f32"), target)


@cache
def fp8_table(type_: str) -> Lanes:
    """[256] The f16 value of each fp8 code.

    e4m3 has no infinity and NaN is 0x7F; e5m2 is as in IEEE 754.
    """
    codes = np.arange(256, dtype=np.uint16)
    if type_ == "e5m2":
        return (codes << np.uint16(8)).view(np.float16)
    exponent, digits = (codes >> 3 & 15).astype(np.int32), (codes & 7).astype(np.float64)
    size = np.where(exponent == 0, digits / 8 * 2.0**-6, (1 + digits / 8) * 2.0 ** (exponent - 7))
    size = np.where(codes & 127 == 127, np.nan, size)
    return np.where(codes & 128, -size, size).astype(np.float16)


def _unpack_fp8(
    instruction: Instruction, scope: Scope, modifiers: tuple[str, ...], source: str
) -> Step:
    reject(instruction, {"rn"}, modifiers)
    table = fp8_table(source.removesuffix("x2")).view(np.uint16)

    def function(a: Lanes) -> Lanes:
        return packed(table[a & np.uint16(0xFF)], table[a >> np.uint16(8)])

    return apply(instruction, scope, function, (source,), "f16x2")


def to_fp8(value: Lanes, type_: str) -> Lanes:
    """Convert to fp8: round to nearest even, clamp to the largest number, keep NaN."""
    table = fp8_table(type_).astype(np.float64)[:128]
    finite = table[np.isfinite(table)]
    size = np.abs(np.asarray(value, np.float64))
    above = np.clip(np.searchsorted(finite, size), 1, finite.size - 1)
    low, high = finite[above - 1], finite[above]
    up = (size - low > high - size) | ((size - low == high - size) & (above % 2 == 0))
    code = np.where(up, above, above - 1)
    code = np.where(np.isnan(size), 0x7F, code)
    return (code | np.where(np.signbit(value) & ~np.isnan(size), 0x80, 0)).astype(np.uint16)


def _pack_fp8(
    instruction: Instruction, scope: Scope, modifiers: tuple[str, ...], target: str, source: str
) -> Step:
    reject(instruction, {"rn", "satfinite"}, modifiers)
    if "satfinite" not in modifiers:
        raise instruction.unknown()
    type_ = target.removesuffix("x2")

    def join(high: Lanes, low: Lanes) -> Lanes:
        both: Lanes = to_fp8(low, type_) | (to_fp8(high, type_) << np.uint16(8))
        return both

    if source == "f32":
        return apply(instruction, scope, join, ("f32", "f32"), target)
    if source != "f16x2":
        raise instruction.unknown()

    def halves_joined(word: Lanes) -> Lanes:
        low = word.astype(np.uint16).view(np.float16)
        high = (word >> np.uint32(16)).astype(np.uint16).view(np.float16)
        return join(high, low)

    return apply(instruction, scope, halves_joined, (source,), target)


TABLE = {"cvt": cvt}
