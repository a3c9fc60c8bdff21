"""Seeded random draws of the inputs of a claim, which represent the uncertainty of the inputs.

Every input has a separate stream of random numbers. So a new input does not change the draws of
other inputs.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DRAWS = 500
SEED = 1


def _stream(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


@lru_cache(maxsize=1024)
def latin_hypercube(name: str, low: float, high: float, *, draws: int, seed: int) -> Floats:
    """[draws] random values from ``low`` to ``high``, in random order.

    Each of ``draws`` equal parts of the range contains one value. So the draws of several names
    form a Latin hypercube (McKay, Beckman and Conover, Technometrics 21, 1979). The array is cached
    and read-only.
    """
    random = _stream(seed, name)
    places = (random.permutation(draws) + random.random(draws)) / draws
    values: Floats = low + (high - low) * places
    values.flags.writeable = False
    return values


def bootstrap(name: str, rounds: Sequence[float], *, draws: int, seed: int) -> Floats:
    """[draws] medians, each over ``len(rounds)`` values drawn with replacement from ``rounds``."""
    values = np.asarray(rounds, float)
    chosen = _stream(seed, name).integers(0, len(values), (draws, len(values)))
    medians: Floats = np.median(values[chosen], axis=1)
    return medians
