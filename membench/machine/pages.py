"""Proof of where memory lies: in huge pages or not, and on which node."""

from __future__ import annotations

import ctypes
import errno
import os
import re
from collections.abc import Sequence
from pathlib import Path

_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) ")
_MOVE_PAGES = {"x86_64": 279, "aarch64": 239}  # asm/unistd_64.h, asm-generic/unistd.h


def huge_page_bytes(address: int, length: int, root: Path = Path("/")) -> int:
    """Bytes of ``[address, address + length)`` that lie in transparent huge pages, proven.

    Source: ``AnonHugePages`` of /proc/self/smaps, which counts whole mappings.
    Where the kernel has merged the range with a neighbour, what may be the
    neighbour's is not counted.  0 where smaps cannot be read.
    """
    end = address + length
    proven = outside = 0
    inside = False
    try:
        with (root / "proc/self/smaps").open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if match := _MAPPING.match(line):
                    low, high = int(match[1], 16), int(match[2], 16)
                    if low >= end:
                        break
                    inside = high > address
                    outside = max(0, address - low) + max(0, high - end)
                elif inside and line.startswith("AnonHugePages:"):
                    proven += max(0, int(line.split()[1]) * 1024 - outside)
    except (OSError, ValueError, IndexError):
        return 0
    return proven


def node_of_pages(addresses: Sequence[int]) -> list[int]:
    """The NUMA node of the page behind each of ``addresses`` of this process.

    -1 where a page is not in memory.  Empty where the system call is not
    permitted or unknown: no answer is not an answer.  Source: move_pages(2).
    """
    number = _MOVE_PAGES.get(os.uname().machine)
    count = len(addresses)
    if number is None or not count:
        return []
    pages = (ctypes.c_void_p * count)(*addresses)
    status = (ctypes.c_int * count)(*[-errno.ENOENT] * count)
    result = ctypes.CDLL(None, use_errno=True).syscall(
        ctypes.c_long(number),
        ctypes.c_int(0),  # this process
        ctypes.c_ulong(count),
        pages,
        None,  # no target nodes: ask, do not move
        status,
        ctypes.c_int(0),
    )
    return [] if result < 0 else [max(-1, node) for node in status]
