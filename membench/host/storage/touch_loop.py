"""The compiled loop that touches the pages of a mapped file."""

from __future__ import annotations

from typing import Any

from membench.host.compiled.barrier import enter, leave, now
from membench.host.compiled.instructions import load, store
from membench.host.compiled.jit import kernel
from membench.host.compiled.shared_block import FIRST_SLOT, SCRATCH, SLOT_BYTES
from membench.host.storage.loop_block import TOUCH_LATE, TOUCH_WRONG


@kernel("int64(int64, int64, int64, int64, int64, int64, int64, int64, int64)")
def touch_pages(
    block: Any,
    slot: Any,
    parties: Any,
    base: Any,
    offsets: Any,
    count: Any,
    span: Any,
    latencies: Any,
    finished: Any,
) -> Any:
    """Load one word from each of ``count`` pages for at most ``span`` ns, and time every load.

    Args:
        base: address of the mapped file. Every page begins with its own file offset.
        offsets: address of the pages' offsets, int64.
        latencies: address of ``count`` int64 that receive the nanoseconds of each load.
        finished: address of ``count`` int64 that receive the end time of each load.

    Returns:
        The number of touched pages; `TOUCH_LATE` if the barrier timed out; `TOUCH_WRONG` if a page
        has wrong content.
    """
    if not enter(block, slot, parties):
        return TOUCH_LATE
    clock = block + FIRST_SLOT + slot * SLOT_BYTES + SCRATCH
    before = now(clock)
    end = before + span
    done = 0
    while done < count and before < end:
        offset = load(offsets + 8 * done)
        found = load(base + offset)
        after = now(clock)
        store(latencies + 8 * done, after - before)
        store(finished + 8 * done, after)
        if found != offset:
            return TOUCH_WRONG
        before = after
        done += 1
    leave(block, slot)
    return done
