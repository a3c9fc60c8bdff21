"""The barrier: all threads start their work together and record their start and end times.

Compiled code reads the clock. So times do not include the wait for the interpreter lock or the
start of a job on a thread. The shared block, at the address ``block``, consists of int64 words. The
first word is the number of threads that have arrived. From byte `FIRST_SLOT` on, each thread has
`SLOT_BYTES` bytes.
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

    Returns True. If the threads do not arrive within `GIVE_UP_NS`, sets `LATE` and returns False.
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
    """Record the end time of the work of thread ``slot``."""
    line = block + FIRST_SLOT + slot * SLOT_BYTES
    atomic_store(line + END, now(line + SCRATCH))
