"""A mapping of the scratch file, and threads that touch its pages."""

from __future__ import annotations

import mmap
import os
import resource

import numpy as np

from membench.core.errors import VerificationFailed
from membench.host.compiled.kernels import HostKernels
from membench.host.memory.backend import CpuBackend
from membench.host.memory.thread_pool import ThreadSlot
from membench.host.storage.files import evict, resident_share
from membench.host.storage.loop_block import TOUCH_WRONG
from membench.host.storage.traffic import Longs, TrafficRecord, joined

_ADVICE = {"rand": mmap.MADV_RANDOM, "seq": mmap.MADV_SEQUENTIAL}
_READ = 4 << 20


class Mapping:
    """A mapping of the first ``size`` bytes of the file ``fd``. `close` closes ``fd``.

    Args:
        pattern: the order of accesses that the kernel should expect, ``rand`` or ``seq``.

    Attributes:
        faults: (major, minor) page faults of this process in the last `touch`.
    """

    def __init__(self, cpu: CpuBackend, fd: int, size: int, pattern: str) -> None:
        self._cpu, self._fd, self._size = cpu, fd, size
        self._map = mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ)
        self._map.madvise(_ADVICE[pattern])
        self._entry = HostKernels("membench.host.storage.touch_loop").touch_pages
        self.faults = (0, 0)

    def evict(self) -> float:
        """Unmap the pages and drop them from the page cache.

        Returns the share (0 to 1) that stayed in the cache.
        """
        self._map.madvise(mmap.MADV_DONTNEED)  # a mapped page would stay in the cache
        return evict(self._fd, self._size)

    def warm(self) -> float:
        """Read all pages into the page cache, but do not map them.

        Returns the cached share (0 to 1).
        """
        # Start with an empty cache and read page by page. Otherwise the cache could have large
        # folios, and one fault would map all pages of a folio.
        self.evict()
        os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_RANDOM)
        buffer = bytearray(_READ)
        for offset in range(0, self._size, _READ):
            os.preadv(self._fd, [buffer], offset)
        self._map.madvise(mmap.MADV_DONTNEED)
        return self.resident()

    def resident(self) -> float:
        return resident_share(self._fd, self._size)

    def touch(self, offsets: Longs, threads: int, seconds: float) -> TrafficRecord:
        """Touch the pages at ``offsets``, divided among ``threads``.

        The threads stop after about ``seconds``, or when every page has been touched once.

        Raises:
            VerificationFailed: a page has the wrong content.
        """
        base = np.frombuffer(self._map, np.uint8).ctypes.data
        parts = [np.ascontiguousarray(part) for part in np.array_split(offsets, threads)]
        span = int(seconds * 1e9)
        rooms = [np.empty((2, part.size), np.int64) for part in parts]

        def job(slot: ThreadSlot) -> int:
            part, (latencies, finished) = parts[slot.index], rooms[slot.index]
            arrays = (latencies.ctypes.data, finished.ctypes.data)
            return int(self._entry(*slot.barrier, base, part.ctypes.data, part.size, span, *arrays))

        before = _faults()
        counts = self._cpu.launch([job] * threads)
        after = _faults()
        self.faults = (after[0] - before[0], after[1] - before[1])
        if TOUCH_WRONG in counts:
            raise VerificationFailed("a page of the mapped file has the wrong content")
        traces = [
            _trace(room[:, :count], part[:count], span)
            for room, part, count in zip(rooms, parts, counts, strict=True)
            if count  # with fewer pages than threads, some threads get no page
        ]
        return joined(traces)

    def close(self) -> None:
        """Drop the pages from the cache, unmap and close the file. A second call does nothing."""
        if self._fd >= 0:
            self.evict()
            self._map.close()
            os.close(self._fd)
            self._fd = -1


def _trace(stamps: Longs, offsets: Longs, span: int) -> TrafficRecord:
    latency, finished = stamps
    begin = int(finished[0] - latency[0])
    return TrafficRecord(
        latency=latency,
        finished=finished,
        offset=offsets,
        wrote=np.zeros(offsets.size, np.bool_),
        begin=begin,
        deadline=begin + span,
        busy=0.0,
        loops=1,
        depth=1,
        landed=np.empty(0, np.int64),
    )


def _faults() -> tuple[int, int]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_majflt, usage.ru_minflt
