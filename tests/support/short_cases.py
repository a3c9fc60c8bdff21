"""Smaller constants of benches: the emulator executes only some thousand steps per second."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

import pytest

from membench.benches.gpu import decode
from membench.benches.link import interference
from membench.core.units import KIB
from membench.workloads import attention, decode_step, products

Constants = Mapping[ModuleType, Mapping[str, int]]
"""Module -> name of a constant -> value."""

INTERFERENCE: Constants = {
    interference: {
        "CHUNK": 16 * KIB,
        "KV_BLOCK": 4 * KIB,
        "GATHER_BYTES": 16 * KIB,
        "RING": 8 * KIB,
        "TURNS": 2,
        "PIECES": 4,
    },
}
DECODE: Constants = {
    attention: {"POOL_BYTES": 1 << 17},
    products: {"TILE": 4099},
    decode: {"WEIGHT_BYTES": 1 << 16},
    decode_step: {"TOKENS": 256},
}


def shorten(patch: pytest.MonkeyPatch, constants: Constants) -> None:
    """Set ``constants`` until ``patch`` is undone."""
    for module, values in constants.items():
        for name, value in values.items():
            patch.setattr(module, name, value)
