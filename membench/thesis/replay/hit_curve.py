"""The number of cache hits as a function of capacity, exact at every capacity."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from membench.core.record import record

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MOST_REFERENCES = 10**12
"""Maximum number of references to blocks, so that sums fit in 64 bits."""
_CANDIDATES = 4096
_EVEN = 512
TOLERANCE = 0.01
"""Maximum difference in hit rate between the curve and the straight line from knee to knee."""


@record
class HitCurve:
    """The exact number of hits at every cache capacity.

    The curve is a sum of ramps and steps. A ramp makes the number of hits grow by one at each
    capacity from `low` to `high` - 1. A step adds `count` hits at all capacities from `place` on.

    Attributes:
        references: number of references to blocks, hits or misses.
        low, high: [n] first capacity of each ramp, and first capacity after each ramp. Each
            array is sorted separately.
        place, count: [m] capacity and hits of each step, sorted by capacity.
    """

    references: int
    low: Ints
    high: Ints
    place: Ints
    count: Ints

    @classmethod
    def of(cls, references: int, low: Ints, high: Ints, place: Ints, count: Ints) -> HitCurve:
        """Build a curve from ramps and steps in any order.

        Args:
            references: number of references to blocks.
            low, high: [n] first and last capacity of each ramp.
            place, count: [m] capacity and hits of each step.
        """
        order = np.argsort(place, kind="stable")
        ends = np.sort(high)
        ends += 1
        return cls(references, np.sort(low), ends, place[order], count[order])

    def hits(self, capacities: Ints) -> Ints:
        """[k] number of hits at each of ``capacities`` ([k], in blocks)."""
        stepped = np.concatenate([np.zeros(1, np.int64), np.cumsum(self.count)])
        steps: Ints = stepped[np.searchsorted(self.place, capacities, side="right")]
        return _climbed(self.low, capacities) - _climbed(self.high, capacities) + steps

    def rates(self, capacities: Ints) -> Floats:
        """[k] share of references that hit at each of ``capacities`` ([k], in blocks)."""
        return self.hits(capacities) / max(self.references, 1)

    def rate(self, capacity: int) -> float:
        return float(self.rates(np.array([capacity]))[0])

    @property
    def enough(self) -> int:
        """The smallest capacity, in blocks, with the maximum hit rate."""
        return int(max(self.high.max(initial=1) - 1, self.place.max(initial=0)))

    @property
    def most(self) -> float:
        """The hit rate of an unlimited cache."""
        return self.rate(self.enough)

    def least(self, share: float) -> int:
        """The smallest capacity, in blocks, with at least the fraction ``share`` of all hits."""
        wanted = share * float(self.hits(np.array([self.enough]))[0])
        low, high = 1, self.enough
        while low < high:
            middle = (low + high) // 2
            if float(self.hits(np.array([middle]))[0]) >= wanted:
                high = middle
            else:
                low = middle + 1
        return low

    def knees(self, tolerance: float = TOLERANCE) -> tuple[int, ...]:
        """Capacities (blocks) at which the curve bends, ascending. Empty if nothing ever hits.

        Between two neighbouring knees, the hit rate differs by at most ``tolerance`` from a
        straight line over the logarithm of the capacity. This is tested at a sample of capacities.
        The last knee is `enough`.

        Source: Ramer 1972; Douglas and Peucker 1973.
        """
        places = self._bent()
        if not places.size:
            return ()
        if places.size > _CANDIDATES:
            spread = np.geomspace(places[0], places[-1], _CANDIDATES)
            places = np.unique(places[np.searchsorted(places, spread).clip(max=places.size - 1)])
        places = places[places <= self.enough]
        # A ramp is straight over the capacity, so it is bent over the logarithm of the capacity.
        even = np.geomspace(places[0], places[-1], _EVEN).astype(np.int64)
        places = np.union1d(places, even.clip(places[0], places[-1]))
        kept = _bends(np.log(places.astype(np.float64)), self.rates(places), tolerance)
        return tuple(places[kept].tolist())

    def _bent(self) -> Ints:
        """Capacities (blocks) at which the slope of the curve changes, ascending."""
        begins, up = np.unique(self.low, return_counts=True)
        ends, down = np.unique(self.high, return_counts=True)
        places, which = np.unique(np.concatenate([begins, ends]), return_inverse=True)
        change = np.bincount(which, weights=np.concatenate([up, -down]), minlength=places.size)
        return np.unique(np.concatenate([places[change > 0], places[change < 0] - 1, self.place]))


def _climbed(begins: Ints, capacities: Ints) -> Ints:
    """[k] for each of ``capacities``: sum over ``begins`` of max(capacity + 1 - begin, 0).

    ``begins`` is sorted.
    """
    under = np.searchsorted(begins, capacities, side="right")
    sums = np.concatenate([np.zeros(1, np.int64), np.cumsum(begins)])
    total: Ints = under * (capacities + 1) - sums[under]
    return total


def _bends(x: Floats, y: Floats, tolerance: float) -> list[int]:
    kept = {0, x.size - 1}
    open_ = [(0, x.size - 1)]
    while open_:
        begin, end = open_.pop()
        if end - begin < 2:
            continue
        line = y[begin] + (y[end] - y[begin]) * (x[begin:end] - x[begin]) / (x[end] - x[begin])
        away = np.abs(y[begin:end] - line)
        worst = begin + int(away.argmax())
        if away.max() > tolerance:
            kept.add(worst)
            open_ += [(begin, worst), (worst, end)]
    return sorted(kept)
