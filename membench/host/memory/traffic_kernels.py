"""Compiled kernels for memory traffic, for a pointer chase during traffic, and for page faults.

Traffic consists of chunks. A chunk is either read or written as a whole. The chunk's number and the
percentage of reads decide which. So the data can be checked: a chunk that is read keeps the
pattern, and a chunk that is written contains the constant.

The parameters ``block``, ``slot`` and ``parties`` are for the barrier
(`membench.host.compiled.barrier`). ``base`` is the address of the memory.
"""

from __future__ import annotations

from typing import Any

from numba import carray, types

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
    """Whether the chunk with the number ``chunk`` is read.

    ``percent`` percent of the chunks are read, evenly spread.
    """
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
    """Read or write each of ``chunks`` chunks, ``iterations`` times.

    ``percent`` percent of the chunks are read. Returns the sum modulo 2^64 of the words that were
    read.
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
    """Wait until every traffic generator has moved ``least`` bytes.

    The generators run on the threads from 1 on. Returns True. If a generator takes longer than
    `GIVE_UP_NS`, sets `LATE` and returns False.
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

    A sample consists of ``loads`` loads (a multiple of 32). The first sample starts when every
    generator has moved ``least_moved`` bytes. Sampling ends after ``nanoseconds`` ns (but not
    before the first sample has ended) or after ``most`` samples. ``out`` is the address of
    1 + 2 * ``most`` int64. The first receives the number of samples. Two numbers per sample follow:
    the sample's nanoseconds, and the bytes that the generators moved in this time. Returns the
    address at which the chase ended.
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
    values = carray(doubles(base), chunks * _CHUNK_DOUBLES)
    for chunk in range(chunks):
        written = chunk < seen and not is_read(chunk, percent)
        begin = chunk * _CHUNK_DOUBLES
        for i in range(begin, begin + _CHUNK_DOUBLES):
            if values[i] != (SCALAR if written else source_value(first + i, SALT_A)):
                return i
    return -1


@kernel("int64(int64, int64, int64, int64, int64, int64)")
def touch(block: Any, slot: Any, parties: Any, base: Any, count: Any, page: Any) -> Any:
    """Write one word to each page of the memory of ``count`` bytes from ``base`` on.

    ``page`` is the page size in bytes.
    """
    if enter(block, slot, parties):
        for offset in range(0, count, page):
            store(base + offset, offset + 1)
        leave(block, slot)
    return 0


@kernel("int64(int64, int64, int64, int64, int64, int64)")
def populate(block: Any, slot: Any, parties: Any, base: Any, count: Any, advice: Any) -> Any:
    """Let the operating system provide all pages of ``count`` bytes in one madvise(2) call.

    ``advice`` is an argument of madvise(2). Returns the result of the call, 0 for success.
    """
    answer = 0
    if enter(block, slot, parties):
        answer = madvise(base, count, advice)
        leave(block, slot)
    return answer
