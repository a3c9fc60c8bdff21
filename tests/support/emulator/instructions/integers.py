"""Integer arithmetic. ``add``, ``sub``, ``min`` and similar functions also accept floats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from emulator.operands import Scope, Step, reject
from emulator.scalars import Lanes, dtype
from emulator.source import Instruction

Function = Callable[..., Any]


def apply(
    instruction: Instruction, scope: Scope, function: Function, types: tuple[str, ...], result: str
) -> Step:
    """A step that computes ``target = function(sources)``. The sources are read as ``types``."""
    write = scope.writer(instruction.args[0], result)
    reads = [
        scope.reader(operand, type_)
        for operand, type_ in zip(instruction.args[1:], types, strict=True)
    ]
    target = dtype(result)
    if len(reads) == 1:
        (a,) = reads
        return lambda wave: write(wave, _as(function(a(wave)), target))
    if len(reads) == 2:
        a, b = reads
        return lambda wave: write(wave, _as(function(a(wave), b(wave)), target))
    return lambda wave: write(wave, _as(function(*(read(wave) for read in reads)), target))


def _as(value: Lanes, target: np.dtype[Any]) -> Lanes:
    return value if value.dtype == target else value.astype(target)


def elementwise(function: Function, operands: int, allowed: set[str] | None = None) -> Function:
    """A maker for instructions whose operands all have the type in the last part of the opcode."""

    def make(instruction: Instruction, scope: Scope) -> Step:
        reject(instruction, allowed or set(), instruction.parts[1:-1])
        type_ = instruction.parts[-1]
        return apply(instruction, scope, function, (type_,) * operands, type_)

    return make


def is_integer(type_: str) -> bool:
    """Whether ``type_`` is an integer type with one element."""
    return type_[0] in "usb" and "x" not in type_ and not type_.startswith("bf")


def low_mul(a: Lanes, b: Lanes) -> Lanes:
    """The lower half of the product, in the type of the operands."""
    product: Lanes = np.multiply(a, b)
    return product


def high_mul(a: Lanes, b: Lanes) -> Lanes:
    """The upper half of the product, in the type of the operands."""
    if a.dtype.itemsize < 8:
        wide = np.dtype(f"{a.dtype.kind}{2 * a.dtype.itemsize}")
        bits = wide.type(8 * a.dtype.itemsize)
        upper: Lanes = ((a.astype(wide) * b.astype(wide)) >> bits).astype(a.dtype)
        return upper
    unsigned = _high_unsigned(a.astype(np.uint64), b.astype(np.uint64))
    if a.dtype.kind == "u":
        return unsigned
    correction = np.where(a < 0, b, 0) + np.where(b < 0, a, 0)
    signed: Lanes = unsigned.view(np.int64) - correction
    return signed


def _high_unsigned(a: Lanes, b: Lanes) -> Lanes:
    half, mask = np.uint64(32), np.uint64(0xFFFFFFFF)
    a_low, a_high, b_low, b_high = a & mask, a >> half, b & mask, b >> half
    low = a_low * b_low
    cross = a_high * b_low + (low >> half)
    other = a_low * b_high + (cross & mask)
    upper: Lanes = a_high * b_high + (cross >> half) + (other >> half)
    return upper


def wide_mul(a: Lanes, b: Lanes) -> Lanes:
    """The whole product, in a type of twice the width."""
    wide = np.dtype(f"{a.dtype.kind}{2 * a.dtype.itemsize}")
    product: Lanes = np.multiply(a.astype(wide), b.astype(wide))
    return product


def mul(instruction: Instruction, scope: Scope) -> Step:
    """Multiply integers: mul.lo (lower half), mul.hi (upper half), mul.wide (all bits)."""
    *kind, type_ = instruction.parts[1:]
    if kind == ["wide"]:
        wide = f"{type_[0]}{2 * int(type_[1:])}"
        return apply(instruction, scope, wide_mul, (type_, type_), wide)
    functions = {"lo": low_mul, "hi": high_mul}
    if len(kind) != 1 or kind[0] not in functions:
        raise instruction.unknown()
    return apply(instruction, scope, functions[kind[0]], (type_, type_), type_)


def mad(instruction: Instruction, scope: Scope) -> Step:
    """Multiply integers and add a third operand: mad.lo, mad.hi and mad.wide."""
    *kind, type_ = instruction.parts[1:]
    if kind == ["wide"]:
        wide = f"{type_[0]}{2 * int(type_[1:])}"
        return apply(
            instruction, scope, lambda a, b, c: wide_mul(a, b) + c, (type_, type_, wide), wide
        )
    functions = {"lo": low_mul, "hi": high_mul}
    if len(kind) != 1 or kind[0] not in functions:
        raise instruction.unknown()
    product = functions[kind[0]]
    return apply(instruction, scope, lambda a, b, c: product(a, b) + c, (type_,) * 3, type_)


def quotient(a: Lanes, b: Lanes) -> Lanes:
    """Integer division rounded towards zero. The result is all ones if the divisor is zero."""
    a, b = np.broadcast_arrays(a, b)
    safe = np.where(b == 0, b.dtype.type(1), b)
    result = a // safe
    if a.dtype.kind == "i":
        result = result + ((a - result * safe != 0) & ((a < 0) != (safe < 0)))
    return np.where(b == 0, ~b.dtype.type(0), result).astype(a.dtype)


def remainder(a: Lanes, b: Lanes) -> Lanes:
    """The remainder of `quotient`, with the sign of the dividend."""
    return np.where(b == 0, a, a - quotient(a, b) * b)


def dp4a(instruction: Instruction, scope: Scope) -> Step:
    """Dot product of four bytes, added to a word."""
    first, second = instruction.parts[1:]
    signs = {"u32": np.uint8, "s32": np.int8}
    if first not in signs or second not in signs:
        raise instruction.unknown()

    def part(word: Lanes, place: int, type_: str) -> Lanes:
        byte = (word >> np.uint32(8 * place)).astype(np.uint8)
        return byte.view(signs[type_]).astype(np.int64)

    def function(a: Lanes, b: Lanes, c: Lanes) -> Lanes:
        total = c.astype(np.int64)
        for place in range(4):
            total = total + part(a, place, first) * part(b, place, second)
        return total.astype(np.uint32)

    return apply(instruction, scope, function, ("b32", "b32", "b32"), "b32")


def sad(a: Lanes, b: Lanes, c: Lanes) -> Lanes:
    """``|a - b| + c``."""
    return np.where(a < b, b - a, a - b) + c


TABLE: dict[str, Function] = {
    "dp4a": dp4a,
    "sad": elementwise(sad, 3),
}
