"""How long cache is idle between two uses, weighted by traffic and by residency.

There are two measures, which answer different questions:

- `resting`: the whole context of a request is idle until the next request of its session, whether
    or not it is read again. A tier that keeps sessions warm holds this much.
- `reread`: only blocks that a later request actually reads again (prefix hits of an unlimited
    cache). Context that was dropped or rewritten does not count.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from membench.core.record import record
from membench.thesis.models.economics import Shares, shares
from membench.thesis.replay.hits import Reuse
from membench.thesis.replay.trace import Trace, TraceError

EDGES_S = (10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 86400.0)
"""Upper edges of the gap bands, seconds."""


@record
class Gaps:
    """[n] seconds between two uses, and [n] the number of tokens with that gap."""

    seconds: NDArray[np.float64]
    tokens: NDArray[np.float64]

    def bands(self, edges_s: tuple[float, ...] = EDGES_S) -> tuple[Shares, ...]:
        """Shares of traffic and residency in each gap band."""
        return shares(self.seconds, self.tokens, edges_s)

    @property
    def mean_s(self) -> float:
        """The mean gap in seconds, weighted by tokens."""
        total = self.tokens.sum()
        return float((self.seconds * self.tokens).sum() / total) if total else 0.0


def resting(trace: Trace) -> Gaps:
    """The gap from each request to the next one of its session, with the tokens of its context.

    The context is the prompt and the answer, which are idle during the gap.

    Raises:
        TraceError: the trace has no sessions.
    """
    if not trace.sessions:
        raise TraceError(f"{trace.name}: it has no sessions, so no idle contexts")
    order = np.lexsort((trace.arrival, trace.session))
    session = trace.session[order]
    next_ = np.flatnonzero(session[1:] == session[:-1]) + 1
    gaps = trace.arrival[order][next_] - trace.arrival[order][next_ - 1]
    context = (trace.prompt + trace.output)[order]
    return Gaps(gaps, context[next_ - 1].astype(np.float64))


def reread(trace: Trace, reuse: Reuse) -> Gaps:
    """Tokens that hit in an unlimited cache, by the time since their last use."""
    gaps = trace.arrival[reuse.request] - trace.arrival[reuse.before]
    return Gaps(gaps, reuse.blocks.astype(np.float64) * trace.block_tokens)
