"""The barrier of compiled kernels: all threads start together and record their start and end times.

Compiled code reads the clock, so the times include no wait for the interpreter lock. ``block`` is
the address of the shared block (`membench.host.compiled.shared_block`). The first word of the block
is the number of threads that have arrived.
"""

from __future__ import annotations

from typing import Any

from membench.host.compiled.instructions import (
    atomic_add,
    atomic_load,
    atomic_store,
    clock_gettime,
    load,
    relax,
)
from membench.host.compiled.jit import helper
from membench.host.compiled.shared_block import (
    CLOCK_MONOTONIC,
    END,
    FIRST_SLOT,
    GIVE_UP_NS,
    LATE,
    SCRATCH,
    SLOT_BYTES,
    START,
)


@helper
def now(scratch: Any) -> Any:
    """Nanoseconds of the monotonic clock; ``scratch`` is the address of 16 writable bytes."""
    clock_gettime(CLOCK_MONOTONIC, scratch)
    return load(scratch) * 1_000_000_000 + load(scratch + 8)


@helper
def enter(block: Any, slot: Any, parties: Any) -> Any:
    """Wait for all ``parties`` threads, and record the start time of thread ``slot``.

    Returns False, and sets `LATE`, if the threads do not arrive within `GIVE_UP_NS`.
    """
    line = block + FIRST_SLOT + slot * SLOT_BYTES
    give_up = now(line + SCRATCH) + GIVE_UP_NS
    atomic_add(block, 1)
    spins = 0
    while atomic_load(block) < parties:
        relax()
        spins += 1
        if spins & 0xFFF == 0 and now(line + SCRATCH) > give_up:
            atomic_store(line + LATE, 1)
            return False
    atomic_store(line + START, now(line + SCRATCH))
    return True


@helper
def leave(block: Any, slot: Any) -> Any:
    """Record the end time of thread ``slot``."""
    line = block + FIRST_SLOT + slot * SLOT_BYTES
    atomic_store(line + END, now(line + SCRATCH))
