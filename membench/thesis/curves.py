"""Hit rate against capacity of the shipped traces, as statistics read it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from membench.thesis.draws import Floats


@dataclass(frozen=True)
class Curve:
    """One trace.

    Attributes:
        requests_per_s: rate of the service that was traced.
        tokens_per_request: mean input.
        capacity: [n] ascending, tokens of cache.
        hits: [n] share of input blocks that hit with that capacity.
    """

    name: str
    requests_per_s: float
    tokens_per_request: float
    capacity: Floats
    hits: Floats

    def hit_rate(self, tokens: Floats) -> Floats:
        """Hit rate with ``tokens`` of cache: of the largest capacity that is no larger."""
        place = np.searchsorted(self.capacity, tokens, side="right")
        rate: Floats = np.concatenate([[0.0], self.hits])[place]
        return rate

    def saturates(self, share: float) -> float:
        """The least capacity that reaches ``share`` of the most hits, tokens."""
        return float(self.capacity[np.searchsorted(self.hits, share * self.hits[-1])])


@cache
def curves() -> tuple[Curve, ...]:
    """TEMPORARY."""
    c = np.geomspace(1e5, 1e9, 200)
    return (Curve("t", 3.3, 12000.0, c, np.linspace(0, 0.5, 200)),)
