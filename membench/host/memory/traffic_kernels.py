"""Compiled kernels for memory traffic, for a pointer chase during traffic, and for page faults.

Traffic consists of chunks that are read or written as a whole. A chunk that is read keeps the
pattern, and a chunk that is written contains `SCALAR`, so that the data can be checked.

The parameters ``block``, ``slot`` and ``parties`` are for the barrier
(`membench.host.compiled.barrier`). ``base`` is the address of the memory.
"""

from __future__ import annotations

from typing import Any

from numba import types

from membench.host.compiled.barrier import enter, leave, now
from membench.host.compiled.instructions import (
    CHASE_LOADS,
    atomic_load,
    atomic_store,
    hops,
    pass_read,
    pass_write,
    relax,
    store,
)
from membench.host.compiled.jit import helper, kernel
from membench.host.compiled.pattern import CHUNK, SALT_A, SCALAR
from membench.host.compiled.shared_block import (
    COUNTER,
    FIRST_SLOT,
    GIVE_UP_NS,
    LATE,
    SCRATCH,
    SLOT_BYTES,
    STOP,
)
from membench.host.memory.stream_kernels import doubles, source_value

madvise: Any = types.ExternalFunction("madvise", types.int32(types.int64, types.int64, types.int32))

_CHUNK_DOUBLES = CHUNK // 8


@helper
def is_read(chunk: Any, percent: Any) -> Any:
    """Whether chunk number ``chunk`` is read, if ``percent`` percent of all chunks are read."""
    return (chunk + 1) * percent // 100 > chunk * percent // 100


@helper
def _move(address: Any, chunk: Any, percent: Any) -> Any:
    if is_read(chunk, percent):
        return pass_read(address, CHUNK)
    pass_write(address, CHUNK)
    return 0


@kernel("int64(int64, int64, int64, int64, int64, int64, int64)")
def mix(
    block: Any, slot: Any, parties: Any, iterations: Any, base: Any, chunks: Any, percent: Any
) -> Any:
    """Read or write each of ``chunks`` chunks, ``iterations`` times; ``percent`` percent are read.

    Returns the sum modulo 2^64 of the words that were read.
    """
    total = 0
    if enter(block, slot, parties):
        for _ in range(iterations):
            for chunk in range(chunks):
                total += _move(base + chunk * CHUNK, chunk, percent)
        leave(block, slot)
    return total


@kernel("int64(int64, int64, int64, int64, int64, int64, int64)")
def generate(
    block: Any, slot: Any, parties: Any, base: Any, chunks: Any, percent: Any, pause_ns: Any
) -> Any:
    """Generate traffic until `STOP` is set, and count the bytes; wait ``pause_ns`` between chunks.

    ``percent`` percent of the chunks are read. Returns the sum modulo 2^64 of the words that were
    read.
    """
    line = block + FIRST_SLOT + slot * SLOT_BYTES
    total = 0
    moved = 0
    chunk = 0
    if enter(block, slot, parties):
        while atomic_load(block + STOP) == 0:
            total += _move(base + chunk * CHUNK, chunk, percent)
            moved += CHUNK
            atomic_store(line + COUNTER, moved)
            chunk += 1
            if chunk == chunks:
                chunk = 0
            if pause_ns > 0:
                until = now(line + SCRATCH) + pause_ns
                while now(line + SCRATCH) < until:
                    relax()
        leave(block, slot)
    return total


@helper
def _moved(block: Any, parties: Any) -> Any:
    total = 0
    for slot in range(1, parties):
        total += atomic_load(block + FIRST_SLOT + slot * SLOT_BYTES + COUNTER)
    return total


@helper
def _all_beat(block: Any, slot: Any, parties: Any, least: Any) -> Any:
    """Wait until every traffic generator (the threads from 1 on) has moved ``least`` bytes.

    Returns False, and sets `LATE`, if this takes longer than `GIVE_UP_NS`.
    """
    line = block + FIRST_SLOT + slot * SLOT_BYTES
    give_up = now(line + SCRATCH) + GIVE_UP_NS
    for other in range(1, parties):
        counter = block + FIRST_SLOT + other * SLOT_BYTES + COUNTER
        while atomic_load(counter) < least:
            relax()
            if now(line + SCRATCH) > give_up:
                atomic_store(line + LATE, 1)
                return False
    return True


@kernel("int64(int64, int64, int64, int64, int64, int64, int64, int64, int64)")
def chase_beside(
    block: Any,
    slot: Any,
    parties: Any,
    start: Any,
    loads: Any,
    nanoseconds: Any,
    most: Any,
    least_moved: Any,
    out: Any,
) -> Any:
    """Run a pointer chase on thread 0 while other threads generate traffic, then stop the traffic.

    Args:
        start: address at which the chase starts.
        loads: number of loads of a sample, a multiple of 32.
        nanoseconds: time after which no further sample starts; the first sample always starts.
        most: maximum number of samples.
        least_moved: bytes that every generator moves before the first sample.
        out: address of 1 + 2 * ``most`` int64: the number of samples, then for each sample its
            nanoseconds and the bytes that the generators moved in this time.

    Returns:
        The address at which the chase ended.
    """
    line = block + FIRST_SLOT + slot * SLOT_BYTES
    at = start
    taken = 0
    if enter(block, slot, parties):
        if _all_beat(block, slot, parties, least_moved):
            end = now(line + SCRATCH) + nanoseconds
            after = end - nanoseconds
            while taken < most and (after < end or taken == 0):
                bytes_before = _moved(block, parties)
                before = now(line + SCRATCH)
                for _ in range(loads // CHASE_LOADS):
                    at = hops(at)
                store(out, at)  # makes the loads end before the clock is read
                after = now(line + SCRATCH)
                store(out + 8 + taken * 16, after - before)
                store(out + 16 + taken * 16, _moved(block, parties) - bytes_before)
                taken += 1
        atomic_store(block + STOP, 1)
        leave(block, slot)
    store(out, taken)
    return at


@kernel("int64(int64, int64, int64, int64, int64)")
def check_chunks(base: Any, first: Any, chunks: Any, percent: Any, seen: Any) -> Any:
    """Index of the first wrong double in ``chunks`` chunks of traffic; -1 if all are right.

    The index counts from ``base``.

    Args:
        first: index in the pattern of the element at ``base``.
        percent: percentage of the chunks that are read.
        seen: number of chunks, from ``base`` on, that the traffic has processed.
    """
    values = doubles(base)
    for chunk in range(chunks):
        written = chunk < seen and not is_read(chunk, percent)
        begin = chunk * _CHUNK_DOUBLES
        for i in range(begin, begin + _CHUNK_DOUBLES):
            if values[i] != (SCALAR if written else source_value(first + i, SALT_A)):
                return i
    return -1


@kernel("int64(int64, int64, int64, int64, int64, int64)")
def touch(block: Any, slot: Any, parties: Any, base: Any, count: Any, page: Any) -> Any:
    """Write one word to each page of ``page`` bytes in the ``count`` bytes at ``base``."""
    if enter(block, slot, parties):
        offset = 0
        while offset < count:
            store(base + offset, offset + 1)
            offset += page
        leave(block, slot)
    return 0


@kernel("int64(int64, int64, int64, int64, int64, int64)")
def populate(block: Any, slot: Any, parties: Any, base: Any, count: Any, advice: Any) -> Any:
    """Let the operating system provide all pages of ``count`` bytes in one madvise(2) call.

    Returns the result of the call: 0 for success.
    """
    answer = 0
    if enter(block, slot, parties):
        answer = madvise(base, count, advice)
        leave(block, slot)
    return answer
