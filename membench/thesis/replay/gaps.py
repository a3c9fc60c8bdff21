"""Finds the times for which KV cache is idle between two uses, called gaps.

`resting` counts whole contexts, whether or not they are read again. `reread` counts only blocks
that are read again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from membench.core.record import record
from membench.thesis.models.economics import Shares, shares
from membench.thesis.replay.hits import Reuse
from membench.thesis.replay.trace import Trace, TraceError

EDGES_S = (10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 86400.0)
"""Upper edges, in seconds, of the bands into which gaps are sorted."""


@record
class Gaps:
    """Idle times of KV cache.

    Attributes:
        seconds: [n] seconds between two uses.
        weights: [n] tokens that were idle; [n] blocks if blocks are objects without tokens.
    """

    seconds: NDArray[np.float64]
    weights: NDArray[np.float64]

    def bands(self, edges_s: tuple[float, ...] = EDGES_S) -> tuple[Shares, ...]:
        """The shares of traffic and residency in each band of gaps (see `shares`)."""
        return shares(self.seconds, self.weights, edges_s)

    @property
    def mean_s(self) -> float:
        """The mean gap in seconds, weighted by ``weights``; 0 if nothing was idle."""
        total = self.weights.sum()
        return float((self.seconds * self.weights).sum() / total) if total else 0.0


def resting(trace: Trace) -> Gaps:
    """The time from each request to the next request of the session, and the idle tokens.

    The idle tokens are the prompt and the answer of the earlier request.

    Raises:
        TraceError: the trace has no sessions.
    """
    if not trace.sessions:
        raise TraceError(
            f"{trace.name}: the trace has no sessions, so the idle times of contexts are unknown"
        )
    order = np.lexsort((trace.arrival, trace.session))
    session = trace.session[order]
    next_ = np.flatnonzero(session[1:] == session[:-1]) + 1
    gaps = trace.arrival[order][next_] - trace.arrival[order][next_ - 1]
    context = (trace.prompt + trace.output)[order]
    return Gaps(gaps, context[next_ - 1].astype(np.float64))


def reread(trace: Trace, reuse: Reuse) -> Gaps:
    """The time since the last use, for all hits in an unlimited cache, weighted by tokens.

    If the blocks of ``trace`` are objects without tokens, each object has the weight 1.
    """
    gaps = trace.arrival[reuse.request] - trace.arrival[reuse.before]
    return Gaps(gaps, reuse.blocks.astype(np.float64) * (trace.block_tokens or 1))
