"""The layout of the memory block that the threads of a pool share.

`STOP` and `FIRST_SLOT` are byte offsets in the block. From `FIRST_SLOT` on, each thread has
`SLOT_BYTES` bytes: several cache lines, so that a thread's writes do not slow other threads.
"""

from __future__ import annotations

CLOCK_MONOTONIC = 1  # Linux's number; time.monotonic and time.perf_counter read this clock
GIVE_UP_NS = 10_000_000_000  # after this time, the barrier assumes that a thread will not arrive

STOP = 64  # 1 stops the traffic generators
FIRST_SLOT = 256
SLOT_BYTES = 512

# Offsets within the bytes of one thread.
START = 0
END = 8
LATE = 16
SCRATCH = 32  # 16 bytes for the result of clock_gettime
COUNTER = 128  # bytes that a generator has moved; no other thread writes this cache line
