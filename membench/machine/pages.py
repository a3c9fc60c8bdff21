"""Find out whether a range of memory is on huge pages, and on which NUMA node a page is."""

from __future__ import annotations

import ctypes
import errno
import os
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from membench.machine.kernel_text import integer, read

_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) ")
_MOVE_PAGES = {"x86_64": 279, "aarch64": 239}  # asm/unistd_64.h, asm-generic/unistd.h


@cache
def huge_page_size(root: Path = Path("/")) -> int:
    """Bytes of a transparent huge page; 2 MiB if the kernel has no such pages or reports no size.

    Source: ``hpage_pmd_size``, transhuge.rst.
    """
    size = integer(read(root / "sys/kernel/mm/transparent_hugepage/hpage_pmd_size"))
    return size if size is not None and size > 0 and size & (size - 1) == 0 else 2 << 20


def huge_page_bytes(address: int, length: int, root: Path = Path("/")) -> int:
    """Bytes of ``[address, address + length)`` that are certainly on transparent huge pages.

    The result is 0 if smaps cannot be read. Source: ``AnonHugePages`` of /proc/self/smaps, which
    covers whole mappings. The kernel may have merged the range with a neighbouring range. Then huge
    pages that may belong to the neighbour do not count.
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
    """The NUMA node of the page at each of ``addresses`` in this process.

    An entry is -1 if the page is not in memory. The list is empty if the system call is forbidden
    or unknown. Source: move_pages(2).
    """
    number = _MOVE_PAGES.get(os.uname().machine)
    count = len(addresses)
    if number is None or not count:
        return []
    pages = (ctypes.c_void_p * count)(*addresses)
    status = (ctypes.c_int * count)(*[-errno.ENOENT] * count)
    result = ctypes.CDLL(None, use_errno=True).syscall(
        ctypes.c_long(number),
        ctypes.c_int(0),  # 0 means this process
        ctypes.c_ulong(count),
        pages,
        None,  # NULL instead of target nodes: the call only queries and moves nothing
        status,
        ctypes.c_int(0),
    )
    return [] if result < 0 else [max(-1, node) for node in status]
