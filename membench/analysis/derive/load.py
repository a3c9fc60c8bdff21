"""Find the knee and the maximum of a bandwidth-latency curve, and find Pareto fronts."""

from __future__ import annotations

from collections.abc import Sequence

from membench.core.record import record


@record
class LoadCurve:
    """The start, the knee and the end of a curve of latency over bandwidth.

    Attributes:
        unloaded_ns: latency in ns at the least traffic.
        knee: (GB/s, ns); None without a knee.
        most: (GB/s, ns) at the largest traffic.
    """

    unloaded_ns: float
    knee: tuple[float, float] | None
    most: tuple[float, float]


def load_curve(bandwidths: Sequence[float], latencies: Sequence[float]) -> LoadCurve | None:
    """Find the knee and the maximum of points (GB/s, ns); None for fewer than three points.

    Both axes are scaled to the range from 0 to 1. The knee is the point farthest below the straight
    line from the point with the least traffic to the point with the most (Satopaa et al., "Finding
    a 'Kneedle' in a Haystack", ICDCS workshops 2011).
    """
    points = sorted(zip(bandwidths, latencies, strict=True))
    if len(points) < 3:
        return None
    import numpy as np

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
    """Indices of the Pareto-optimal points (low cost, high gain), in ascending order of cost.

    Of several equal points, only the first is included.
    """
    order = sorted(range(len(costs)), key=lambda index: (costs[index], -gains[index], index))
    front: list[int] = []
    for index in order:
        if not front or gains[index] > gains[front[-1]]:
            front.append(index)
    return tuple(front)
