"""The effect of each input alone on a statistic.

One input at a time is set to either end of its range, while all others are at their middle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from membench.core.record import record
from membench.thesis.claims.draws import Floats
from membench.thesis.claims.scenario import Scenario

_ENDS = (2.5, 97.5)
"""Percentiles of the draws of a measurement that are used as the ends of its range."""


@record
class Bar:
    """The statistic (median over variants) with the input ``name`` at ``low`` and at ``high``."""

    name: str
    low: float
    high: float
    at_low: float
    at_high: float

    @property
    def swing(self) -> float:
        """The difference between the two values of the statistic."""
        return abs(self.at_high - self.at_low)


def tornado(
    statistic: Callable[[Scenario], Mapping[str, Floats]],
    scenario: Scenario,
    names: Sequence[str],
    ranges: Mapping[str, tuple[float, float, float]],
) -> tuple[Bar, ...]:
    """The bars of the inputs in ``names`` that affect ``statistic``, the longest first.

    Args:
        ranges: name -> (low, middle, high) in SI units; names without an entry are measurements,
            and their range is that of their draws.
    """
    width = 2 * len(names)
    values = dict(scenario.values)
    ends: list[tuple[float, float]] = []
    for place, name in enumerate(names):
        column: Floats
        if name in ranges:
            low, middle, high = ranges[name]
            column = np.full(width, middle)
            column[2 * place : 2 * place + 2] = low, high
            ends.append((low, high))
        else:
            draws = scenario.values[name]
            spread = np.percentile(draws, _ENDS, axis=-1)
            centre = np.median(draws, axis=-1)
            column = np.repeat(np.expand_dims(centre, -1), width, axis=-1)
            column[..., 2 * place], column[..., 2 * place + 1] = spread
            ends.append((float(np.median(spread[0])), float(np.median(spread[1]))))
        values[name] = column
    found = statistic(replace(scenario, values=values))
    middle_of_variants = np.median(
        [np.broadcast_to(draws, (width,)) for draws in found.values()], axis=0
    )
    bars = [
        Bar(
            name,
            *ends[place],
            float(middle_of_variants[2 * place]),
            float(middle_of_variants[2 * place + 1]),
        )
        for place, name in enumerate(names)
    ]
    return tuple(sorted((bar for bar in bars if bar.swing), key=lambda bar: -bar.swing))
