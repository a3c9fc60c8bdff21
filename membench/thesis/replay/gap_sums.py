"""Shares and means of the idle times of cached tokens, for each trace that membench contains.

`gap_sums.json` contains these values, because a replay takes long. This command writes the file::

    python -m membench.thesis.replay.gap_sums > membench/thesis/replay/gap_sums.json
"""

from __future__ import annotations

import json
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from membench.core.record import record
from membench.thesis.models.demand import band_traffic, resident_bytes
from membench.thesis.models.economics import Shares
from membench.thesis.replay.gaps import EDGES_S, Gaps, reread, resting

GRID_S = np.geomspace(1, 1e6, 61)
"""Gaps in seconds at which a plot shows the share of shorter or equal gaps."""
FAST_S = 60.0
"""Longest gap in seconds for which HBM and DDR keep cache; for longer gaps, the SSD does."""
KEPT_S = 86400.0
"""Seconds (a day) after which the SSD drops idle cache."""


@record(kw_only=True)
class GapSums:
    """Shares and means of the gaps of one trace. A gap is the time between two uses of cache.

    Attributes:
        trace: SHA-256 digest of the trace.
        fast_share: share of the idle tokens with a gap of at most `FAST_S`.
        slow_share: share of the idle tokens with a gap above `FAST_S` and at most `KEPT_S`.
        fast_mean_s, slow_mean_s: mean of ``min(gap, FAST_S)`` and of ``min(gap, KEPT_S)`` in
            seconds, weighted by tokens.
        bands: shares of traffic and residency in the bands with the upper edges `EDGES_S`.
        traffic: [61] for each value of `GRID_S`, the share of the tokens with at most this gap.
        residency: [61] for each value of `GRID_S`, the share of the token-seconds with at most this
            gap.
    """

    trace: str
    fast_share: float
    slow_share: float
    fast_mean_s: float
    slow_mean_s: float
    bands: tuple[Shares, ...]
    traffic: NDArray[np.float64]
    residency: NDArray[np.float64]


@cache
def gap_sums() -> dict[str, GapSums]:
    """Name of a trace -> the sums, from `gap_sums.json`."""
    text = Path(__file__).with_name("gap_sums.json").read_text(encoding="utf-8")
    return {name: _read(table) for name, table in json.loads(text).items()}


def _read(table: dict[str, Any]) -> GapSums:
    edges = pairwise((0.0, *EDGES_S, float("inf")))
    both = zip(edges, table["bands"], strict=True)
    return GapSums(
        **{
            **table,
            "bands": tuple(Shares(*edge, *shares) for edge, shares in both),
            "traffic": np.array(table["traffic"], float),
            "residency": np.array(table["residency"], float),
        }
    )


def computed(name: str) -> dict[str, Any]:
    """Compute the entry of the trace ``name`` for `gap_sums.json`."""
    from membench.thesis.replay.traces import SHIPPED

    gaps = gaps_of(name)
    seconds, tokens = gaps.seconds, gaps.weights
    return {
        "trace": next(one.sha256 for one in SHIPPED if one.name == name),
        "fast_share": band_traffic(1.0, seconds, tokens, 0.0, FAST_S),
        "slow_share": band_traffic(1.0, seconds, tokens, FAST_S, KEPT_S),
        "fast_mean_s": resident_bytes(1.0, seconds, tokens, FAST_S),
        "slow_mean_s": resident_bytes(1.0, seconds, tokens, KEPT_S),
        "bands": [[one.traffic, one.residency] for one in gaps.bands()],
        **_cumulated(gaps),
    }


def gaps_of(name: str) -> Gaps:
    """The `resting` gaps of the trace ``name``, or the `reread` gaps if it has no sessions."""
    from membench.thesis.replay.hits import replay
    from membench.thesis.replay.traces import read_trace

    trace = read_trace(name)
    if trace.sessions:
        return resting(trace)
    return reread(trace, replay(trace).reuse)


def _cumulated(gaps: Gaps) -> dict[str, list[float]]:
    order = np.argsort(gaps.seconds, kind="stable")
    seconds, tokens = gaps.seconds[order], gaps.weights[order]
    place = np.searchsorted(seconds, GRID_S, side="right")

    def shares(weights: NDArray[np.float64]) -> list[float]:
        sums = np.concatenate([[0.0], np.cumsum(weights)])
        found: list[float] = (sums[place] / sums[-1]).tolist()
        return found

    return {"traffic": shares(tokens), "residency": shares(tokens * seconds)}


if __name__ == "__main__":
    from membench.thesis.replay.traces import SHIPPED

    json.dump({one.name: computed(one.name) for one in SHIPPED}, sys.stdout)
    sys.stdout.write("\n")
