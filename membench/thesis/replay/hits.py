"""One pass over a trace that finds the exact hits at every cache capacity at once.

Convention.  Hits are weighted by block.  The hits of a request are determined in the cache as it
was before any of its blocks was touched, and count only up to its first missing block, because a
block can only be used together with all blocks before it. Then its blocks are touched or inserted
tail-first (last block first, so that the first block is the most recent), and then the cache is
trimmed to its capacity.  So block k of a request hits at capacity C if and only if the largest LRU
position among its blocks 1..k is at most C.  The stack distance of each reference alone would give
other hits.

The pass works on arrays for many requests at once (`stack`), and on runs of consecutive ids instead
of single blocks: its time grows with the number of runs, not of references.
"""

from __future__ import annotations

import numpy as np

from membench.core.record import record
from membench.thesis.replay.hit_curve import MOST_REFERENCES, Floats, HitCurve
from membench.thesis.replay.lru_stack.prefix_rule import Events, judge
from membench.thesis.replay.lru_stack.ragged import Ints
from membench.thesis.replay.lru_stack.stack import EMPTY, advance
from membench.thesis.replay.lru_stack.touches import Touches, touches
from membench.thesis.replay.trace import Trace, TraceError

_MOST_ATOMS = 2**20
"""Most atoms that runs are split into at a time: about 200 MB."""


@record
class Reuse:
    """Blocks that hit if nothing is ever dropped, grouped by the pair of requests that use them.

    Attributes:
        request: [n] number of the request that reads them again.
        before: [n] number of the request that touched them last.
        blocks: [n] number of blocks.
    """

    request: Ints
    before: Ints
    blocks: Ints


@record
class Replay:
    """The results of one pass over a trace.

    Attributes:
        curve: hits of all requests.
        reuse: the blocks that were read again.
        events: the events of the curve, request by request.
        blocks: [n] number of blocks in each request.
        lost: [n] tokens by which each request's last block falls short of a whole one.
        block_tokens, tokens: tokens per block, and [n] per request; 0 if blocks have none.
    """

    curve: HitCurve
    reuse: Reuse
    events: Events
    blocks: Ints
    lost: Ints
    block_tokens: int
    tokens: Ints

    def since(self, request: int) -> HitCurve:
        """The curve of the requests from number ``request`` on; earlier ones are the warm-up."""
        if not request:
            return self.curve
        events = self.events
        climbs, steps = events.climber >= request, events.stepper >= request
        return HitCurve.of(
            int(self.blocks[request:].sum()),
            events.low[climbs],
            events.high[climbs],
            events.place[steps],
            events.hits[steps],
        )

    def token_rates(self, capacities: Ints, request: int = 0) -> Floats | None:
        """[k] share of tokens that hit, of the requests from ``request`` on; None without tokens.

        The last block of a request may hold fewer tokens; it hits as a whole or not at all.
        """
        total = int(self.tokens[request:].sum())
        if not total or not self.block_tokens:
            return None
        hits = self.since(request).hits(capacities) * self.block_tokens
        events = self.events
        later = events.whole >= request
        order = np.argsort(events.enough[later])
        lost = np.concatenate([[0], np.cumsum(self.lost[events.whole[later]][order])])
        place = np.searchsorted(events.enough[later][order], capacities, side="right")
        found: Floats = (hits - lost[place]) / total
        return found


def replay(trace: Trace) -> Replay:
    """Replay ``trace`` in its order.

    Raises:
        TraceError: there are so many references that their sums would exceed 64 bits.
    """
    references = trace.references
    if not 0 <= references <= MOST_REFERENCES:
        raise TraceError(
            f"{trace.name}: more than {MOST_REFERENCES:.0e} references to blocks",
            "look for a run that ends far beyond its start",
        )
    events = _joined(_events(touches(trace)))
    blocks = trace.blocks
    return Replay(
        HitCurve.of(references, events.low, events.high, events.place, events.hits),
        Reuse(events.request, events.before, events.blocks),
        events,
        blocks,
        np.maximum(blocks * trace.block_tokens - trace.prompt, 0),
        trace.block_tokens,
        trace.prompt,
    )


def _narrowed(events: Events) -> Events:
    """``events`` with request numbers in 32 bits, which are always enough."""
    names = ("climber", "stepper", "whole", "request", "before")
    return events._replace(**{name: getattr(events, name).astype(np.int32) for name in names})


def _joined(parts: list[Events]) -> Events:
    """All parts as one, joined field by field so that no more than one field is in memory twice."""
    columns = [list(column) for column in zip(*parts, strict=True)]
    parts.clear()
    found = []
    while columns:
        found.append(np.concatenate(columns.pop(0)))
    return Events(*found)


def _events(whole: Touches) -> list[Events]:
    """The events of all requests, computed for as many requests at a time as memory allows."""
    found = [_narrowed(Events(*(np.zeros(0, np.int64) for _ in Events._fields)))]
    stack = EMPTY
    begin, count = 0, whole.number.size
    while begin < whole.number.size:
        part = whole.between(begin, min(begin + count, whole.number.size))
        # Each part pays the cost of the stack, so no part should be much smaller.
        most = max(_MOST_ATOMS, stack.first.size // 2) if part.number.size > 1 else None
        done = advance(stack, part, most)
        if done is None:
            count = part.number.size // 2
            continue
        found.append(_narrowed(judge(part, done[0])))
        stack = done[1]
        begin += part.number.size
        count *= 2
    return found
