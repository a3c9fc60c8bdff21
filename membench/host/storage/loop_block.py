"""The parameter block of the compiled submission loop (`membench.host.storage.aio_loop`).

The block consists of int64 words at the byte offsets from `CONTEXT` to `ASKED`.
"""

from __future__ import annotations

CONTEXT = 0  # the context that io_setup returned
DEPTH = 8
SIZE = 16  # bytes per I/O
SPAN = 24  # nanoseconds in which the loop starts new I/Os
MOST = 32  # maximum number of I/Os
OFFSETS = 40  # address of COUNT int64: file offsets
COUNT = 48
WRITES = 56  # address of COUNT int64, 1 for a write; 0 if all I/Os are reads
MEMORY = 64
SLOTS = 72  # number of blocks that fit in the memory, more than DEPTH
LANDED = 80  # address of SLOTS int64: for each block, the offset of its last I/O
FILE = 88
STRIDE = 96  # bytes between two stamps in the content
SUBMIT = 104  # system call numbers
GETEVENTS = 112
IOCBS = 120  # address of DEPTH iocbs
POINTER = 128  # address of one int64
EVENT = 136  # address of one event
STARTS = 144  # address of DEPTH int64: start times
PLACES = 152  # address of DEPTH int64: the block in memory of each I/O
LATENCIES = 160  # address of MOST int64: nanoseconds per I/O, negative for a write
FINISHED = 168  # address of MOST int64: end times
DONE_AT = 176  # address of MOST int64: offsets
TAG_KEPT = 184  # bits of a tag that a write keeps
TAG_SET = 192  # bits of a tag that a write sets: its generation
# Results of `drive`.
DONE = 200
BEGIN = 208
END = 216
BUSY = 224  # nanoseconds of CPU time
VALUE = 232  # details of a failure: an errno, the result of an I/O, or the requested offset
SUBMITTING = 240  # nanoseconds in the submission call
RING = 248  # address of the parameters of `uring_loop`; 0 for native AIO
ASKED = 256  # address of DEPTH int64: offset of each I/O, plus 1 for a write
WORDS = 33

IOCB_BYTES = 64  # struct iocb: data, key and flags, opcode, fd; buf, nbytes, offset; reserved
EVENT_BYTES = 32  # struct io_event: data, obj, res, res2
FLYING = -2  # value in LANDED for a block that an I/O is using

# Return values of `drive`.
FINE = 0
LATE = 1
SUBMIT_FAILED = 2
GETEVENTS_FAILED = 3
IO_FAILED = 4  # the I/O failed with an errno, or moved too few bytes
WRONG_BLOCK = 5

# Return values of `touch_loop.touch_pages`, other than a number of pages.
TOUCH_LATE = -1
TOUCH_WRONG = -2
