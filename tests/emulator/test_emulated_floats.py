"""Floating point, compared with exact fractions, NumPy and the bit patterns of the formats."""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from emulator import UnknownInstruction
from hypothesis import given, settings
from hypothesis import strategies as st
from ptx_snippets import evaluate
from sampling import examples

Array = npt.NDArray[Any]
CORNERS = [0.0, -0.0, 1.0, -1.5, 3.0, 1e-3, 65504.0, 1e30, -1e-30, np.inf, -np.inf, np.nan]


def table(dtype: npt.DTypeLike) -> tuple[Array, Array]:
    values = np.array([*CORNERS, *np.random.default_rng(5).normal(size=12)])
    with np.errstate(over="ignore"):
        a, b = (v.ravel().astype(dtype) for v in np.meshgrid(values, values))
    return a, b


def same(got: Array, wanted: Array) -> bool:
    """Whether all bits are equal. Any NaN equals any other NaN."""
    both_nan = np.isnan(got) & np.isnan(wanted)
    raw = f"u{got.dtype.itemsize}"
    return bool((both_nan | (got.view(raw) == wanted.astype(got.dtype).view(raw))).all())


@pytest.mark.parametrize("kind", ["f16", "f32", "f64"])
def test_arithmetic_rounds_once(kind: str) -> None:
    dtype = f"f{int(kind[1:]) // 8}"
    a, b = table(dtype)
    rounding = "" if kind == "f16" else ".rn"
    with np.errstate(all="ignore"):
        for opcode, wanted in {"add": a + b, "sub": a - b, "mul": a * b}.items():
            assert same(evaluate(f"{opcode}{rounding}.{kind} d, a, b;", dtype, a=a, b=b), wanted)
        if kind != "f16":
            assert same(evaluate(f"div.rn.{kind} d, a, b;", dtype, a=a, b=b), a / b)
            assert same(evaluate(f"sqrt.rn.{kind} d, a;", dtype, a=a), np.sqrt(a))
            assert same(evaluate(f"rcp.rn.{kind} d, a;", dtype, a=a), 1 / a)
        assert same(evaluate(f"neg.{kind} d, a;", dtype, a=a), -a)
        assert same(evaluate(f"abs.{kind} d, a;", dtype, a=a), np.abs(a))
    got = evaluate(f"max.{kind} d, a, b;", dtype, a=a, b=b)
    numbers = ~np.isnan(a) & ~np.isnan(b) & (a != b)
    assert np.array_equal(got[numbers], np.maximum(a, b)[numbers])
    alone = np.isnan(a) & ~np.isnan(b)
    # The result is the number if the other operand is NaN.
    assert np.array_equal(got[alone], b[alone])


def test_comparisons_know_nan() -> None:
    a, b = table(np.float32)
    nan = np.isnan(a) | np.isnan(b)
    with np.errstate(invalid="ignore"):
        plain = {"eq": a == b, "lt": a < b, "ge": a >= b, "gt": a > b, "le": a <= b}
        plain["ne"] = (a < b) | (a > b)
    for name, wanted in plain.items():
        code = "setp.{}.f32 p, a, b; selp.u32 d, 1, 0, p;"
        assert np.array_equal(evaluate(code.format(name), np.uint32, a=a, b=b), wanted & ~nan)
        got = evaluate(code.format(f"{name}u"), np.uint32, a=a, b=b)
        assert np.array_equal(got, wanted | nan)
    got = evaluate("setp.num.f32 p, a, b; selp.u32 d, 1, 0, p;", np.uint32, a=a, b=b)
    assert np.array_equal(got, ~nan)


def nearest(exact: Fraction, kind: str) -> float:
    """``exact`` rounded to nearest even, by a search among the neighbouring values."""
    dtype = np.dtype(kind)
    guess = dtype.type(float(exact))
    around = [
        np.nextafter(guess, dtype.type(-np.inf)),
        guess,
        np.nextafter(guess, dtype.type(np.inf)),
    ]
    raw = f"u{dtype.itemsize}"
    finite = [value for value in around if np.isfinite(value)]
    best = min(finite, key=lambda v: (abs(Fraction(float(v)) - exact), int(v.view(raw)) & 1))
    return float(best)


finite32 = st.floats(-(2.0**50), 2.0**50, width=32).filter(lambda v: v == 0 or abs(v) > 1e-15)
finite64 = st.floats(-1e60, 1e60).filter(lambda v: v == 0 or abs(v) > 1e-60)


@settings(max_examples=examples(40))
@given(st.lists(st.tuples(finite32, finite32, finite32), min_size=1, max_size=24))
def test_fma_of_single_precision_is_exact(rows: list[tuple[float, float, float]]) -> None:
    check_fma(rows, "f4", "f32")


