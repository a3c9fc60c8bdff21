"""Finds the verdicts after changes of one input in which a statistic is monotone.

The verdicts on all variants together and on each stratum are then monotone in the step. So verdicts
that are equal at two steps are equal at every step in between, and few evaluations are enough.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable

from membench.core.terms import ClaimVerdict
from membench.thesis.claims.flip import LADDER


class Sweep:
    """The verdict on a part after each step of one input.

    Args:
        evaluate: step -> the verdicts of `words_of`.
    """

    def __init__(self, evaluate: Callable[[float], tuple[ClaimVerdict, ...]]) -> None:
        self._evaluate = evaluate
        self._steps: list[float] = []
        self._words: dict[float, tuple[ClaimVerdict, ...]] = {}
        self._try(0.0)

    def word(self, step: float) -> ClaimVerdict:
        """The verdict after the input changed by ``step`` (`Flip.step`)."""
        while True:
            place = bisect_left(self._steps, step)
            around = self._steps[max(place - 1, 0) : place + 1]
            if step in self._words:
                return self._words[step][0]
            if len(around) > 1 and self._words[around[0]] == self._words[around[1]]:
                return self._words[around[0]][0]
            farther = (self._steps[place:] if step > 0 else self._steps[:place][::-1])[:1]
            self._try(_next(step, *farther))

    def _try(self, step: float) -> None:
        self._words[step] = self._evaluate(step)
        self._steps.insert(bisect_left(self._steps, step), step)


def _next(step: float, farther: float = math.inf) -> float:
    """The next step to evaluate when `Sweep.word` needs the verdict after ``step``.

    `smallest_flip` tries the sizes in `LADDER` in ascending order. The largest size is evaluated
    first: if it changes no verdict, no other size needs an evaluation. After that, the middle one
    of the sizes from ``step`` to ``farther`` is evaluated.

    Args:
        farther: the nearest evaluated step beyond ``step``.
    """
    sizes = [size for size in LADDER if abs(step) <= size < abs(farther)]
    if abs(step) not in LADDER or not sizes:
        return step
    size = sizes[-1] if math.isinf(farther) else sizes[len(sizes) // 2]
    return math.copysign(size, step)
