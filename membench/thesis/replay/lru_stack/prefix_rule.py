"""Finds the smallest capacity at which each block of a request hits.

A block hits only if all earlier blocks of the request hit (the prefix rule).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from membench.thesis.replay.lru_stack.ragged import Ints, joined, offsets, running_max
from membench.thesis.replay.lru_stack.stack import StackDistances
from membench.thesis.replay.lru_stack.touches import Touches


class Events(NamedTuple):
    """The capacities at which blocks become hits, and the blocks that were read again.

    Attributes:
        low, high: [n] ramps. The number of hits grows by one at every capacity from `low` to
            `high`.
        climber: [n] index of the request of each ramp.
        place, hits: [m] steps. Each step adds `hits` hits at all capacities from `place` on.
        stepper: [m] index of the request of each step.
        whole: [j] indices of the requests whose blocks can all hit.
        enough: [j] for each of these requests, the smallest capacity at which all its blocks hit.
        request, before, blocks: [k] as in `hits.Reuse`.
    """

    low: Ints
    high: Ints
    climber: Ints
    place: Ints
    hits: Ints
    stepper: Ints
    whole: Ints
    enough: Ints
    request: Ints
    before: Ints
    blocks: Ints


class _Warm(NamedTuple):
    """The atoms (see `stack`) that can hit: in each request, the atoms before the first new atom.

    Attributes:
        atom: [n] index in `StackDistances`, ascending.
        turn: [n] index of the atom's request.
        begin, end: [n] stack positions of the atom's first and last block.
        before: [n] the largest stack position of the blocks that precede the atom in its request.
        worst: [n] the largest stack position of these blocks and of the atom's blocks.
    """

    atom: Ints
    turn: Ints
    begin: Ints
    end: Ints
    before: Ints
    worst: Ints


def judge(touches: Touches, found: StackDistances) -> Events:
    """Find the ramps and steps of the hit curve from the stack positions ``found``."""
    # Block k of a request hits if the capacity is at least the largest position of blocks 1 to k.
    warm = _warm(found)
    low = np.maximum(warm.begin, warm.before + 1)
    ramps = low <= warm.end
    climbers, climbs, tops = joined(warm.turn[ramps], low[ramps], warm.end[ramps])
    steps = low > warm.begin
    place, hits, again = _again(touches, found, warm)
    complete, enough = _complete(touches, found, warm)
    whole = np.flatnonzero(found.shared)
    turn, before, blocks = _grouped(warm.turn, found.toucher[warm.atom], found.blocks[warm.atom])
    return Events(
        low=np.concatenate([np.ones(whole.size, np.int64), climbs]),
        high=np.concatenate([found.shared[whole], tops]),
        climber=touches.number[np.concatenate([whole, climbers])],
        place=np.concatenate([warm.before[steps], place]),
        hits=np.concatenate([np.minimum(low, warm.end + 1)[steps] - warm.begin[steps], hits]),
        stepper=touches.number[np.concatenate([warm.turn[steps], again])],
        whole=touches.number[complete],
        enough=enough,
        request=touches.number[np.concatenate([whole, turn])],
        before=np.concatenate([found.before[whole], before]),
        blocks=np.concatenate([found.shared[whole], blocks]),
    )


def _warm(found: StackDistances) -> _Warm:
    missed = offsets(found.position == 0)
    begins = np.searchsorted(found.turn, np.arange(found.shared.size))
    atom = np.flatnonzero(missed[1:] == missed[begins[found.turn]])
    turn, begin = found.turn[atom], found.position[atom]
    end = begin + found.blocks[atom] - 1
    before = found.shared[turn]
    worst = running_max(turn, np.maximum(end, before))
    follows = np.flatnonzero(turn[1:] == turn[:-1]) + 1
    before[follows] = worst[follows - 1]
    return _Warm(atom, turn, begin, end, before, worst)


def _grouped(turn: Ints, toucher: Ints, blocks: Ints) -> tuple[Ints, Ints, Ints]:
    """Merge neighbouring entries with equal ``turn`` and ``toucher``, and add their blocks."""
    heads = np.flatnonzero((np.diff(turn, prepend=-1) != 0) | (np.diff(toucher, prepend=-1) != 0))
    total = np.add.reduceat(blocks, heads) if heads.size else blocks
    return turn[heads], toucher[heads], total


def _complete(touches: Touches, found: StackDistances, warm: _Warm) -> tuple[Ints, Ints]:
    """([j] index in ``touches``, [j] `Events.enough`) of each request without a new block."""
    blocks = offsets(touches.last - touches.first + 1)
    asked = np.diff(blocks[touches.offsets])
    known = found.shared.copy()
    np.add.at(known, warm.turn, found.blocks[warm.atom])
    enough = found.shared.copy()
    np.maximum.at(enough, warm.turn, warm.worst)
    complete = np.flatnonzero(known == asked)
    return complete, enough[complete]


def _again(touches: Touches, found: StackDistances, warm: _Warm) -> tuple[Ints, Ints, Ints]:
    """Steps of the hit curve for repeated blocks of a request: (capacity, hits, request)."""
    after, blocks = touches.again
    turn = np.searchsorted(touches.offsets, after, side="right") - 1
    # Without an earlier atom, all earlier blocks are shared with the previous request.
    ends = offsets(touches.last - touches.first + 1)
    place = ends[after + 1] - ends[touches.offsets[turn]]
    hits = np.ones(after.size, np.bool_)
    atom = np.searchsorted(found.run, after, side="right") - 1
    other = np.flatnonzero(atom >= 0)
    other = other[found.turn[atom[other]] == turn[other]]
    at = np.searchsorted(warm.atom, atom[other])
    hits[other] = np.append(warm.atom, -1)[at] == atom[other]
    place[other] = np.append(warm.worst, 0)[at]
    return place[hits], blocks[hits], turn[hits]
