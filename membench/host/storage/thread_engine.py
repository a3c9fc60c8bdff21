"""The engine for machines without Numba or without native AIO: one thread per I/O in flight.

The threads share the interpreter lock. At high queue depths, waiting for this lock lowers the rate
and raises the tail latency.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence

import numpy as np

from membench.core.errors import MembenchError, VerificationFailed
from membench.host.storage.content import BLOCK, GENERATION_SHIFT, GENERATIONS, STAMP
from membench.host.storage.quick_switches import quick_switches
from membench.host.storage.traffic import NEVER, Bytes, Longs, Traffic, TrafficRecord


class Threads:
    """An engine with ``depth`` threads that call preadv and pwritev."""

    name = "preadv"

    def run(self, fd: int, memory: Bytes, traffic: Traffic) -> TrafficRecord:
        landed = np.full(memory.size // traffic.block, NEVER, np.int64)
        workers = [_Worker(fd, memory, traffic, landed, n) for n in range(traffic.depth)]
        begin, busy = _run_together(workers)
        for worker in workers:
            if worker.error is not None:
                raise worker.error
        table = np.array([entry for worker in workers for entry in worker.log], np.int64)
        table = table.reshape(-1, 4)
        table = table[np.argsort(table[:, 1], kind="stable")]
        return TrafficRecord(
            latency=table[:, 0],
            finished=table[:, 1],
            offset=table[:, 2],
            wrote=table[:, 3].astype(bool),
            begin=begin,
            deadline=begin + int(traffic.seconds * 1e9),
            busy=min(1.0, busy),  # the interpreter lock lets only one thread run at a time
            loops=traffic.depth,
            depth=traffic.depth,
            landed=landed,
        )

    def close(self) -> None:
        """Do nothing: the engine has no kernel resources."""


class _Worker:
    """One thread with its share of the file offsets and of the blocks in memory.

    Attributes:
        log: one entry per I/O: duration in ns, end time in ns, file offset, and True for a write.
    """

    def __init__(
        self, fd: int, memory: Bytes, traffic: Traffic, landed: Longs, number: int
    ) -> None:
        depth, block = traffic.depth, traffic.block
        self._fd = fd
        self._traffic = traffic
        self._landed = landed
        self._slots = range(number, landed.size, depth)
        self._views = [memory.data[slot * block : (slot + 1) * block] for slot in self._slots]
        self._offsets: list[int] = traffic.offsets[number::depth].tolist()
        reads = np.zeros(traffic.offsets.size, np.bool_)
        writes = reads if traffic.writes is None else traffic.writes
        self._writes: list[bool] = writes[number::depth].tolist()
        most = traffic.most or sys.maxsize
        self._share = most // depth + (number < most % depth)
        self.log: list[tuple[int, int, int, bool]] = []
        self.error: Exception | None = None

    def run(self, barrier: threading.Barrier) -> None:
        """Wait at the barrier, then do I/Os until the end of the run. Errors go to ``error``."""
        barrier.wait()
        try:
            self._work(time.monotonic_ns() + int(self._traffic.seconds * 1e9))
        except OSError as error:
            self.error = MembenchError(f"an I/O failed: {error.strerror}")
        except MembenchError as error:
            self.error = error

    def _work(self, end: int) -> None:
        fd, offsets, views = self._fd, self._offsets, self._views
        for number in range(self._share):
            at, slot = number % len(offsets), number % len(views)
            offset, view, wrote = offsets[at], views[slot], self._writes[at]
            if wrote:
                _stamp(view, offset, self._traffic.generation)
            call = os.pwritev if wrote else os.preadv
            start = time.monotonic_ns()
            if start >= end:
                break
            moved = call(fd, [view], offset)
            stop = time.monotonic_ns()
            self.log.append((stop - start, stop, offset, wrote))
            self._landed[self._slots[slot]] = offset
            if moved != len(view):
                raise MembenchError(f"an I/O moved {moved} bytes instead of {len(view)}")
            if STAMP.unpack_from(view)[0] != offset:
                raise VerificationFailed(f"wrong data was read at offset {offset}")


def _run_together(workers: Sequence[_Worker]) -> tuple[int, float]:
    """Run the workers together, and wait for their end.

    Returns the start time in ns, and the CPU time of the process divided by the wall time.
    """
    barrier = threading.Barrier(len(workers) + 1)
    threads = [threading.Thread(target=worker.run, args=(barrier,)) for worker in workers]
    with quick_switches():
        for thread in threads:
            thread.start()
        cpu, begin = time.process_time_ns(), time.monotonic_ns()
        barrier.wait()
        for thread in threads:
            thread.join()
        busy = (time.process_time_ns() - cpu) / max(1, time.monotonic_ns() - begin)
    return begin, busy


def _stamp(view: memoryview, offset: int, generation: int) -> None:
    for at in range(0, len(view), BLOCK):
        _, tag = STAMP.unpack_from(view, at)
        tag = tag & ~((GENERATIONS - 1) << GENERATION_SHIFT) | generation << GENERATION_SHIFT
        STAMP.pack_into(view, at, offset + at, tag)
