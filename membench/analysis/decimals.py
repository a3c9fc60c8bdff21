"""Many decimal numbers at once, rounded exactly as `float` rounds each.

A comparison of a thousand labels reads millions of round values with 17 digits, for which `float`
takes most of the time. Here the digits of each number are one integer, which is divided by a power
of ten in extended precision. The quotient is the nearest one with 64 bits. Rounding it again gives
the nearest number with 53 bits, unless the quotient lies exactly between two of them (Figueroa,
"When is double rounding innocuous?", ACM SIGNUM Newsletter 30, 1995). `float` reads those few.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from membench.analysis.statistics import Floats

_POINT, _END = b".;"
_LARGEST = 10**18
"""Integers below it, and powers of ten up to that of `_PLACES`, are exact in 64 bits."""
_PLACES = 27
_BITS = (
    63,
    112,
)  # of the mantissa of a long double on x86-64 and AArch64; others have no such type


def numbers(text: str) -> Floats:
    """The numbers in ``text``, which are plain decimals with ``;`` between them."""
    found = None
    if _powers() is not None and "e" not in text and "E" not in text:
        found = _by_integers(text)
    return np.array(list(map(float, text.split(";")))) if found is None else found


@cache
def _powers() -> Any:
    """The powers of ten as long doubles; None if these are not precise enough."""
    if np.finfo(np.longdouble).nmant not in _BITS:
        return None
    return np.cumprod(np.array([1, *[10] * _PLACES], np.longdouble))


def _by_integers(text: str) -> Floats | None:
    """`numbers`; None unless each has one point and few digits."""
    letters = np.frombuffer(text.encode("ascii"), np.uint8)
    points = np.flatnonzero(letters == _POINT)
    ends = np.append(np.flatnonzero(letters == _END), letters.size)
    if points.size != ends.size:
        return None
    places = ends - points - 1
    integers = np.fromstring(text.replace(".", ""), np.int64, sep=";")
    if places.max() > _PLACES or integers.max() >= _LARGEST:
        return None
    quotients = integers.astype(np.longdouble) / _powers()[places]
    found: Floats = quotients.astype(np.float64)
    # The distance to the next number is the spacing, or half of it below a power of two.
    fourfold = 4 * np.abs(quotients - found)
    spacing = np.spacing(found)
    between = np.flatnonzero((fourfold == 2 * spacing) | (fourfold == spacing))
    if between.size:
        texts = text.split(";")
        found[between] = [float(texts[place]) for place in between.tolist()]
    return found
