"""The compiled submission loop for io_uring and Linux native AIO.

Native AIO is needed because the default profiles of container engines forbid io_uring. The
parameters and the results are in a block of int64 words (`membench.host.storage.loop_block`).
"""

from __future__ import annotations

from typing import Any

from numba import types

from membench.host.compiled.barrier import enter, leave, now
from membench.host.compiled.instructions import clock_gettime, load, store
from membench.host.compiled.jit import helper, kernel
from membench.host.compiled.shared_block import FIRST_SLOT, SCRATCH, SLOT_BYTES
from membench.host.storage.loop_block import (
    ASKED,
    BEGIN,
    BUSY,
    CONTEXT,
    COUNT,
    DEPTH,
    DONE,
    DONE_AT,
    END,
    EVENT,
    FILE,
    FINE,
    FINISHED,
    FLYING,
    GETEVENTS,
    GETEVENTS_FAILED,
    IO_FAILED,
    IOCB_BYTES,
    IOCBS,
    LANDED,
    LATE,
    LATENCIES,
    MEMORY,
    MOST,
    OFFSETS,
    PLACES,
    POINTER,
    RING,
    SIZE,
    SLOTS,
    SPAN,
    STARTS,
    STRIDE,
    SUBMIT,
    SUBMIT_FAILED,
    SUBMITTING,
    TAG_KEPT,
    TAG_SET,
    VALUE,
    WRITES,
    WRONG_BLOCK,
)
from membench.host.storage.uring_loop import ring_put, ring_submit, ring_wait, system_call

_EAGAIN = 11
_EINTR = 4
_CLOCK_THREAD = 3  # CLOCK_THREAD_CPUTIME_ID

_types: Any = types
_errno_location: Any = types.ExternalFunction("__errno_location", _types.int64())


@helper
def _errno() -> Any:
    return load(_errno_location()) & 0xFFFFFFFF


@helper
def _cpu_time(scratch: Any) -> Any:
    clock_gettime(_CLOCK_THREAD, scratch)
    return load(scratch) * 1_000_000_000 + load(scratch + 8)


@helper
def _submit(p: Any) -> Any:
    """Submit the prepared I/O. Returns the number of accepted I/Os; on failure, -1 and an errno."""
    if load(p + RING):
        return ring_submit(load(p + RING))
    return system_call(load(p + SUBMIT), load(p + CONTEXT), 1, load(p + POINTER), 0, 0, 0)


@helper
def _take(p: Any) -> Any:
    """Wait for one completion. Returns 1 for success; otherwise 0 or a negative number.

    After a success, the first two words of the event contain the I/O's id and result.
    """
    event = load(p + EVENT)
    if load(p + RING):
        return ring_wait(load(p + RING), event)
    got = system_call(load(p + GETEVENTS), load(p + CONTEXT), 1, 1, event, 0, 0)
    store(event + 8, load(event + 16))
    return got


@helper
def _start(p: Any, clock: Any, io: Any, place: Any, number: Any) -> Any:
    """Prepare and submit an I/O with id ``io``. Returns 0 for success, or an errno.

    Args:
        clock: address of 16 writable bytes for `now`.
        place: number of the I/O's block in memory.
        number: index of the I/O in the offsets. After the last offset, the index starts again at 0.
    """
    size, cursor = load(p + SIZE), number % load(p + COUNT) * 8
    offset = load(load(p + OFFSETS) + cursor)
    writes = load(load(p + WRITES) + cursor) if load(p + WRITES) else 0
    address = load(p + MEMORY) + place * size
    if load(p + RING):
        ring_put(load(p + RING), io, load(p + FILE), address, size, offset, writes)
    else:
        iocb = load(p + IOCBS) + io * IOCB_BYTES
        store(iocb, io)
        store(iocb + 16, writes | load(p + FILE) << 32)  # IOCB_CMD_PREAD is 0, PWRITE is 1
        store(iocb + 24, address)
        store(iocb + 32, size)
        store(iocb + 40, offset)
        store(load(p + POINTER), iocb)
    if writes:
        at = 0
        while at < size:
            store(address + at, offset + at)
            tag = load(address + at + 8)
            store(address + at + 8, tag & load(p + TAG_KEPT) | load(p + TAG_SET))
            at += load(p + STRIDE)
    store(load(p + LANDED) + 8 * place, FLYING)
    store(load(p + PLACES) + 8 * io, place)
    store(load(p + ASKED) + 8 * io, offset | writes)
    begin = now(clock)
    store(load(p + STARTS) + 8 * io, begin)
    while _submit(p) != 1:
        error = _errno()
        if error not in (_EAGAIN, _EINTR):
            return error
    store(p + SUBMITTING, load(p + SUBMITTING) + now(clock) - begin)
    return 0


