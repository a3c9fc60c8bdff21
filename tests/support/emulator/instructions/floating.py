"""Floating-point instructions: f32, f64, f16, bf16 and packed pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from emulator.fused import fma_f32, fma_f64, fma_odd
from emulator.instructions.integers import (
    apply,
    elementwise,
    is_integer,
    mad,
    mul,
    quotient,
    remainder,
)
from emulator.operands import Scope, Step, reject
from emulator.scalars import Lanes, bf16_to_f32, f32_to_bf16, on_halves
from emulator.source import Instruction

Function = Callable[..., Any]


def _f16(raw: Lanes) -> Lanes:
    return raw.view(np.float16)


def in_type(function: Function, type_: str) -> Function:
    """Convert a function of floats to a function of ``type_`` values, which rounds results once.

    16-bit values are computed in f32. Sum, difference and product of two 16-bit values are then
    rounded correctly, because f32 has more than twice as many digits.
    """
    match type_:
        case "f32" | "f64":
            return function
        case "f16":
            return lambda *values: function(*(v.astype(np.float32) for v in values)).astype(
                np.float16
            )
        case "bf16":
            return lambda *values: f32_to_bf16(function(*(bf16_to_f32(v) for v in values)))
        case "f16x2":
            half = in_type(function, "f16")
            return lambda *words: on_halves(
                lambda *raw: half(*(_f16(r) for r in raw)).view(np.uint16), *words
            )
        case "bf16x2":
            half = in_type(function, "bf16")
            return lambda *words: on_halves(half, *words)
    raise KeyError(type_)


_FLOATS = ("f16", "bf16", "f16x2", "bf16x2", "f32", "f64")
_SUMS: dict[str, Function] = {"add": np.add, "sub": np.subtract, "mul": np.multiply}


def arithmetic(name: str) -> Function:
    """add, sub and mul for integers and floats. Floats are rounded to nearest even."""
    function = _SUMS[name]

    def make(instruction: Instruction, scope: Scope) -> Step:
        type_ = instruction.parts[-1]
        if is_integer(type_):
            if name == "mul":
                return mul(instruction, scope)
            reject(instruction, set(), instruction.parts[1:-1])
            return apply(instruction, scope, function, (type_, type_), type_)
        if type_ not in _FLOATS:
            raise instruction.unknown()
        reject(instruction, {"rn"}, instruction.parts[1:-1])
        return apply(instruction, scope, in_type(function, type_), (type_, type_), type_)

    return make


def fma(instruction: Instruction, scope: Scope) -> Step:
    """Multiply-add with a single rounding: fma, and mad of floats."""
    type_ = instruction.parts[-1]
    if is_integer(type_):
        return mad(instruction, scope)
    if type_ not in _FLOATS:
        raise instruction.unknown()
    reject(instruction, {"rn"}, instruction.parts[1:-1])
    exact = fma_f64 if type_ == "f64" else fma_f32
    if type_ not in ("f32", "f64"):
        exact = fma_odd  # makes the later rounding to 16 bits correct
    return apply(instruction, scope, in_type(exact, type_), (type_,) * 3, type_)


def division(instruction: Instruction, scope: Scope) -> Step:
    """div: integers round towards zero; floats round to nearest, also in approximate forms."""
    type_ = instruction.parts[-1]
    if is_integer(type_):
        reject(instruction, set(), instruction.parts[1:-1])
        return apply(instruction, scope, quotient, (type_, type_), type_)
    reject(instruction, {"rn", "approx", "full"}, instruction.parts[1:-1])
    if type_ not in ("f32", "f64"):
        raise instruction.unknown()
    return apply(instruction, scope, np.divide, (type_, type_), type_)


def extremum(number: Function) -> Function:
    """Minimum or maximum. If one operand is NaN, the result is the other operand."""

    def make(instruction: Instruction, scope: Scope) -> Step:
        reject(instruction, set(), instruction.parts[1:-1])
        type_ = instruction.parts[-1]
        if is_integer(type_):
            return apply(instruction, scope, number, (type_, type_), type_)
        if type_ not in _FLOATS:
            raise instruction.unknown()
        return apply(instruction, scope, in_type(number, type_), (type_, type_), type_)

    return make


def unary(function: Function, allowed: set[str] | None = None) -> Function:
    """Negation or absolute value (neg, abs), for integers and floats."""

    def make(instruction: Instruction, scope: Scope) -> Step:
        reject(instruction, allowed or set(), instruction.parts[1:-1])
        type_ = instruction.parts[-1]
        convert = function if is_integer(type_) else in_type(function, type_)
        return apply(instruction, scope, convert, (type_,), type_)

    return make


def flushing(function: Function) -> Function:
    """``function`` with subnormal arguments and results replaced by zeros of the same sign."""

    def flushed(value: Lanes) -> Lanes:
        small = np.abs(value) < np.finfo(value.dtype).tiny
        return np.where(small, np.copysign(value.dtype.type(0), value), value)

    return lambda value: flushed(function(flushed(value)))


def special(function: Function) -> Function:
    """rcp, sqrt, ex2 and similar functions, rounded to nearest, also in approximate forms.

    The results of the hardware's approximate forms differ in the last digits.
    """

    def make(instruction: Instruction, scope: Scope) -> Step:
        parts = instruction.parts[1:-1]
        reject(instruction, {"rn", "approx", "ftz"}, parts)
        type_ = instruction.parts[-1]
        if type_ not in ("f32", "f64"):
            raise instruction.unknown()
        convert = flushing(function) if "ftz" in parts else function
        return apply(instruction, scope, convert, (type_,), type_)

    return make


def _tanh(value: Lanes) -> Lanes:
    return np.tanh(value)


TABLE: dict[str, Function] = {
    "add": arithmetic("add"),
    "sub": arithmetic("sub"),
    "mul": arithmetic("mul"),
    "fma": fma,
    "mad": fma,
    "div": division,
    "rem": elementwise(remainder, 2),
    "min": extremum(np.fmin),
    "max": extremum(np.fmax),
    "neg": unary(np.negative),
    "abs": unary(np.abs),
    "rcp": special(np.reciprocal),
    "sqrt": special(np.sqrt),
    "rsqrt": special(lambda a: (1 / np.sqrt(a)).astype(a.dtype)),
    "ex2": special(np.exp2),
    "lg2": special(np.log2),
    "sin": special(np.sin),
    "cos": special(np.cos),
    "tanh": special(_tanh),
    "copysign": elementwise(lambda a, b: np.copysign(b, a), 2),
}
