"""The hit rate as a function of cache capacity, for each trace that membench contains.

`curves.json` contains the curves, because a replay takes long. This command writes the file::

    python -m membench.thesis.replay.curves > membench/thesis/replay/curves.json
"""

from __future__ import annotations

import json
import sys
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from membench.core.record import record
from membench.thesis.claims.draws import Floats

POINTS = 240
SESSIONS_PER_S = 1 / 60
"""Session starts per second in the agent trace. Capacities of a curve scale with this rate."""
_MIDDLE = (5, 95)
"""Percentiles of the arrival times. Between these times the number of active sessions is steady."""


_NARROWER = 0.999
"""Width of a bin divided by the smallest distance of two points. A bin has at most one point."""
_ROUNDING = 1e-9
"""Upper bound of the rounding error of a logarithm."""


class _Bins(NamedTuple):
    """Equal-width bins over the logarithms of a curve's capacities.

    Attributes:
        slopes: [n] rise of the hit rate per unit of the logarithm, from each point to the next; 0
            for the last point.
        per_unit: number of bins per unit of the logarithm.
        first: for each bin, the index of the last point at or below the start of the bin.
    """

    logarithms: Floats
    slopes: Floats
    per_unit: float
    first: NDArray[np.intp]


@record
class Curve:
    """The hit rate of one trace as a function of capacity.

    Attributes:
        requests_per_s: rate at which requests arrive.
        tokens_per_request: mean number of input tokens.
        capacity: [n] ascending, tokens of cache.
        hits: [n] share of input blocks that hit at each capacity with LRU.
    """

    name: str
    requests_per_s: float
    tokens_per_request: float
    capacity: Floats
    hits: Floats

    def hit_rate(self, tokens: Floats) -> Floats:
        """Hit rates at the capacities ``tokens``, an array of any shape.

        The rates are interpolated linearly over the logarithm of the capacity.
        """
        # Equal to numpy.interp, but faster: bins replace the binary search.
        bins = self._bins
        place = np.log(np.clip(tokens, self.capacity[0], self.capacity[-1]))
        with np.errstate(invalid="ignore"):  # NaN has no bin; the result is NaN
            which = ((place - bins.logarithms[0]) * bins.per_unit).astype(np.intp)
        point = bins.first.take(which, mode="clip")
        point += place >= bins.logarithms.take(point + 1, mode="clip")
        rate: Floats = place - bins.logarithms.take(point, mode="clip")
        rate *= bins.slopes.take(point, mode="clip")
        rate += self.hits.take(point, mode="clip")
        return rate

    @cached_property
    def _bins(self) -> _Bins:
        logarithms = np.log(self.capacity)
        steps = np.diff(logarithms)
        per_unit = 1 / (_NARROWER * float(steps.min()))
        starts = np.arange(int((logarithms[-1] - logarithms[0]) * per_unit) + 2) / per_unit
        return _Bins(
            logarithms,
            np.append(np.diff(self.hits) / steps, 0.0),
            per_unit,
            np.searchsorted(logarithms, logarithms[0] + starts - _ROUNDING, side="right").clip(1)
            - 1,
        )

    @property
    def most_tokens(self) -> float:
        """The smallest capacity, in tokens, with the maximum hit rate."""
        return float(self.capacity[-1])


@cache
def curves() -> tuple[Curve, ...]:
    text = Path(__file__).with_name("curves.json").read_text(encoding="utf-8")
    return tuple(
        Curve(
            one["name"],
            one["requests_per_s"],
            one["tokens_per_request"],
            np.array(one["capacity_tokens"], float),
            np.array(one["hit_rate"], float),
        )
        for one in json.loads(text)
    )


def computed(name: str) -> dict[str, Any]:
    """Compute the entry of the trace ``name`` for `curves.json`."""
    from membench.thesis.replay.hits import replay
    from membench.thesis.replay.trace import with_poisson_arrivals
    from membench.thesis.replay.traces import read_trace

    trace = read_trace(name)
    if trace.sessions:
        trace = with_poisson_arrivals(trace, SESSIONS_PER_S, 1)
        begin, end = np.percentile(trace.arrival, _MIDDLE)
        rate = (_MIDDLE[1] - _MIDDLE[0]) / 100 * trace.requests / float(end - begin)
    else:
        rate = trace.requests / float(np.ptp(trace.arrival))
    curve = replay(trace).curve
    blocks = np.unique(np.geomspace(1, curve.enough, POINTS).round().astype(np.int64))
    return {
        "name": name,
        "arrivals": f"poisson:{SESSIONS_PER_S:.6g}, seed 1" if trace.sessions else "file",
        "requests_per_s": float(f"{rate:.6g}"),
        "tokens_per_request": float(f"{trace.prompt.mean():.6g}"),
        "capacity_tokens": (blocks * trace.block_tokens).tolist(),
        "hit_rate": [float(f"{rate:.6g}") for rate in curve.rates(blocks)],
    }


if __name__ == "__main__":
    from membench.thesis.replay.traces import SHIPPED

    json.dump([computed(one.name) for one in SHIPPED], sys.stdout)
    sys.stdout.write("\n")
