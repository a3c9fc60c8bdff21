"""Compiled functions for io_uring: submit one I/O, and wait for one completion.

A consumer reads an index before the entries up to this index. A producer writes the index after the
entries. The layouts are from linux/io_uring.h.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from membench.host.compiled.instructions import intrinsic, load, store
from membench.host.compiled.jit import helper
from membench.host.storage.ring_block import (
    CQ_HEAD,
    CQ_MASK,
    CQ_TAIL,
    CQE_BYTES,
    CQES,
    ENTER,
    FIXED,
    RING_FD,
    SQ_MASK,
    SQ_TAIL,
    SQE_BYTES,
    SQES,
)

GETEVENTS = 1  # IORING_ENTER_GETEVENTS
_READ, _WRITE = 22, 23  # IORING_OP_READ
_READ_FIXED, _WRITE_FIXED = 4, 5  # IORING_OP_READ_FIXED
_FIXED_FILE = 1  # IOSQE_FIXED_FILE

_types: Any = types
_long = _types.int64
system_call: Any = types.ExternalFunction(
    "syscall", _long(_long, _long, _long, _long, _long, _long, _long)
)
_I32 = ir.IntType(32)
_I64 = ir.IntType(64)


@intrinsic
def _index(typing: Any, address: Any) -> Any:
    """Read the 32-bit index at ``address``, before all later accesses (acquire)."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], _I32.as_pointer())
        return builder.zext(builder.load_atomic(pointer, "acquire", 4), _I64)

    return types.int64(types.int64), emit


@intrinsic
def _announce(typing: Any, address: Any, value: Any) -> Any:
    """Write ``value`` to the 32-bit index at ``address``, after all earlier accesses (release)."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], _I32.as_pointer())
        builder.store_atomic(builder.trunc(arguments[1], _I32), pointer, "release", 4)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), emit


@helper
def ring_put(r: Any, io: Any, file: Any, address: Any, size: Any, offset: Any, writes: Any) -> Any:
    """Put an I/O into the ring ``r``. `ring_submit` submits the I/O."""
    tail = _index(load(r + SQ_TAIL))
    entry = load(r + SQES) + (tail & load(r + SQ_MASK)) * SQE_BYTES
    if load(r + FIXED):
        # The first registered file and the first registered buffer.
        store(entry, (_WRITE_FIXED if writes else _READ_FIXED) | _FIXED_FILE << 8)
    else:
        store(entry, (_WRITE if writes else _READ) | file << 32)
    store(entry + 8, offset)
    store(entry + 16, address)
    store(entry + 24, size)
    store(entry + 32, io)
    store(entry + 40, 0)
    store(entry + 48, 0)
    store(entry + 56, 0)
    _announce(load(r + SQ_TAIL), tail + 1)
    return 0


@helper
def ring_submit(r: Any) -> Any:
    """Submit the last I/O that `ring_put` prepared.

    Returns the number of submitted I/Os; on failure, -1 and an errno.
    """
    return system_call(load(r + ENTER), load(r + RING_FD), 1, 0, 0, 0, 0)


@helper
def ring_wait(r: Any, event: Any) -> Any:
    """Wait for one completion and take it from the ring.

    ``event`` receives the I/O's id and result as 64-bit words. Returns 1 for success, 0 if no
    completion arrived, or a negative number if the system call failed.
    """
    head = _index(load(r + CQ_HEAD))
    if head == _index(load(r + CQ_TAIL)):
        got = system_call(load(r + ENTER), load(r + RING_FD), 0, 1, GETEVENTS, 0, 0)
        if got < 0:
            return got
        if head == _index(load(r + CQ_TAIL)):
            return 0
    entry = load(r + CQES) + (head & load(r + CQ_MASK)) * CQE_BYTES
    store(event, load(entry))
    result = load(entry + 8) & 0xFFFFFFFF
    store(event + 8, result - ((result & 0x80000000) << 1))
    _announce(load(r + CQ_HEAD), head + 1)
    return 1