@kernel("int64(int64, int64, int64, int64)")
def drive(block: Any, slot: Any, parties: Any, p: Any) -> Any:  # noqa: C901, PLR0912, PLR0915 - one loop
    """Keep DEPTH I/Os in flight for SPAN ns, or until MOST I/Os were started; then wait for all.

    Returns `FINE`, or another of the return values in `membench.host.storage.loop_block`.
    """
    if not enter(block, slot, parties):
        return LATE
    clock = block + FIRST_SLOT + slot * SLOT_BYTES + SCRATCH
    depth, size, most, slots = load(p + DEPTH), load(p + SIZE), load(p + MOST), load(p + SLOTS)
    memory, landed, event = load(p + MEMORY), load(p + LANDED), load(p + EVENT)
    last = size - load(p + STRIDE)
    busy = _cpu_time(clock)
    t = now(clock)
    end = t + load(p + SPAN)
    store(p + BEGIN, t)
    done, issued, place, failure = 0, 0, 0, FINE
    for io in range(min(depth, most)):
        error = _start(p, clock, io, place, issued)
        if error:
            store(p + VALUE, error)
            failure = SUBMIT_FAILED
            break  # wait for the I/Os in flight, because reads write into the memory
        place = (place + 1) % slots
        issued += 1
    # If the loop submitted several I/Os together, the disk would idle in between, and the rate
    # would fall by a sixth. If the loop collected several completions together, fewer than DEPTH
    # I/Os would be in flight.
    while done < issued:
        got = _take(p)
        t = now(clock)
        if got != 1:
            error = _errno()
            if got == 0 or error == _EINTR:
                continue
            store(p + VALUE, error)
            return GETEVENTS_FAILED
        io, result = load(event), load(event + 8)
        asked = load(load(p + ASKED) + 8 * io)
        offset, writes = asked & ~1, asked & 1
        where = load(load(p + PLACES) + 8 * io)
        latency = t - load(load(p + STARTS) + 8 * io)
        store(load(p + LATENCIES) + 8 * done, -latency if writes else latency)
        store(load(p + FINISHED) + 8 * done, t)
        store(load(p + DONE_AT) + 8 * done, offset)
        done += 1
        # Submit the next I/O before the check of this block.
        if issued < most and t < end and failure == FINE:
            while load(landed + 8 * place) == FLYING:
                place = (place + 1) % slots
            error = _start(p, clock, io, place, issued)
            if error:
                store(p + VALUE, error)
                failure = SUBMIT_FAILED
            else:
                place = (place + 1) % slots
                issued += 1
        store(landed + 8 * where, offset)
        address = memory + where * size
        if failure != FINE or (result == size and writes):
            continue
        if result != size:
            failure = IO_FAILED
            store(p + VALUE, result)
        elif load(address) != offset or load(address + last) != offset + last:
            failure = WRONG_BLOCK
            store(p + VALUE, offset)
    store(p + DONE, done)
    store(p + END, t)
    store(p + BUSY, _cpu_time(clock) - busy)
    leave(block, slot)
    return failure
