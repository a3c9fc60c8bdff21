"""The knee and the maximum of a bandwidth-latency curve, and Pareto fronts of two quantities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from membench.core.record import record


@record
class LoadCurve:
    """Figures derived from latencies under load.

    Attributes:
        unloaded_ns: latency in ns at the least traffic.
        knee: (GB/s, ns) beyond which latency grows faster than bandwidth; None for a curve without
        a bend.
        most: (GB/s, ns) at the largest traffic.
    """

    unloaded_ns: float
    knee: tuple[float, float] | None
    most: tuple[float, float]


def load_curve(bandwidths: Sequence[float], latencies: Sequence[float]) -> LoadCurve | None:
    """The curve through points (GB/s, ns) in any order; None for fewer than three points.

    The knee is the point farthest below the chord from the least to the most traffic, both axes
    scaled to 1 (Satopaa et al., "Finding a 'Kneedle' in a Haystack", ICDCS workshops 2011).  Points
    beyond the maximum, at which more injected traffic lowers the bandwidth, are left out.
    """
    points = sorted(zip(bandwidths, latencies, strict=True))
    if len(points) < 3:
        return None
    x, y = np.array(points).T
    wide, high = x[-1] - x[0], y[-1] - y[0]
    most = (float(x[-1]), float(y[-1]))
    if wide <= 0 or high <= 0:
        return LoadCurve(float(y[0]), None, most)
    below = (x - x[0]) / wide - (y - y[0]) / high
    place = int(np.argmax(below))
    knee = (float(x[place]), float(y[place])) if below[place] > 0 else None
    return LoadCurve(float(y[0]), knee, most)


def pareto_front(costs: Sequence[float], gains: Sequence[float]) -> tuple[int, ...]:
    """Indices of the Pareto-optimal points: lower cost and higher gain are better.

    They are in ascending order of cost. Of equal points only the first is included.
    """
    order = sorted(range(len(costs)), key=lambda index: (costs[index], -gains[index], index))
    front: list[int] = []
    for index in order:
        if not front or gains[index] > gains[front[-1]]:
            front.append(index)
    return tuple(front)
