"""Integer and bit instructions, compared with Python's integers, which never overflow."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from emulator import UnknownInstruction
from ptx_snippets import evaluate

Array = npt.NDArray[Any]
CORNERS = [0, 1, 2, 3, 7, 0x1F, 0x7FFF, 0x8000, 0x12345678, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]
WIDE = [*CORNERS, 0x123456789ABCDEF0, 1 << 63, (1 << 63) - 1, (1 << 64) - 1, 1 << 32, 0x1_0000_0001]


def pairs(bits: int) -> tuple[Array, Array]:
    """All pairs of corner values, and some random pairs."""
    values = [v & ((1 << bits) - 1) for v in (WIDE if bits == 64 else CORNERS)]
    rng = np.random.default_rng(bits)
    both = [
        *product(values, values),
        *((int(a), int(b)) for a, b in rng.integers(0, 2**63, (64, 2))),
    ]
    mask = (1 << bits) - 1
    dtype = f"u{bits // 8}"
    a, b = (np.array([pair[k] & mask for pair in both], dtype) for k in (0, 1))
    return a, b


def number(raw: int, kind: str) -> int:
    """``raw`` as a number of the type ``kind``, such as ``s32`` or ``u64``."""
    bits = int(kind[1:])
    return raw - (1 << bits) if kind[0] == "s" and raw >> (bits - 1) else raw


def check(
    opcode: str, kind: str, expected: Callable[[int, int], int], result_bits: int = 0
) -> None:
    bits = int(kind[1:])
    result_bits = result_bits or bits
    a, b = pairs(bits)
    got = evaluate(f"{opcode} d, a, b;", f"u{result_bits // 8}", a=a, b=b)
    for x, y, z in zip(a.tolist(), b.tolist(), got.tolist(), strict=True):
        wanted = expected(number(x, kind), number(y, kind)) & ((1 << result_bits) - 1)
        assert z == wanted, f"{opcode} {x:#x} {y:#x}"


TRUNCATED: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul.lo": lambda a, b: a * b,
    "min": min,
    "max": max,
}


@pytest.mark.parametrize("kind", ["u16", "s16", "u32", "s32", "u64", "s64"])
@pytest.mark.parametrize("opcode", TRUNCATED)
def test_sums_and_products_wrap(opcode: str, kind: str) -> None:
    check(f"{opcode}.{kind}", kind, TRUNCATED[opcode])


@pytest.mark.parametrize("kind", ["u16", "s16", "u32", "s32", "u64", "s64"])
def test_products_have_an_upper_half(kind: str) -> None:
    check(f"mul.hi.{kind}", kind, lambda a, b: a * b >> int(kind[1:]))


@pytest.mark.parametrize("kind", ["u16", "s16", "u32", "s32"])
def test_products_widen(kind: str) -> None:
    bits = 2 * int(kind[1:])
    check(f"mul.wide.{kind}", kind, lambda a, b: a * b, bits)
    a, b = pairs(int(kind[1:]))
    c = np.arange(a.size).astype(f"u{bits // 8}")
    got = evaluate(f"mad.wide.{kind} d, a, b, c;", f"u{bits // 8}", a=a, b=b, c=c)
    plain = evaluate(f"mul.wide.{kind} d, a, b;", f"u{bits // 8}", a=a, b=b)
    assert np.array_equal(got, plain + c)


def quotient(a: int, b: int) -> int:
    if b == 0:
        return -1
    size = abs(a) // abs(b)
    return size if (a < 0) == (b < 0) else -size


@pytest.mark.parametrize("kind", ["u32", "s32", "u64", "s64"])
def test_division_rounds_towards_zero(kind: str) -> None:
    check(f"div.{kind}", kind, quotient)
    check(f"rem.{kind}", kind, lambda a, b: a - quotient(a, b) * b if b else a)


@pytest.mark.parametrize("bits", [16, 32, 64])
def test_bits_are_combined_and_shifted(bits: int) -> None:
    check(f"and.b{bits}", f"u{bits}", lambda a, b: a & b)
    check(f"or.b{bits}", f"u{bits}", lambda a, b: a | b)
    check(f"xor.b{bits}", f"u{bits}", lambda a, b: a ^ b)
    a, _ = pairs(bits)
    shift = (np.arange(a.size) % (bits + 5)).astype(np.uint32)
    for opcode, kind in [("shl", "b"), ("shr", "u"), ("shr", "s")]:
        got = evaluate(f"{opcode}.{kind}{bits} d, a, b;", a.dtype, a=a, b=shift)
        for x, by, z in zip(a.tolist(), shift.tolist(), got.tolist(), strict=True):
            value = number(x, f"{kind}{bits}")
            wanted = value << by if opcode == "shl" else value >> by
            assert z == wanted & ((1 << bits) - 1), (opcode, kind, x, by)


@pytest.mark.parametrize("bits", [32, 64])
def test_bits_are_counted_and_turned(bits: int) -> None:
    a, _ = pairs(bits)
    counted: dict[str, Callable[[int], int]] = {
        "popc": int.bit_count,
        "clz": lambda x: bits - x.bit_length(),
        "bfind.u": lambda x: (x.bit_length() - 1) & 0xFFFFFFFF,
    }
    for opcode, expected in counted.items():
        name = f"{opcode}{bits}" if opcode.endswith("u") else f"{opcode}.b{bits}"
        got = evaluate(f"{name} d, a;", np.uint32, a=a)
        assert got.tolist() == [expected(x) for x in a.tolist()], opcode
    got = evaluate(f"brev.b{bits} d, a;", a.dtype, a=a)
    assert got.tolist() == [int(f"{x:0{bits}b}"[::-1], 2) for x in a.tolist()]
    got = evaluate(f"not.b{bits} d, a;", a.dtype, a=a)
    assert np.array_equal(got, ~a)


@pytest.mark.parametrize("bits", [32, 64])
def test_fields_are_taken_and_put(bits: int) -> None:
    rng = np.random.default_rng(3)
    n = 900
    a, b = rng.integers(0, 2**63, (2, n)).astype(f"u{bits // 8}") * np.uint64(3).astype(
        f"u{bits // 8}"
    )
    start = rng.integers(0, bits + 8, n).astype(np.uint32)
    size = rng.integers(0, bits + 8, n).astype(np.uint32)
    rows = list(zip(a.tolist(), b.tolist(), start.tolist(), size.tolist(), strict=True))

    def taken(x: int, at: int, length: int, *, signed: bool) -> int:
        # The definition in the PTX manual, bit by bit.
        top = min(at + length - 1, bits - 1)
        sign = 0 if not signed or length == 0 else x >> top & 1
        out = 0
        for k in range(bits):
            bit = x >> (at + k) & 1 if k < length and at + k < bits else sign
            out |= bit << k
        return out

    for kind in "us":
        got = evaluate(f"bfe.{kind}{bits} d, a, s, l;", a.dtype, a=a, s=start, l=size)
        wanted = [taken(x, at, length, signed=kind == "s") for x, _, at, length in rows]
        assert got.tolist() == wanted

    def put(x: int, y: int, at: int, length: int) -> int:
        for k in range(length):
            if at + k < bits:
                y = y & ~(1 << (at + k)) | (x >> k & 1) << (at + k)
        return y

    got = evaluate(f"bfi.b{bits} d, a, b, s, l;", a.dtype, a=a, b=b, s=start, l=size)
    assert got.tolist() == [put(*row) for row in rows]


def test_bytes_are_permuted() -> None:
    a, b = pairs(32)
    selector = np.random.default_rng(4).integers(0, 2**16, a.size).astype(np.uint32)
    got = evaluate("prmt.b32 d, a, b, s;", np.uint32, a=a, b=b, s=selector)

    def permuted(x: int, y: int, choices: int) -> int:
        source = x.to_bytes(4, "little") + y.to_bytes(4, "little")
        out = []
        for k in range(4):
            choice = choices >> 4 * k & 15
            byte = source[choice & 7]
            out.append((0xFF if byte & 0x80 else 0) if choice & 8 else byte)
        return int.from_bytes(bytes(out), "little")

    rows = zip(a.tolist(), b.tolist(), selector.tolist(), strict=True)
    assert got.tolist() == [permuted(*row) for row in rows]


@pytest.mark.parametrize("table", [0x00, 0xFF, 0x80, 0xFE, 0x96, 0xE8, 0xCA, 0x1B])
def test_lop3_follows_its_table(table: int) -> None:
    a, b = pairs(32)
    c = a ^ (b << np.uint32(3))
    got = evaluate(f"lop3.b32 d, a, b, c, {table};", np.uint32, a=a, b=b, c=c)
    for x, y, z, result in zip(a.tolist(), b.tolist(), c.tolist(), got.tolist(), strict=True):
        for k in range(32):
            case = (x >> k & 1) << 2 | (y >> k & 1) << 1 | (z >> k & 1)
            assert result >> k & 1 == table >> case & 1


def test_funnel_shifts_and_byte_products() -> None:
    a, b = pairs(32)
    by = (np.arange(a.size) % 40).astype(np.uint32)
    rows = list(zip(a.tolist(), b.tolist(), by.tolist(), strict=True))
    for mode, way in product(("wrap", "clamp"), "lr"):
        got = evaluate(f"shf.{way}.{mode}.b32 d, a, b, c;", np.uint32, a=a, b=b, c=by)
        for (low, high, count), result in zip(rows, got.tolist(), strict=True):
            k = count % 32 if mode == "wrap" else min(count, 32)
            both = high << 32 | low
            assert result == (both >> k if way == "r" else both << k >> 32) & 0xFFFFFFFF
    got = evaluate("dp4a.s32.s32 d, a, b, c;", np.uint32, a=a, b=b, c=by)
    x, y = (v.view(np.int8).reshape(-1, 4).astype(np.int64) for v in (a, b))
    assert np.array_equal(got, ((x * y).sum(axis=1) + by).astype(np.uint32))


COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}


@pytest.mark.parametrize("kind", ["u32", "s32", "u64", "s64"])
def test_comparisons_select(kind: str) -> None:
    a, b = pairs(int(kind[1:]))
    x, y = (v.view(f"{'i' if kind[0] == 's' else 'u'}{int(kind[1:]) // 8}") for v in (a, b))
    for name, compare in COMPARISONS.items():
        code = f"setp.{name}.{kind} p, a, b; selp.b32 d, 5, 6, p;"
        assert np.array_equal(evaluate(code, np.uint32, a=a, b=b), np.where(compare(x, y), 5, 6))
    for opcode, combine in {
        "and": np.logical_and,
        "or": np.logical_or,
        "xor": np.logical_xor,
    }.items():
        code = f"""setp.gt.{kind} q, a, 7; setp.lt.{opcode}.{kind} p|r, a, b, !q;
            selp.u32 t0, 1, 0, p; selp.u32 t1, 2, 0, r; or.b32 d, t0, t1;"""
        less, other = x < y, ~(x > 7)
        wanted = combine(less, other) * 1 + combine(~less, other) * 2
        assert np.array_equal(evaluate(code, np.uint32, a=a, b=b), wanted)
    got = evaluate(f"set.le.u32.{kind} d, a, b;", np.uint32, a=a, b=b)
    assert np.array_equal(got, np.where(x <= y, 0xFFFFFFFF, 0))


def test_predicates_guard_and_combine() -> None:
    code = """mov.u32 d, 0; setp.lt.u32 p, lane, 20; setp.gt.u32 q, lane, 10;
        and.pred r, p, q; @r mov.u32 d, 1; @!p add.u32 d, d, 2; not.pred r, q;
        @r add.u32 d, d, 4;"""
    lane = np.arange(32)
    wanted = np.where((lane < 20) & (lane > 10), 1, 0) + 2 * (lane >= 20) + 4 * (lane <= 10)
    assert np.array_equal(evaluate(code, np.uint32), wanted)


def test_words_are_packed_and_taken_apart() -> None:
    a, b = pairs(32)
    swapped = evaluate("mov.b64 d, {b, a};", np.uint64, a=a, b=b)
    assert np.array_equal(swapped, b.astype(np.uint64) | a.astype(np.uint64) << np.uint64(32))
    code = "mov.b32 {h0, h1}, a; mov.b32 d, {h1, h0};"
    assert np.array_equal(evaluate(code, np.uint32, a=a), a << np.uint32(16) | a >> np.uint32(16))


def test_copies_of_a_register_do_not_follow_it() -> None:
    code = "mov.u32 d, lane; mov.u32 t0, d; setp.lt.u32 p, lane, 5; @p mov.u32 t0, 99;"
    assert np.array_equal(evaluate(code, np.uint32), np.arange(32))


@pytest.mark.parametrize(
    "code", ["add.cc.u32 d, a, b;", "vadd.u32.u32.u32 d, a, b, a;", "foo d, a;"]
)
def test_unknown_instructions_are_refused_by_name(code: str) -> None:
    a, b = pairs(32)
    with pytest.raises(UnknownInstruction, match=f"not emulated: {code[:-1]}"):
        evaluate(code, np.uint32, a=a, b=b)