@settings(max_examples=examples(40))
@given(st.lists(st.tuples(finite64, finite64, finite64), min_size=1, max_size=24))
def test_fma_of_double_precision_is_exact(rows: list[tuple[float, float, float]]) -> None:
    check_fma(rows, "f8", "f64")


def check_fma(rows: list[tuple[float, float, float]], dtype: str, kind: str) -> None:
    # Also test sums that nearly vanish, because two roundings would show there.
    rows = [*rows, *((a, b, float(-np.dtype(dtype).type(a * b))) for a, b, _ in rows)]
    a, b, c = (np.array([row[k] for row in rows], dtype) for k in range(3))
    got = evaluate(f"fma.rn.{kind} d, a, b, c;", dtype, a=a, b=b, c=c)
    for x, y, z, result in zip(a.tolist(), b.tolist(), c.tolist(), got.tolist(), strict=True):
        exact = Fraction(x) * Fraction(y) + Fraction(z)
        assert result == nearest(exact, dtype), (x, y, z)


def test_fma_handles_what_is_not_finite() -> None:
    a, b = table(np.float64)
    with np.errstate(all="ignore"):
        assert same(evaluate("fma.rn.f64 d, a, b, a;", "f8", a=a, b=b)[:3], (a * b + a)[:3])
        special = ~np.isfinite(a) | ~np.isfinite(b)
        got = evaluate("fma.rn.f64 d, a, b, a;", "f8", a=a, b=b)
        assert same(got[special], (a * b + a)[special])


INTEGERS: dict[str, Any] = {"u8": np.uint8, "s8": np.int8, "u16": np.uint16, "s16": np.int16}
INTEGERS |= {"u32": np.uint32, "s32": np.int32, "u64": np.uint64, "s64": np.int64}


