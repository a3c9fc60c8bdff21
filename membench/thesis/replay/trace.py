"""A trace of requests: times, lengths, and cache blocks as runs of consecutive ids."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from membench.core.errors import MembenchError
from membench.core.record import record

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


_MOST_IDS = 2**62


class TraceError(MembenchError):
    """A trace cannot be read or replayed."""

    usual_hint = "docs/replay.md describes the formats of traces"


@record(kw_only=True)
class Trace:
    """The requests of a trace, in the order of the replay.

    Attributes:
        block_tokens: number of tokens per block; 0 if blocks are objects without tokens.
        timed: whether the trace has request times. If not, ``arrival`` gives only the order.
        full_only: whether a partial last block of a request has no id.
        sessions: whether the trace has sessions. `read_trace` gives each session a separate clock.
        private: whether equal ids of different sessions are different blocks.
        session: [n] index of the session; all 0 if there are no sessions.
        arrival: [n] seconds on the clock of the session or of the trace.
        served: [n] seconds that the recorded server took for the request; NaN if unknown.
        prompt, output: [n] tokens.
        nested: [n] whether a sub-agent sent the request.
        offsets: [n + 1] request i has the runs ``offsets[i]`` to ``offsets[i + 1] - 1``.
        first, last: [m] first and last id of each run.
    """

    name: str
    block_tokens: int
    sessions: bool
    private: bool
    session: Ints
    arrival: Floats
    served: Floats
    prompt: Ints
    output: Ints
    nested: NDArray[np.bool_]
    offsets: Ints
    first: Ints
    last: Ints
    timed: bool = True
    full_only: bool = False

    @property
    def requests(self) -> int:
        return self.arrival.size

    @property
    def runs(self) -> int:
        """Number of runs of consecutive ids."""
        return self.first.size

    @property
    def blocks(self) -> Ints:
        """[n] number of blocks of each request."""
        ends = np.concatenate([[0], np.cumsum(self.last - self.first + 1)])
        return np.diff(ends[self.offsets])

    @property
    def references(self) -> int:
        """Number of references to blocks, over all requests."""
        return int((self.last - self.first + 1).sum())

    def take(self, order: Ints) -> Trace:
        """The trace of the requests with the indices ``order``, in this order."""
        lengths = np.diff(self.offsets)[order]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        runs = np.repeat(self.offsets[:-1][order] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return replace(
            self,
            session=self.session[order],
            arrival=self.arrival[order],
            served=self.served[order],
            prompt=self.prompt[order],
            output=self.output[order],
            nested=self.nested[order],
            offsets=offsets,
            first=self.first[runs],
            last=self.last[runs],
        )

    def without_nested(self) -> Trace:
        return self.take(np.flatnonzero(~self.nested)) if self.nested.any() else self


def with_poisson_arrivals(trace: Trace, rate: float, seed: int) -> Trace:
    """``trace`` with random start times of sessions: ``rate`` sessions per second on average.

    The requests are in the order of arrival. Without sessions, each request gets a random time, and
    ``rate`` is in requests per second.
    """
    draw = np.random.default_rng(seed)
    if not trace.sessions:
        arrival = np.cumsum(draw.exponential(1 / rate, trace.requests))
        return replace(trace, arrival=arrival, timed=True)
    _, session = np.unique(trace.session, return_inverse=True)
    starts = np.cumsum(draw.exponential(1 / rate, int(session.max(initial=-1)) + 1))
    begins = _first_arrivals(session, trace.arrival)
    moved = replace(trace, arrival=trace.arrival - begins[session] + starts[session])
    return moved.take(np.argsort(moved.arrival, kind="stable"))


def _first_arrivals(session: Ints, arrival: Floats) -> Floats:
    begins = np.full(int(session.max(initial=-1)) + 1, np.inf)
    np.minimum.at(begins, session, arrival)
    return begins


def with_shared_prefix(trace: Trace, tokens: int) -> Trace:
    """``trace`` in which all sessions share the first ``tokens`` tokens, in whole blocks.

    If ids are not private, the result is ``trace``. Private ids hide a common prefix, such as a
    system prompt.

    In each session, at most the first run of consecutive ids of the first request is shared.

    Raises:
        TraceError: the ids are too large to give the sessions separate ids.
    """
    wanted = tokens // max(trace.block_tokens, 1)
    if not trace.private or not wanted or not trace.runs:
        return trace
    sessions, begins = np.unique(trace.session, return_index=True)
    place = np.minimum(trace.offsets[begins], trace.runs - 1)
    of_run = np.searchsorted(sessions, np.repeat(trace.session, np.diff(trace.offsets)))
    head = trace.first[place][of_run]
    end = np.minimum(trace.last[place], trace.first[place] + wanted - 1)[of_run]
    span = int(trace.last.max()) + 1
    if span * sessions.size >= _MOST_IDS:
        raise TraceError(
            f"{trace.name}: the block ids are too large to give each session separate ids"
        )
    own = wanted + of_run * span  # shared ids come first, then the ids of each session
    parts = [
        (trace.first + own, np.minimum(trace.last, head - 1) + own),
        (np.maximum(trace.first, head) - head, np.minimum(trace.last, end) - head),
        (np.maximum(trace.first, end + 1) + own, trace.last + own),
    ]
    first = np.stack([begin for begin, _ in parts], axis=1)
    last = np.stack([stop for _, stop in parts], axis=1)
    kept = first <= last
    counts = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    return replace(
        trace,
        private=False,
        offsets=counts[trace.offsets],
        first=first[kept],
        last=last[kept],
    )
