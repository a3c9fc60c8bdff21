"""The layout of the memory block that the threads of a pool share.

The constants are byte offsets. Each thread has several cache lines, so that a thread's writes do
not slow other threads.
"""

from __future__ import annotations

CLOCK_MONOTONIC = 1  # of Linux; time.monotonic and time.perf_counter also read it
GIVE_UP_NS = 10_000_000_000  # after this time a thread is assumed not to arrive

STOP = 64  # signal to the traffic generators: 1 = stop
FIRST_SLOT = 256
SLOT_BYTES = 512

# Offsets within a thread's part.
START = 0
END = 8
LATE = 16
SCRATCH = 32  # 16 bytes for clock_gettime
COUNTER = 128  # bytes that a generator has moved, on a line that only it writes