@pytest.mark.parametrize("kind", ["u32", "s32", "u64", "s64"])
@pytest.mark.parametrize("source", ["f32", "f64"])
def test_floats_become_integers_with_clamping(source: str, kind: str) -> None:
    dtype = np.dtype(f"f{int(source[1:]) // 8}")
    a = np.array(
        [0, 0.5, 1.5, 2.5, -0.5, -1.5, 3.99, -3.99, 1e6, -1e6, 1e30, -1e30, np.inf, np.nan]
    )
    a = a.astype(dtype)
    info = np.iinfo(INTEGERS[kind])
    ways: dict[str, Callable[[float], int]] = {
        "rzi": int,
        "rni": round,
        "rmi": lambda v: int(v // 1),
        "rpi": lambda v: -int(-v // 1),
    }
    for way, function in ways.items():
        got = evaluate(f"cvt.{way}.{kind}.{source} d, a;", INTEGERS[kind], a=a)
        for value, result in zip(a.tolist(), got.tolist(), strict=True):
            if np.isnan(value):
                assert result == 0
            elif value in (np.inf, -np.inf):
                assert result == (info.max if value > 0 else info.min)
            else:
                assert result == min(max(function(value), info.min), info.max), (way, value)


@pytest.mark.parametrize("target", ["f32", "f64"])
def test_integers_become_floats(target: str) -> None:
    for kind, dtype in INTEGERS.items():
        if kind.endswith("8"):
            continue
        info = np.iinfo(dtype)
        a = np.array([0, 1, 77, info.max, info.min, info.max // 3], dtype)
        got = evaluate(f"cvt.rn.{target}.{kind} d, a;", f"f{int(target[1:]) // 8}", a=a)
        assert got.tolist() == [float(np.dtype(got.dtype).type(int(v))) for v in a.tolist()]


def test_integers_are_extended_cut_and_clamped() -> None:
    a = np.array([0, 1, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFFFFFF, 0x80000000], np.uint32)
    assert np.array_equal(evaluate("cvt.u64.u32 d, a;", "u8", a=a), a.astype(np.uint64))
    assert np.array_equal(evaluate("cvt.s64.s32 d, a;", "i8", a=a), a.view(np.int32).astype("i8"))
    assert np.array_equal(evaluate("cvt.s32.s8 d, a;", "i4", a=a), a.astype(np.int8).astype("i4"))
    assert np.array_equal(evaluate("cvt.u32.u16 d, a;", "u4", a=a), a & 0xFFFF)
    got = evaluate("cvt.sat.s8.s32 t0, a; cvt.s32.s8 d, t0;", "i4", a=a)
    assert np.array_equal(got, np.clip(a.view(np.int32), -128, 127))


def test_halves_convert_both_ways() -> None:
    codes = np.arange(0, 65536, 67, dtype=np.uint16)
    for start in range(0, codes.size, 512):
        a = codes[start : start + 512]
        got = evaluate("cvt.f32.f16 d, a;", np.float32, a=a)
        assert same(got, a.view(np.float16).astype(np.float32))
        assert same(evaluate("cvt.rn.f16.f32 d, a;", np.float16, a=got), a.view(np.float16))
        wide = evaluate("cvt.f32.bf16 d, a;", np.float32, a=a)
        raw = (a.astype(np.uint32) << np.uint32(16)).view(np.float32)
        assert same(wide, raw)


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=32))
@settings(max_examples=examples(25))
def test_bf16_rounds_to_nearest_even(values: list[float]) -> None:
    a = np.array(values, np.float32)
    got = evaluate("cvt.rn.bf16.f32 d, a;", np.uint16, a=a)
    for value, code in zip(a.tolist(), got.tolist(), strict=True):
        (bits,) = struct.unpack("<I", struct.pack("<f", value))
        low, half = bits & 0xFFFF, 0x8000
        up = low > half or (low == half and bits >> 16 & 1)
        assert code == (bits >> 16) + up


def test_pairs_are_computed_half_by_half() -> None:
    rng = np.random.default_rng(6)
    a, b, c = rng.normal(size=(3, 64)).astype(np.float16)
    words = [v.view(np.uint32) for v in (a, b, c)]
    x, y, z = words
    for opcode, wanted in {"add.f16x2": a + b, "sub.f16x2": a - b, "mul.f16x2": a * b}.items():
        got = evaluate(f"{opcode} d, a, b;", np.uint32, a=x, b=y).view(np.float16)
        assert same(got, wanted)
    got = evaluate("fma.rn.f16x2 d, a, b, c;", np.uint32, a=x, b=y, c=z).view(np.float16)
    exact = a.astype(np.float64) * b + c  # exact in double precision for these values
    assert same(got, exact.astype(np.float16))
    low, high = rng.normal(size=(2, 64)).astype(np.float32)
    got = evaluate("cvt.rn.f16x2.f32 d, a, b;", np.uint32, a=high, b=low).view(np.float16)
    assert same(got, np.stack([low, high], 1).ravel().astype(np.float16))
    got = evaluate("cvt.rn.bf16x2.f32 d, a, b;", np.uint32, a=high, b=low).view(np.uint16)
    single = [evaluate("cvt.rn.bf16.f32 d, a;", np.uint16, a=v) for v in (low, high)]
    assert np.array_equal(got, np.stack(single, 1).ravel())
    got = evaluate("fma.rn.bf16x2 d, a, b, a;", np.uint32, a=x, b=y).view(np.uint16)
    parts = [
        (w.view(np.uint16).astype(np.uint32) << np.uint32(16)).view(np.float32) for w in (x, y)
    ]
    p, q = (part.astype(np.float64) for part in parts)
    sums = (p * q + p).astype(np.float32)
    wanted = evaluate("cvt.rn.bf16.f32 d, a;", np.uint16, a=sums)
    assert np.array_equal(got, wanted)


def e4m3(code: int) -> float:
    """The value of an fp8 code, from the definition (OCP 8-bit floating point, E4M3)."""
    exponent, digits = code >> 3 & 15, code & 7
    if exponent == 15 and digits == 7:
        return float("nan")
    size = digits / 8 * 2**-6 if exponent == 0 else (1 + digits / 8) * 2.0 ** (exponent - 7)
    return -size if code & 128 else size


def test_fp8_pairs_unpack_to_halves_and_back() -> None:
    codes = np.arange(256, dtype=np.uint16)
    pairs = codes | (codes[::-1] << np.uint16(8))
    got = evaluate("cvt.rn.f16x2.e4m3x2 d, a;", np.uint32, a=pairs).view(np.float16)
    wanted = np.array([e4m3(c) for pair in pairs.tolist() for c in (pair & 255, pair >> 8)])
    assert same(got, wanted.astype(np.float16))
    low, high = (got[k::2].astype(np.float32) for k in (0, 1))
    back = evaluate("cvt.rn.satfinite.e4m3x2.f32 d, a, b;", np.uint16, a=high, b=low)
    numbers = ~np.isnan(low) & ~np.isnan(high)
    assert np.array_equal(back[numbers], pairs[numbers])
    huge = np.full(4, 1e9, np.float32)
    clamped = evaluate("cvt.rn.satfinite.e4m3x2.f32 d, a, b;", np.uint16, a=huge, b=-huge)
    assert set(clamped.tolist()) == {0x7EFE}
    tie = np.full(4, 17.0, np.float32)  # halfway between 16 and 18: the even digit is in 16
    code = evaluate("cvt.rn.satfinite.e4m3x2.f32 d, a, b;", np.uint16, a=tie, b=tie)
    assert e4m3(int(code[0]) & 255) == 16.0


@pytest.mark.parametrize(
    "code", ["add.rz.f32 d, a, b;", "add.ftz.f32 d, a, b;", "mul.sat.f32 d, a, b;"]
)
def test_other_roundings_are_refused_by_name(code: str) -> None:
    a, b = table(np.float32)
    with pytest.raises(UnknownInstruction, match=f"not emulated: {code[:-1]}"):
        evaluate(code, np.float32, a=a, b=b)
