"""Simulations of a cache of one capacity, in loops that Numba compiles.

Each loop handles a request in the three steps of `hits`. Without Numba, the loops run as plain
Python.
"""

from __future__ import annotations

from typing import Any

NEVER = 2**40
"""Request index that means "never used again"."""

# Arrays are `Any`, because Numba and mypy infer different types.


def lru(  # noqa: C901, PLR0912, PLR0915 - one loop, compiled whole
    ids: Any,
    bounds: Any,
    arrival: Any,
    parent: Any,
    state: Any,
    touched: Any,
    capacity: int,
    ttl: float,
    second: bool,
    leaf: bool,
    moves: bool,
    hits: Any,
    written: Any,
) -> None:
    """Evict the least recently used block (``moves`` true) or the oldest block (``moves`` false).

    Args:
        ids, bounds, arrival: as in `policies.Requests`.
        parent: as from `policies.parents`.
        state: [5, b + 1] int64 zeros, working memory.
        touched: [b] working memory, the time of the last use of each block in seconds.
        ttl: seconds without use after which the cache drops a block.
        second: whether the cache admits a block only on the second use.
        leaf: whether the cache evicts the ``parent`` of a cached block only if there is no other
            block.
        hits: [r] output, number of blocks that hit.
        written: [r] output, number of blocks that were inserted.
    """
    before, after, here, seen, children = state[0], state[1], state[2], state[3], state[4]
    # a ring of blocks: after[end] is the newest block, before[end] the oldest
    end = state.shape[1] - 1
    before[end] = end
    after[end] = end
    count = 0
    for number in range(bounds.size - 1):
        now = arrival[number]
        while count and now - touched[before[end]] > ttl:
            old = before[end]
            after[before[old]] = end
            before[end] = before[old]
            here[old] = 0
            count -= 1
            if parent[old] >= 0:
                children[parent[old]] -= 1
        begin, stop = bounds[number], bounds[number + 1]
        found = 0
        while begin + found < stop and here[ids[begin + found]]:
            found += 1
        hits[number] = found
        for place in range(stop - 1, begin - 1, -1):
            block = ids[place]
            if here[block]:
                if moves:
                    after[before[block]] = after[block]
                    before[after[block]] = before[block]
                    before[block] = end
                    after[block] = after[end]
                    before[after[end]] = block
                    after[end] = block
                    touched[block] = now
                continue
            if second and not seen[block]:
                continue
            here[block] = 1
            count += 1
            written[number] += 1
            touched[block] = now
            before[block] = end
            after[block] = after[end]
            before[after[end]] = block
            after[end] = block
            if parent[block] >= 0:
                children[parent[block]] += 1
        if second:
            for place in range(begin, stop):
                seen[ids[place]] = 1
        while count > capacity:
            old = before[end]
            while leaf and children[old] and old != end:
                old = before[old]
            if old == end:
                old = before[end]
            after[before[old]] = after[old]
            before[after[old]] = before[old]
            here[old] = 0
            count -= 1
            if parent[old] >= 0:
                children[parent[old]] -= 1


