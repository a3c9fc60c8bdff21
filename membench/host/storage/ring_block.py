"""The parameter block of io_uring's compiled functions (`membench.host.storage.uring_loop`)."""

from __future__ import annotations

# Byte offsets of int64 words in the block.
RING_FD = 0
SQ_TAIL = 8  # addresses of the kernel's indices, in this and the next names
CQ_HEAD = 16
CQ_TAIL = 24
SQ_MASK = 32
CQ_MASK = 40
SQES = 48  # addresses of the entries, in this and the next name
CQES = 56
FIXED = 64  # 1 if the memory and the file are registered
ENTER = 72  # number of the system call io_uring_enter
RING_WORDS = 10

SQE_BYTES = 64
CQE_BYTES = 16
