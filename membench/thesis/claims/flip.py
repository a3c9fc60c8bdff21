"""Finds the smallest change of a single input that changes a verdict.

The search multiplies all draws of the input by one factor, or adds years to a date. The size of a
step is |ln factor|, so halving and doubling are equally large. A year is as large as a factor of e.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from membench.core.record import record
from membench.core.terms import ClaimVerdict
from membench.thesis.claims.scenario import NoData

LADDER = tuple(math.log(f) for f in (1.05, 1.1, 1.2, 1.35, 1.6, 2, 3, 5, 10, 30, 100))
"""The sizes of the steps that the search tries, in this order."""
_BISECTIONS = 7
_ONE_WAY = math.log(2)
"""Within this step, the search assumes that the verdict changes at most once."""

Judge = Callable[[str, float], ClaimVerdict]
"""(name, step) -> the verdict after the input ``name`` changed by ``step``; may raise `NoData`."""


@record
class Flip:
    """A change of one input that changes a verdict.

    Attributes:
        name: name of the input.
        step: the natural logarithm of the factor, or years if the input is a date.
        becomes: the new verdict.
    """

    name: str
    step: float
    becomes: ClaimVerdict


def smallest_flip(
    judge: Judge,
    names: Iterable[str],
    now: ClaimVerdict,
    limits: Mapping[str, float],
) -> Flip | None:
    """The smallest change of one input in ``names`` that changes the verdict ``now``.

    None if no tried change (up to a factor of 100, or 4.6 years) changes the verdict.

    Args:
        limits: name -> the largest step upwards, for inputs with a maximum (shares).
    """
    best: Flip | None = None
    for name in names:
        for sign in (-1.0, 1.0):
            bound = abs(best.step) if best else LADDER[-1]
            if sign > 0:
                bound = min(bound, limits.get(name, bound))
            found = _search(judge, name, now, sign, bound)
            if found and (best is None or abs(found.step) < abs(best.step)):
                best = found
    return best


def _search(judge: Judge, name: str, now: ClaimVerdict, sign: float, bound: float) -> Flip | None:
    def word(size: float) -> ClaimVerdict:
        try:
            return judge(name, sign * size)
        except NoData:
            return now

    below = 0.0
    for size in LADDER if bound > _ONE_WAY else (bound,):
        above = min(size, bound)
        if above <= below:
            return None
        if (becomes := word(above)) is not now:
            break
        below = above
    else:
        return None
    for _ in range(_BISECTIONS):
        middle = (below + above) / 2
        other = word(middle)
        if other is now:
            below = middle
        else:
            above, becomes = middle, other
    return Flip(name, sign * above, becomes)