def s3fifo(  # noqa: C901, PLR0912, PLR0915 - one loop, compiled whole
    ids: Any,
    bounds: Any,
    state: Any,
    queues: Any,
    ends: Any,
    capacity: int,
    hits: Any,
    written: Any,
) -> None:
    """S3-FIFO (Yang and others, SOSP 2023) with a small, a main and a ghost queue.

    The small queue has a tenth of the capacity, and at least one block. The ghost queue has as many
    entries as the main queue. A missing block enters the main queue if it is in the ghost queue,
    otherwise the small queue. A block that leaves the small queue enters the main queue if at least
    two uses followed its insertion, otherwise the ghost queue. In the main queue, each use (up to
    three) keeps a block for one more round.

    Args:
        ids, bounds, hits, written: as in `lru`.
        state: [3, b] int64 zeros. Row 0 is the queue of each block (1 small, 2 main, 3 ghost), row
            1 the further uses, row 2 the last sequence number in the ghost queue.
        queues: [3, k] int64, ring buffers of the three queues. k is larger than any queue.
        ends: [2, 3] int64 zeros, the numbers of blocks that entered and left each queue.
    """
    where, used, ghosted = state[0], state[1], state[2]
    small, main, ghost = queues[0], queues[1], queues[2]
    size = queues.shape[1]
    least = max(1, capacity // 10)
    most = max(1, capacity - least)
    heads, tails = ends[0], ends[1]
    for number in range(bounds.size - 1):
        begin, stop = bounds[number], bounds[number + 1]
        found = 0
        while begin + found < stop and 0 < where[ids[begin + found]] < 3:
            found += 1
        hits[number] = found
        for place in range(stop - 1, begin - 1, -1):
            block = ids[place]
            if 0 < where[block] < 3:
                used[block] = min(3, used[block] + 1)
                continue
            written[number] += 1
            used[block] = 0
            if where[block] == 3:
                main[heads[1] % size] = block
                heads[1] += 1
                where[block] = 2
            else:
                small[heads[0] % size] = block
                heads[0] += 1
                where[block] = 1
        while heads[0] - tails[0] + heads[1] - tails[1] > capacity:
            if heads[0] - tails[0] > least or heads[1] == tails[1]:
                block = small[tails[0] % size]
                tails[0] += 1
                if used[block] > 1:
                    used[block] = 0
                    where[block] = 2
                    main[heads[1] % size] = block
                    heads[1] += 1
                    continue
                where[block] = 3
                ghosted[block] = heads[2]
                ghost[heads[2] % size] = block
                heads[2] += 1
                while heads[2] - tails[2] > most:
                    gone = ghost[tails[2] % size]
                    if where[gone] == 3 and ghosted[gone] == tails[2]:
                        where[gone] = 0
                    tails[2] += 1
            else:
                block = main[tails[1] % size]
                tails[1] += 1
                if used[block]:
                    used[block] -= 1
                    main[heads[1] % size] = block
                    heads[1] += 1
                else:
                    where[block] = 0


def optimal(  # noqa: C901, PLR0912 - one loop, compiled whole
    ids: Any,
    bounds: Any,
    following: Any,
    keys: Any,
    heap: Any,
    owners: Any,
    capacity: int,
    hits: Any,
    written: Any,
) -> None:
    """Belady's optimal policy: evict the block whose next use is latest.

    If several blocks have the latest next use, evict the block with the highest position in its
    last request. A block without a next use leaves the cache at once.

    Args:
        ids, bounds, hits, written: as in `lru`.
        following: as from `policies.following`.
        keys: [b] int64 zeros, the sort key of each cached block; 0 if the block is not cached.
        heap: [n + 1] int64, sort keys as a heap with the largest key on top.
        owners: [n + 1] int64, the block of each key in ``heap``.
    """
    width = 1
    for number in range(bounds.size - 1):
        width = max(width, bounds[number + 1] - bounds[number] + 1)
    size = 0
    count = 0
    for number in range(bounds.size - 1):
        begin, stop = bounds[number], bounds[number + 1]
        found = 0
        while begin + found < stop and keys[ids[begin + found]]:
            found += 1
        hits[number] = found
        for place in range(stop - 1, begin - 1, -1):
            block = ids[place]
            new = keys[block] == 0
            if following[place] >= NEVER:
                if not new:
                    keys[block] = 0
                    count -= 1
                continue
            key = following[place] * width + (place - begin) + 1
            if new:
                count += 1
                written[number] += 1
            keys[block] = key
            at = size
            size += 1
            while at and heap[(at - 1) // 2] < key:
                heap[at] = heap[(at - 1) // 2]
                owners[at] = owners[(at - 1) // 2]
                at = (at - 1) // 2
            heap[at] = key
            owners[at] = block
        while count > capacity:
            key, block = heap[0], owners[0]
            size -= 1
            last, owner = heap[size], owners[size]
            at = 0
            while 2 * at + 1 < size:
                child = 2 * at + 1
                if child + 1 < size and heap[child + 1] > heap[child]:
                    child += 1
                if heap[child] <= last:
                    break
                heap[at] = heap[child]
                owners[at] = owners[child]
                at = child
            heap[at] = last
            owners[at] = owner
            if keys[block] == key:
                keys[block] = 0
                count -= 1
