"""Finds the exact hits of a trace at every cache capacity, in one pass over the trace.

The cache handles a request in three steps:

1. Count the hits of the request, in blocks. The count ends at the first missing block, because a
   block is useful only together with all earlier blocks.
2. Touch or insert the blocks, the last block first. So the first block is the most recent block.
3. Evict the least recent blocks beyond the capacity.

So block k of a request hits at capacity C if all blocks 1 to k have an LRU position of at most C.
The pass works on runs of consecutive ids, so the time grows with the number of runs (`stack`).
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
"""Usual maximum number of atoms (see `lru_stack.stack`) in memory at a time: about 200 MB."""


@record
class Reuse:
    """Blocks that hit in an unlimited cache, in groups with equal `request` and `before`.

    Attributes:
        request: [n] index of the request that reads the blocks.
        before: [n] index of the request that used the blocks last.
        blocks: [n] number of blocks.
    """

    request: Ints
    before: Ints
    blocks: Ints


@record
class Replay:
    """The results of one pass over a trace.

    Attributes:
        events: the ramps and steps of ``curve``, with the request of each.
        blocks: [n] number of blocks in each request.
        lost: [n] number of tokens by which the last block of each request is shorter than a whole
            block; 0 if the block is whole.
        block_tokens: tokens per block; 0 if blocks have no tokens.
        tokens: [n] input tokens of each request; 0 if blocks have no tokens.
    """

    curve: HitCurve
    reuse: Reuse
    events: Events
    blocks: Ints
    lost: Ints
    block_tokens: int
    tokens: Ints

    def since(self, request: int) -> HitCurve:
        """The hit curve of the requests from index ``request`` on.

        Earlier requests fill the cache, but their hits do not count.
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
        """[k] share of tokens that hit at each of ``capacities`` ([k], in blocks).

        Only the requests from index ``request`` on count. None if these requests have no tokens.
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
    """Replay the requests in the order of ``trace``, and find the hits at all capacities.

    Raises:
        TraceError: ``trace`` has more than `MOST_REFERENCES` references to blocks, or its ids are
            too large.
    """
    references = trace.references
    if not 0 <= references <= MOST_REFERENCES:
        raise TraceError(
            f"{trace.name}: the trace has more than {MOST_REFERENCES:.0e} references to blocks",
            "check the trace for a range of block ids that is far too long",
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
    """``events`` with request indices in 32 bits, to save memory."""
    names = ("climber", "stepper", "whole", "request", "before")
    return events._replace(**{name: getattr(events, name).astype(np.int32) for name in names})


def _joined(parts: list[Events]) -> Events:
    """Concatenate ``parts``, and empty the list. Only one field at a time is in memory twice."""
    columns = [list(column) for column in zip(*parts, strict=True)]
    parts.clear()
    found = []
    while columns:
        found.append(np.concatenate(columns.pop(0)))
    return Events(*found)


def _events(whole: Touches) -> list[Events]:
    """The events of all requests, computed in chunks that fit in memory."""
    found = [_narrowed(Events(*(np.zeros(0, np.int64) for _ in Events._fields)))]
    stack = EMPTY
    begin, count = 0, whole.number.size
    while begin < whole.number.size:
        part = whole.between(begin, min(begin + count, whole.number.size))
        # Each chunk processes the whole stack, so a chunk much smaller than the stack wastes time.
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
