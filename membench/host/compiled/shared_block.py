"""The layout of the memory block that the threads of a pool share.

Byte offsets. A thread's part is several cache lines long, so that no thread slows another one by
writing to its own part.
"""

from __future__ import annotations

CLOCK_MONOTONIC = 1  # Linux; what time.monotonic and time.perf_counter read, too
GIVE_UP_NS = 10_000_000_000  # a thread that has not arrived by then is not coming

STOP = 64  # told to the generators of traffic: 1 = stop
FIRST_SLOT = 256
SLOT_BYTES = 512

# Within a thread's part.
START = 0
END = 8
LATE = 16
SCRATCH = 32  # 16 bytes for clock_gettime
COUNTER = 128  # bytes that a generator has moved, on a line that only it writes
