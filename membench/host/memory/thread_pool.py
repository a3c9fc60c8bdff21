"""Long-lived threads, each pinned to a separate CPU."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from membench.core.errors import MembenchError
from membench.core.text import counted
from membench.host.compiled.shared_block import END, FIRST_SLOT, GIVE_UP_NS, LATE, SLOT_BYTES, START


@dataclass(frozen=True)
class ThreadSlot:
    """The arguments of one thread in a launch: its number, and the barrier that all threads share.

    Attributes:
        index: number of the thread, 0 to parties - 1.
        block: address of the shared block (`membench.host.compiled.shared_block`).
        parties: number of threads that the barrier waits for.
    """

    index: int
    cpu: int
    block: int
    parties: int
    team: ThreadPool

    @property
    def barrier(self) -> tuple[int, int, int]:
        """The first three arguments of a compiled kernel: block, thread number, thread count."""
        return self.block, self.index, self.parties

    def timed(self, work: Callable[[], Any]) -> Any:
        """Wait at the barrier, run ``work``, and record when the work started and ended.

        This method is for work that is not compiled: the times include the wake-up of the
        interpreter.
        """
        return self.team.timed_here(self.index, work)


Job = Callable[[ThreadSlot], Any]


class ThreadPool:
    """Threads that start at their first use and stay pinned, if the kernel allows pinning.

    Args:
        cpus: CPU numbers, one per thread, in the order of use.
    """

    def __init__(self, cpus: Sequence[int]) -> None:
        self.cpus = tuple(cpus)
        room = FIRST_SLOT + SLOT_BYTES * len(self.cpus)
        raw = np.zeros(room // 8 + 8, np.int64)
        skip = -raw.ctypes.data % 64 // 8
        self._shared: npt.NDArray[np.int64] = raw[skip : skip + room // 8]
        self._inboxes: list[SimpleQueue[tuple[Job, ThreadSlot] | None]] = []
        self._threads: list[threading.Thread] = []
        self._done: SimpleQueue[tuple[int, Any, BaseException | None]] = SimpleQueue()
        self._barrier = threading.Barrier(1)
        self._refusals: dict[int, str] = {}

    @property
    def block(self) -> int:
        """Address of the shared block."""
        return int(self._shared.ctypes.data)

    def run(self, jobs: Sequence[Job], threads: Sequence[int] | None = None) -> list[Any]:
        """Run one job per thread at the same time, and return the results in the order of the jobs.

        Args:
            threads: indices in ``cpus`` of the threads to use; by default the first threads.

        Raises:
            ValueError: there are no jobs, the pool has fewer threads than jobs, or ``threads`` does
                not name a different thread for each job.
            MembenchError: a thread did not reach the barrier in time.
            BaseException: the exception of the first job that failed.
        """
        parties = len(jobs)
        threads = range(parties) if threads is None else threads
        if not 1 <= parties == len(set(threads)) <= len(self.cpus):
            raise ValueError(
                f"{counted(parties, 'job')}, {counted(len(set(threads)), 'thread')} and "
                f"{counted(len(self.cpus), 'CPU')}: each job needs a thread and a CPU of its own"
            )
        self._start(1 + max(threads))
        self._shared[:] = 0
        self._barrier = threading.Barrier(parties, timeout=GIVE_UP_NS / 1e9)
        for index, (thread, job) in enumerate(zip(threads, jobs, strict=True)):
            slot = ThreadSlot(index, self.cpus[thread], self.block, parties, self)
            self._inboxes[thread].put((job, slot))
        results: list[Any] = [None] * parties
        errors: list[BaseException] = []
        for _ in jobs:
            index, result, error = self._done.get()
            results[index] = result
            if error is not None:
                errors.append(error)
        real = [e for e in errors if not isinstance(e, threading.BrokenBarrierError)]
        if real:
            raise real[0]
        if errors or any(self.field(slot, LATE) for slot in range(parties)):
            raise MembenchError(
                f"{parties} threads did not start together within {GIVE_UP_NS // 10**9} s",
                "close other programs, or run on fewer CPUs (taskset)",
            )
        return results

    def span_ns(self, parties: int) -> int:
        """Nanoseconds from the first start to the last end in the last run; 0 if not recorded."""
        starts = [self.field(slot, START) for slot in range(parties)]
        ends = [self.field(slot, END) for slot in range(parties)]
        stamped = [start for start in starts if start]
        return max(ends) - min(stamped) if stamped else 0

    def timed_here(self, slot: int, work: Callable[[], Any]) -> Any:
        self._barrier.wait()
        line = (FIRST_SLOT + SLOT_BYTES * slot) // 8
        self._shared[line + START // 8] = time.perf_counter_ns()
        result = work()
        self._shared[line + END // 8] = time.perf_counter_ns()
        return result

    def close(self) -> None:
        """End the threads. A second call does nothing."""
        for inbox in self._inboxes:
            inbox.put(None)
        for thread in self._threads:
            thread.join()
        self._inboxes.clear()
        self._threads.clear()

    def field(self, slot: int, offset: int) -> int:
        """The int64 at byte ``offset`` of thread ``slot``'s part of the shared block."""
        return int(self._shared[(FIRST_SLOT + SLOT_BYTES * slot + offset) // 8])

    def unpinned(self, threads: Iterable[int]) -> str:
        return next((self._refusals[one] for one in threads if one in self._refusals), "")

    def _start(self, count: int) -> None:
        for index in range(len(self._threads), count):
            self._inboxes.append(SimpleQueue())
            thread = threading.Thread(
                target=self._serve, args=(index,), name=f"membench-{index}", daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def _serve(self, thread: int) -> None:
        if reason := _pin(self.cpus[thread]):
            self._refusals[thread] = reason
        inbox = self._inboxes[thread]
        while (order := inbox.get()) is not None:
            job, slot = order
            result: Any = None
            error: BaseException | None = None
            try:
                result = job(slot)
            except BaseException as raised:  # the calling thread raises this exception later
                error = raised
            self._done.put((slot.index, result, error))
            del order, job, result, error  # the results may have references to arrays


def _pin(cpu: int) -> str:
    """Pin the calling thread to ``cpu``. Returns the error as text; empty if pinning succeeded."""
    try:
        os.sched_setaffinity(0, {cpu})  # 0 means this thread, not the process
    except OSError as error:  # a seccomp filter, or a control group that has lost the CPU
        return f"CPU {cpu}: {error.strerror}"
    return ""
