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
from membench.host.compiled.shared_block import END, FIRST_SLOT, GIVE_UP_NS, LATE, SLOT_BYTES, START


@dataclass(frozen=True)
class ThreadSlot:
    """A thread's part in a launch: its number, and the barrier that all threads pass together.

    Attributes:
        index: 0 .. parties - 1.
        block: address of the shared memory; see `membench.host.compiled.shared_block`.
        parties: number of threads that the barrier waits for.
    """

    index: int
    cpu: int
    block: int
    parties: int
    team: ThreadPool

    @property
    def barrier(self) -> tuple[int, int, int]:
        """The first three arguments of a compiled kernel."""
        return self.block, self.index, self.parties

    def timed(self, work: Callable[[], Any]) -> Any:
        """Run ``work`` between the barrier and the end stamp, for work that is not compiled.

        Less precise than in a compiled kernel: the time includes the interpreter's wake-up.
        """
        return self.team.timed_here(self.index, work)


Job = Callable[[ThreadSlot], Any]


class ThreadPool:
    """Threads that start when needed and stay pinned, if the kernel allows pinning.

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
        """Address of the shared memory."""
        return int(self._shared.ctypes.data)

    def run(self, jobs: Sequence[Job], threads: Sequence[int] | None = None) -> list[Any]:
        """Run one job per thread at the same time and return their results.

        Args:
            threads: indices in ``cpus`` of the threads to use; the first ones by default.

        Raises:
            MembenchError: a thread did not reach the barrier in time.
            BaseException: the exception from the first job that failed.
        """
        parties = len(jobs)
        threads = range(parties) if threads is None else threads
        if not 1 <= parties == len(set(threads)) <= len(self.cpus):
            raise ValueError(f"{parties} jobs for {len(threads)} of {len(self.cpus)} CPUs")
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
        """Nanoseconds from the first start to the last end in the last run; 0 without stamps."""
        starts = [self.field(slot, START) for slot in range(parties)]
        ends = [self.field(slot, END) for slot in range(parties)]
        stamped = [start for start in starts if start]
        return max(ends) - min(stamped) if stamped else 0

    def timed_here(self, slot: int, work: Callable[[], Any]) -> Any:
        """See `ThreadSlot.timed`."""
        self._barrier.wait()
        line = (FIRST_SLOT + SLOT_BYTES * slot) // 8
        self._shared[line + START // 8] = time.perf_counter_ns()
        result = work()
        self._shared[line + END // 8] = time.perf_counter_ns()
        return result

    def close(self) -> None:
        """End the threads.  May be called twice."""
        for inbox in self._inboxes:
            inbox.put(None)
        for thread in self._threads:
            thread.join()
        self._inboxes.clear()
        self._threads.clear()

    def field(self, slot: int, offset: int) -> int:
        """The int64 at byte ``offset`` in the slot's part of the shared memory."""
        return int(self._shared[(FIRST_SLOT + SLOT_BYTES * slot + offset) // 8])

    def unpinned(self, threads: Iterable[int]) -> str:
        """Why one of ``threads`` (indices in ``cpus``) is not pinned to its CPU; empty if all are.

        A thread that has not run yet counts as pinned.
        """
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
            except BaseException as raised:  # the caller's thread handles this exception
                error = raised
            self._done.put((slot.index, result, error))
            del order, job, result, error  # the results may reference arrays


def _pin(cpu: int) -> str:
    """Pin the calling thread to ``cpu``; return the error, or an empty text.

    A seccomp filter may forbid pinning, or the control group may have lost the CPU since the
    snapshot.
    """
    try:
        os.sched_setaffinity(0, {cpu})  # 0 is this thread, not the process
    except OSError as error:
        return f"CPU {cpu}: {error.strerror}"
    return ""
