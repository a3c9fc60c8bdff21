"""PTX's scalar types as NumPy types.

A register is an array with one element per thread (a lane). NumPy has no bf16 type: bf16 values are
stored as raw 16-bit words, and converted to f32 for computations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from emulator.faults import UnknownInstruction

Lanes: TypeAlias = npt.NDArray[Any]
"""One element per participating thread, or a scalar with the common value of all threads."""

_DTYPES: dict[str, np.dtype[Any]] = {
    **{f"{kind}8": np.dtype(np.uint8) for kind in "ub"},
    **{f"{kind}16": np.dtype(np.uint16) for kind in "ub"},
    **{f"{kind}32": np.dtype(np.uint32) for kind in "ub"},
    **{f"{kind}64": np.dtype(np.uint64) for kind in "ub"},
    "s8": np.dtype(np.int8),
    "s16": np.dtype(np.int16),
    "s32": np.dtype(np.int32),
    "s64": np.dtype(np.int64),
    "f16": np.dtype(np.float16),
    "f32": np.dtype(np.float32),
    "f64": np.dtype(np.float64),
    "bf16": np.dtype(np.uint16),
    "f16x2": np.dtype(np.uint32),
    "bf16x2": np.dtype(np.uint32),
    "u16x2": np.dtype(np.uint32),
    "s16x2": np.dtype(np.uint32),
    "e4m3x2": np.dtype(np.uint16),
    "e5m2x2": np.dtype(np.uint16),
    "pred": np.dtype(np.bool_),
}
RAW: dict[int, np.dtype[Any]] = {
    1: np.dtype(np.uint8),
    2: np.dtype(np.uint16),
    4: np.dtype(np.uint32),
    8: np.dtype(np.uint64),
}
SIGNED: dict[int, np.dtype[Any]] = {
    1: np.dtype(np.int8),
    2: np.dtype(np.int16),
    4: np.dtype(np.int32),
    8: np.dtype(np.int64),
}


def dtype(name: str) -> np.dtype[Any]:
    """The NumPy type of the PTX type ``name``: ``u32``, ``f64``, ``pred``."""
    try:
        return _DTYPES[name]
    except KeyError:
        raise UnknownInstruction(f"the type .{name} is not emulated") from None


def is_type(name: str) -> bool:
    """Whether ``name`` is a PTX scalar type."""
    return name in _DTYPES


def width(name: str) -> int:
    return dtype(name).itemsize


def bf16_to_f32(raw: Lanes) -> Lanes:
    """The f32 values of raw bf16 words. A bf16 word is the upper half of an f32."""
    return (raw.astype(np.uint32) << np.uint32(16)).view(np.float32)


def f32_to_bf16(value: Lanes, *, truncate: bool = False) -> Lanes:
    """Raw bf16 words of f32 values, rounded to nearest even, or towards zero if ``truncate``."""
    bits = value.astype(np.float32).view(np.uint32)
    if not truncate:
        odd = (bits >> np.uint32(16)) & np.uint32(1)
        rounded = bits + np.uint32(0x7FFF) + odd
        bits = np.where(np.isnan(value), np.uint32(0x7FFF0000), rounded)
    return (bits >> np.uint32(16)).astype(np.uint16)


def halves(raw: Lanes) -> tuple[Lanes, Lanes]:
    """Lower and upper 16 bits of packed 32-bit words."""
    return raw.astype(np.uint16), (raw >> np.uint32(16)).astype(np.uint16)


def packed(low: Lanes, high: Lanes) -> Lanes:
    """32-bit words from two raw 16-bit halves."""
    return low.astype(np.uint32) | (high.astype(np.uint32) << np.uint32(16))


def on_halves(function: Callable[..., Lanes], *raw: Lanes) -> Lanes:
    """Apply a function of raw 16-bit words to both halves of packed 32-bit words."""
    pairs = [halves(word) for word in raw]
    return packed(function(*(low for low, _ in pairs)), function(*(high for _, high in pairs)))
