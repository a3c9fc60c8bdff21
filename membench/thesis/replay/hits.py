"""One pass over a trace that finds the exact hits at every cache capacity at once.

Hits are counted in blocks, by this convention. The hits of a request are determined in the cache
before any of its blocks is touched. They count only up to the first missing block, because a block
can only be used together with all blocks before it. Then the blocks are touched or inserted
tail-first (last block first, so that the first block is the most recent). Then the cache is trimmed
to its capacity. So block k of a request hits at capacity C if and only if the largest LRU position
among its blocks 1 to k is at most C. The stack distance of each reference alone would give other
hits.

The pass works on arrays for many requests at once (`stack`), and on runs of consecutive ids instead
of single blocks. So its time grows with the number of runs, not with the number of references.
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
"""Maximum number of atoms (see `lru_stack.stack`) in memory at a time: about 200 MB."""


@record
class Reuse:
    """Blocks that hit in an unlimited cache, grouped by the pair of requests that use them.

    Attributes:
        request: [n] index of the request that reads them again.
        before: [n] index of the request that used them last.
        blocks: [n] number of blocks.
    """

    request: Ints
    before: Ints
    blocks: Ints


@record
class Replay:
    """The results of one pass over a trace.

    Attributes:
        curve: the hits of all requests by capacity.
        reuse: the blocks that are read again.
        events: the ramps and steps of the curve, with the request of each.
        blocks: [n] number of blocks in each request.
        lost: [n] number of tokens that the last block of each request lacks to be whole.
        block_tokens, tokens: tokens per block, and [n] tokens per request; 0 if blocks have no
            tokens.
    """

    curve: HitCurve
    reuse: Reuse
    events: Events
    blocks: Ints
    lost: Ints
    block_tokens: int
    tokens: Ints

    def since(self, request: int) -> HitCurve:
        """The curve of the requests from index ``request`` on.

        The earlier requests only warm the cache.
        """
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
        """[k] share of tokens that hit, over the requests from index ``request`` on.

        The result is None if blocks have no tokens.

        The last block of a request may hold fewer tokens; it hits completely or not at all.
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
    """Replay the requests of ``trace`` in their order.

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
    """``events`` with the indices of requests in 32 bits, which are always enough."""
    names = ("climber", "stepper", "whole", "request", "before")
    return events._replace(**{name: getattr(events, name).astype(np.int32) for name in names})


def _joined(parts: list[Events]) -> Events:
    """All ``parts`` as one.

    They are joined field by field, so that only one field is in memory twice at a time.
    """
    columns = [list(column) for column in zip(*parts, strict=True)]
    parts.clear()
    found = []
    while columns:
        found.append(np.concatenate(columns.pop(0)))
    return Events(*found)


def _events(whole: Touches) -> list[Events]:
    """The events of all requests, computed for as many requests at a time as memory permits."""
    found = [_narrowed(Events(*(np.zeros(0, np.int64) for _ in Events._fields)))]
    stack = EMPTY
    begin, count = 0, whole.number.size
    while begin < whole.number.size:
        part = whole.between(begin, min(begin + count, whole.number.size))
        # Each part has the fixed cost of the stack, so no part should be much smaller than the
        # others.
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
