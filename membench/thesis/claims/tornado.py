"""Computes the effect of each single input on a statistic, for a tornado chart.

One input is at the low or high end of its range. All other inputs have their assumed value, or the
median of their draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from membench.core.record import record
from membench.thesis.claims.draws import Floats
from membench.thesis.claims.scenario import Scenario

_ENDS = (2.5, 97.5)
"""Percentiles of the draws of a measurement that are the ends of its range."""


@record
class Bar:
    """The effect of one input on a statistic.

    Attributes:
        name: name of the input.
        low, high: the ends of the range of the input, in the unit that the models use.
        at_low, at_high: the statistic (median over variants) at these ends.
    """

    name: str
    low: float
    high: float
    at_low: float
    at_high: float

    @property
    def swing(self) -> float:
        return abs(self.at_high - self.at_low)


def tornado(
    statistic: Callable[[Scenario], Mapping[str, Floats]],
    scenario: Scenario,
    names: Sequence[str],
    ranges: Mapping[str, tuple[float, float, float]],
) -> tuple[Bar, ...]:
    """One bar for each input in ``names`` that affects ``statistic``, the longest bar first.

    Args:
        ranges: name -> (low, value, high), in the unit that the models use. The draws of an input
            without an entry give its range.
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
