"""Parse many decimal numbers at once, with the same result as `float` for each number.

A comparison of a thousand labels reads millions of round values, and `float` would take most of the
time. Here the digits of each number form an integer, which is divided by a power of ten in extended
precision. Rounding this quotient of at least 64 bits to 53 bits gives the same number as `float`,
unless the quotient is exactly between two such numbers (Figueroa, "When is double rounding
innocuous?", ACM SIGNUM Newsletter 30, 1995). In these rare cases `float` parses the text.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from membench.analysis.many_ratios import Floats

_POINT, _END = b".;"
_LARGEST = 10**18
"""Integers below this limit are exact in a mantissa of 64 bits."""
_PLACES = 27
"""Largest number of decimal places: 10^27 is exact in a mantissa of 64 bits."""
_BITS = (63, 112)
"""NumPy's ``nmant`` of a long double on x86-64 and on AArch64: bits of the mantissa, less one."""


def numbers(text: str) -> Floats:
    """Parse numbers with ``;`` between them, such as ``1.5;20.25``."""
    found = None
    if _powers() is not None and "e" not in text and "E" not in text:
        found = _by_integers(text)
    return np.array(list(map(float, text.split(";")))) if found is None else found


@cache
def _powers() -> Any:
    """10^0 to 10^27 as long doubles; None if a long double of this machine is not exact enough."""
    if np.finfo(np.longdouble).nmant not in _BITS:
        return None
    return np.cumprod(np.array([1, *[10] * _PLACES], np.longdouble))


def _by_integers(text: str) -> Floats | None:
    """Parse like `numbers`; None if a number has no decimal point or too many digits."""
    letters = np.frombuffer(text.encode("ascii"), np.uint8)
    points = np.flatnonzero(letters == _POINT)
    ends = np.append(np.flatnonzero(letters == _END), letters.size)
    starts = np.append(0, ends[:-1] + 1)
    if points.size != ends.size or np.any((points < starts) | (points > ends)):
        return None
    if np.any(ends - starts < 2):  # a point alone
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
