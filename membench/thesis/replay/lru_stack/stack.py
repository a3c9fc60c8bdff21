"""The LRU stack of a trace, advanced by many requests at once.

The blocks of the previous request are at the top of the stack, in the order of the request. The
current request does this to the stack:

- The prefix that both requests share is at positions 1 to n and stays there.
- The other blocks of the previous request are *buried*. The buried blocks of all earlier requests
  are below.
- The other blocks of the current request are *fresh*. A fresh block is either taken from the buried
  blocks, or is new.

Each block has an integer key, and a run is a range of consecutive keys. All runs are cut at each
key where a fresh run or a buried run begins or ends. The blocks between two cuts form an *atom*,
and always move together. The blocks above a buried atom are the blocks that were buried later and
not yet taken. `inversions` counts these blocks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from membench.thesis.replay.lru_stack.inversions import smaller_before
from membench.thesis.replay.lru_stack.ragged import Ints, distinct, joined, offsets, ranges
from membench.thesis.replay.lru_stack.successive import Runs, succession
from membench.thesis.replay.lru_stack.touches import Touches

_NOTHING = np.zeros(0, np.int64)


class LruStack(NamedTuple):
    """The LRU stack between two requests: runs of keys, from the top down.

    Attributes:
        first, last: [n] first and last key of each run.
        toucher: [n] index, in the trace, of the request that touched the run last.
        top: number of runs of the last request.
    """

    first: Ints
    last: Ints
    toucher: Ints
    top: int


EMPTY = LruStack(_NOTHING, _NOTHING, _NOTHING, 0)
"""The stack before the first request."""


class StackDistances(NamedTuple):
    """The stack positions of the blocks of several requests, at the time of each request.

    Attributes:
        shared: [n] for each request, the number of blocks shared with the previous request.
        before: [n] index, in the trace, of the previous request; -1 if there is none.
        turn: [m] for each atom that is not shared, the index in `Touches` of the request.
        run: [m] for each of these atoms, the index in `Touches` of the run that contains the atom.
        blocks: [m] number of blocks of each atom.
        position: [m] position of the atom's first block; 0 if the atom is new.
        toucher: [m] index, in the trace, of the request that touched the atom last; -1 if the atom
            is new.
    """

    shared: Ints
    before: Ints
    turn: Ints
    run: Ints
    blocks: Ints
    position: Ints
    toucher: Ints


class _Atoms(NamedTuple):
    """Runs of keys, cut into atoms.

    Attributes:
        number: [n] index of the atom, in the order of the keys.
        of: [n] index of the run that contains the atom.
        turn: [n] index of the request in which the atom is fresh or buried.
        blocks: [n] number of blocks.
    """

    number: Ints
    of: Ints
    turn: Ints
    blocks: Ints


def advance(
    stack: LruStack, touches: Touches, most: int | None
) -> tuple[StackDistances, LruStack] | None:
    """Advance ``stack`` by the requests of ``touches`` (at least one).

    Returns:
        (positions of the blocks of all requests, stack after the last request). None if the fresh
            runs and the newly buried runs have more than ``most`` atoms.
    """
    top, turns = stack.top, touches.number.size
    before = np.append(stack.toucher[0] if top else -1, touches.number[:-1])
    shared, fresh, left = succession(
        np.concatenate([stack.first[:top], touches.first]),
        np.concatenate([stack.last[:top], touches.last]),
        np.append(0, top + touches.offsets),
    )
    buried = _buried(stack, left)
    toucher = np.concatenate([before[left.turn], stack.toucher[top:]])
    cuts, begin, atoms = _cut(fresh, buried)
    count = fresh.turn.size
    if most is not None and atoms[: count + left.turn.size].sum() > most:
        return None
    new = _atoms(cuts, fresh, begin[:count], atoms[:count])
    old = _atoms(cuts, buried, begin[count:], atoms[count:])
    source = _sources(new, old, turns)
    known = np.flatnonzero(source >= 0)
    source = source[known]
    taken = np.full(old.number.size, turns)  # index of the request that takes the atom
    taken[source] = new.turn[known]
    position = np.zeros(new.number.size, np.int64)
    position[known] = shared[new.turn[known]] + _above(old, taken, turns)[source] + 1
    touched = np.full(new.number.size, -1)
    touched[known] = toucher[old.of[source]]
    run = fresh.run[new.of] - top
    found = StackDistances(shared, before, new.turn, run, new.blocks, position, touched)
    stays = taken == turns
    first, blocks = cuts[old.number[stays]], old.blocks[stays]
    return found, _stack(touches, first, blocks, toucher[old.of[stays]])


def _buried(stack: LruStack, left: Runs) -> Runs:
    """All buried runs, from the top of the stack down.

    ``turn`` is -1 for runs that an earlier call of `advance` buried.
    """
    below = np.full(stack.first.size - stack.top, -1)
    return Runs(
        np.concatenate([left.turn, below]),
        np.concatenate([left.run, below]),
        np.concatenate([left.first, stack.first[stack.top :]]),
        np.concatenate([left.last, stack.last[stack.top :]]),
    )


def _cut(fresh: Runs, buried: Runs) -> tuple[Ints, Ints, Ints]:
    """Cut the runs of ``fresh``, and then the runs of ``buried``, into atoms.

    Returns:
        (keys at which atoms begin or end, ascending; index of the first atom of each run; number of
            atoms of each run).
    """
    runs = [fresh.first, buried.first, fresh.last + 1, buried.last + 1]
    cuts, number = distinct(np.concatenate(runs))
    begin, end = np.split(number, 2)
    return cuts, begin, end - begin


def _atoms(cuts: Ints, runs: Runs, begin: Ints, atoms: Ints) -> _Atoms:
    number = ranges(begin, atoms)
    of = np.repeat(np.arange(runs.turn.size), atoms)
    return _Atoms(number, of, runs.turn[of], np.diff(cuts)[number])


def _sources(new: _Atoms, old: _Atoms, turns: int) -> Ints:
    """[n] for each fresh atom in ``new``, the index in ``old`` of the atom's last earlier burial.

    The index is -1 if the atom was never buried earlier.
    """
    # Sort by atom, then by request. Within a request, burials are before fresh atoms.
    time = np.concatenate([2 * old.turn + 2, 2 * new.turn + 3])
    order = np.argsort(np.concatenate([old.number, new.number]) * (2 * turns + 2) + time)
    one, next_ = order[:-1], order[1:]
    count = old.number.size
    pairs = np.flatnonzero((one < count) & (next_ >= count))
    one, next_ = one[pairs], next_[pairs] - count
    same = old.number[one] == new.number[next_]
    source = np.full(new.number.size, -1)
    source[next_[same]] = one[same]
    return source


def _above(old: _Atoms, taken: Ints, turns: int) -> Ints:
    """[n] for each buried atom, the number of buried blocks above the atom when it is taken.

    Args:
        taken: [n] index of the request that takes each atom; ``turns`` if never taken.
    """
    ends = offsets(old.blocks)
    # blocks that were buried later than the atom, before the atom is taken, ...
    above = ends[:-1] - ends[np.searchsorted(-old.turn, -taken)]
    # ... minus the blocks among these that were taken earlier; neighbours taken together count once
    goes = np.flatnonzero(taken < turns)
    turn = taken[goes]
    heads = np.flatnonzero(np.diff(turn, prepend=-1))
    if heads.size:
        gone = smaller_before(turn[heads], np.add.reduceat(old.blocks[goes], heads))
        above[goes] -= np.repeat(gone, np.diff(heads, append=goes.size))
    return above


def _stack(touches: Touches, first: Ints, blocks: Ints, toucher: Ints) -> LruStack:
    """The stack after ``touches``: the last request, then the atoms that are still buried."""
    toucher, first, last = joined(toucher, first, first + blocks - 1)
    top = slice(touches.offsets[-2], touches.offsets[-1])
    mine = touches.first[top]
    return LruStack(
        np.concatenate([mine, first]),
        np.concatenate([touches.last[top], last]),
        np.concatenate([np.full(mine.size, touches.number[-1]), toucher]),
        mine.size,
    )
