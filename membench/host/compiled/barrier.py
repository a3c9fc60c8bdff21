"""The barrier: all threads start together, and each stamps its own start and end.

Compiled code takes the stamps, so times include neither waiting for the interpreter lock nor
passing work to a thread. The shared block consists of int64: its first cache line contains the
number of threads that have arrived, and `SLOT_BYTES` for each thread follow.
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
    """Wait for all ``parties`` threads and stamp the start; False if they do not arrive in time."""
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
    """Stamp the end of this thread's work."""
    line = block + FIRST_SLOT + slot * SLOT_BYTES
    atomic_store(line + END, now(line + SCRATCH))
