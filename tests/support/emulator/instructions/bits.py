"""Bit operations: logic, shifts, bit fields, and positions of bits."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from emulator.instructions.integers import Function, apply, elementwise
from emulator.operands import Read, Scope, Step, reject
from emulator.scalars import RAW, Lanes, dtype, width
from emulator.source import Instruction

if TYPE_CHECKING:
    from emulator.wave import Wave


def _shift(instruction: Instruction, scope: Scope, *, right: bool) -> Step:
    reject(instruction, set(), instruction.parts[1:-1])
    type_ = instruction.parts[-1]
    bits = 8 * width(type_)
    if right and type_[0] == "s":

        def function(a: Lanes, by: Lanes) -> Lanes:
            moved: Lanes = a >> np.minimum(by, bits - 1).astype(a.dtype)
            return moved
    else:
        shift = np.right_shift if right else np.left_shift

        def function(a: Lanes, by: Lanes) -> Lanes:
            moved: Lanes = shift(a, np.minimum(by, bits - 1).astype(a.dtype))
            return np.where(by < bits, moved, a.dtype.type(0))

    return apply(instruction, scope, function, (type_, "u32"), type_)


def popc(instruction: Instruction, scope: Scope) -> Step:
    """popc: the number of set bits."""
    reject(instruction, set(), instruction.parts[1:-1])
    return apply(instruction, scope, np.bitwise_count, (instruction.parts[-1],), "u32")


def clz(instruction: Instruction, scope: Scope) -> Step:
    """clz: the number of leading zeros."""
    reject(instruction, set(), instruction.parts[1:-1])
    type_ = instruction.parts[-1]
    bits = 8 * width(type_)
    return apply(instruction, scope, lambda a: bits - _length(a), (type_,), "u32")


def _length(a: Lanes) -> Lanes:
    """The number of bits up to the highest set bit."""
    for shift in (1, 2, 4, 8, 16, 32):
        if shift < 8 * a.dtype.itemsize:
            a = a | (a >> a.dtype.type(shift))
    return np.bitwise_count(a).astype(np.int64)


def bfind(instruction: Instruction, scope: Scope) -> Step:
    """bfind: the position of the highest bit that differs from the sign bit.

    The result is all ones if no bit differs.
    """
    *kind, type_ = instruction.parts[1:]
    reject(instruction, {"shiftamt"}, tuple(kind))
    bits = 8 * width(type_)

    def function(a: Lanes) -> Lanes:
        if a.dtype.kind == "i":
            a = np.where(a < 0, ~a, a).view(RAW[a.dtype.itemsize])
        place = _length(a) - 1
        result = np.where(place < 0, -1, bits - 1 - place if kind else place)
        return result.astype(np.int32).view(np.uint32)

    return apply(instruction, scope, function, (type_,), "u32")


def reverse(a: Lanes) -> Lanes:
    """``a`` with the bits of each word in reverse order."""
    bits = 8 * a.dtype.itemsize
    result = np.zeros_like(a)
    one = a.dtype.type(1)
    for place in range(bits):
        bit = (a >> a.dtype.type(place)) & one
        result = result | (bit << a.dtype.type(bits - 1 - place))
    return result


def _field(bits: int, position: Lanes, length: Lanes) -> tuple[Lanes, Lanes]:
    return np.minimum(position & 0xFF, 255).astype(np.int64), (length & 0xFF).astype(np.int64)


def bfe(instruction: Instruction, scope: Scope) -> Step:
    """bfe: extract a bit field. Signed types are sign-extended."""
    reject(instruction, set(), instruction.parts[1:-1])
    type_ = instruction.parts[-1]
    bits = 8 * width(type_)
    raw = RAW[width(type_)]

    def function(a: Lanes, position: Lanes, length: Lanes) -> Lanes:
        start, size = _field(bits, position, length)
        value = a.view(raw)
        moved = np.where(
            start < bits, value >> np.minimum(start, bits - 1).astype(raw), raw.type(0)
        )
        full = size >= bits
        mask = (raw.type(1) << np.where(full, 0, size).astype(raw)) - raw.type(1)
        field = np.where(full, moved, moved & mask)
        if type_[0] == "s":
            top = np.minimum(start + size - 1, bits - 1)
            sign = (value >> np.maximum(top, 0).astype(raw)) & raw.type(1)
            # Bits of the field beyond the word, and all bits above, are copies of the sign.
            have = np.minimum(size, np.maximum(bits - start, 0))
            fill = np.where(
                have >= bits, raw.type(0), ~raw.type(0) << np.minimum(have, bits - 1).astype(raw)
            )
            field = np.where((sign == 1) & (size > 0), field | fill, field)
        result: Lanes = np.where(size == 0, raw.type(0), field).view(dtype(type_))
        return result

    return apply(instruction, scope, function, (type_, "u32", "u32"), type_)


def bfi(instruction: Instruction, scope: Scope) -> Step:
    """bfi: insert a bit field of one word into another word."""
    reject(instruction, set(), instruction.parts[1:-1])
    type_ = instruction.parts[-1]
    bits = 8 * width(type_)
    raw = RAW[width(type_)]

    def function(a: Lanes, b: Lanes, position: Lanes, length: Lanes) -> Lanes:
        start, size = _field(bits, position, length)
        ones = np.where(
            size >= bits,
            ~raw.type(0),
            (raw.type(1) << np.minimum(size, bits - 1).astype(raw)) - raw.type(1),
        )
        by = np.minimum(start, bits - 1).astype(raw)
        mask = np.where(start < bits, ones << by, raw.type(0))
        result: Lanes = (b & ~mask) | ((a << by) & mask)
        return result

    return apply(instruction, scope, function, (type_, type_, "u32", "u32"), type_)


def permute(a: Lanes, b: Lanes, selector: Lanes) -> Lanes:
    """prmt: select four of eight bytes; bit 3 of a selector repeats the sign of the byte."""
    both = a.astype(np.uint64) | (b.astype(np.uint64) << np.uint64(32))
    result: Lanes = np.zeros(np.broadcast_shapes(a.shape, b.shape, selector.shape), np.uint32)
    for place in range(4):
        choice = (selector >> np.uint32(4 * place)) & np.uint32(0xF)
        byte = (both >> ((choice & np.uint32(7)) * np.uint32(8)).astype(np.uint64)) & np.uint64(
            0xFF
        )
        sign = np.where(byte & np.uint64(0x80), np.uint64(0xFF), np.uint64(0))
        byte = np.where(choice & np.uint32(8), sign, byte)
        result = result | (byte.astype(np.uint32) << np.uint32(8 * place))
    return result


def prmt(instruction: Instruction, scope: Scope) -> Step:
    """prmt: select four of the eight bytes of two words. Only the default mode is supported."""
    if instruction.opcode != "prmt.b32":
        raise instruction.unknown()
    return apply(instruction, scope, permute, ("b32",) * 3, "b32")


def lop3(instruction: Instruction, scope: Scope) -> Step:
    """Any logical function of three bits, given by its truth table."""
    if instruction.opcode != "lop3.b32":
        raise instruction.unknown()
    target, *sources, table = instruction.args
    bits = int(table, 0)
    plain = Instruction(instruction.opcode, (target, *sources), instruction.guard, instruction.text)

    def function(a: Lanes, b: Lanes, c: Lanes) -> Lanes:
        result: Lanes = np.zeros((), np.uint32)
        for case in range(8):
            if bits >> case & 1:
                term = (a if case & 4 else ~a) & (b if case & 2 else ~b) & (c if case & 1 else ~c)
                result = result | term
        return result

    return apply(plain, scope, function, ("b32",) * 3, "b32")


def shf(instruction: Instruction, scope: Scope) -> Step:
    """shf: a funnel shift over the 64 bits of two words."""
    kinds = {f"shf.{way}.{mode}.b32" for way in "lr" for mode in ("wrap", "clamp")}
    if instruction.opcode not in kinds:
        raise instruction.unknown()
    _, way, mode, _ = instruction.parts

    def function(low: Lanes, high: Lanes, by: Lanes) -> Lanes:
        both = low.astype(np.uint64) | (high.astype(np.uint64) << np.uint64(32))
        count = (by & np.uint32(31)) if mode == "wrap" else np.minimum(by, np.uint32(32))
        count = count.astype(np.uint64)
        moved = both >> count if way == "r" else both >> (np.uint64(32) - count)
        return moved.astype(np.uint32)

    return apply(instruction, scope, function, ("b32",) * 3, "b32")


def bitwise(function: Function, operands: int) -> Function:
    """A maker for a bitwise function of ``operands`` operands.

    The function also accepts predicates.
    """
    plain: Callable[[Instruction, Scope], Step] = elementwise(function, operands)

    def make(instruction: Instruction, scope: Scope) -> Step:
        if instruction.parts[1:] != ("pred",):
            return plain(instruction, scope)
        write = scope.writer(instruction.args[0], "pred")
        reads: list[Read] = [scope.predicate(operand) for operand in instruction.args[1:]]

        def step(wave: Wave) -> None:
            write(wave, function(*(read(wave) for read in reads)))

        return step

    return make


TABLE: dict[str, Function] = {
    "and": bitwise(np.bitwise_and, 2),
    "or": bitwise(np.bitwise_or, 2),
    "xor": bitwise(np.bitwise_xor, 2),
    "not": bitwise(np.bitwise_not, 1),
    "cnot": elementwise(lambda a: (a == 0).astype(a.dtype), 1),
    "shl": partial(_shift, right=False),
    "shr": partial(_shift, right=True),
    "popc": popc,
    "clz": clz,
    "bfind": bfind,
    "brev": elementwise(reverse, 1),
    "bfe": bfe,
    "bfi": bfi,
    "prmt": prmt,
    "lop3": lop3,
    "shf": shf,
}
