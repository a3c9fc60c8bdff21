"""The engine for native AIO, which runs one or several compiled submission loops."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from membench.core.errors import BackendUnavailable, MembenchError, VerificationFailed
from membench.host.compiled.kernels import HostKernels
from membench.host.compiled.shared_block import FIRST_SLOT, SLOT_BYTES
from membench.host.memory.backend import CpuBackend
from membench.host.memory.thread_pool import ThreadSlot
from membench.host.storage import loop_block as aio
from membench.host.storage.content import BLOCK, GENERATION_SHIFT, GENERATIONS
from membench.host.storage.traffic import NEVER, Bytes, Traffic, TrafficRecord, joined

CALLS = {"x86_64": (206, 207, 208, 209), "aarch64": (0, 1, 4, 2)}
"""Architecture -> io_setup, io_destroy, io_getevents, io_submit (asm/unistd.h)."""

FASTEST = 4_000_000  # I/Os per second for which the log of one loop has room
LIMITED = 0.9
"""Share of a CPU above which a loop, and not the disk, may limit the rate."""


class NativeAio:
    """Submits I/Os by native AIO in one or several compiled loops; see `run`.

    Raises:
        BackendUnavailable: native AIO is not supported on this architecture, or the kernel refuses
            AIO contexts.
    """

    name = "aio"

    def __init__(self, cpu: CpuBackend) -> None:
        self._cpu = cpu
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.syscall.restype = ctypes.c_long
        self._contexts: dict[tuple[int, int], int] = {}
        self._open()
        self._entry = HostKernels("membench.host.storage.aio_loop").drive
        self._alone = np.zeros((FIRST_SLOT + SLOT_BYTES) // 8, np.int64)

    def _open(self) -> None:
        numbers = CALLS.get(platform.machine())
        if numbers is None:
            raise BackendUnavailable(f"native AIO is not supported on {platform.machine()}")
        self._setup, self._destroy, self._getevents, self._submit = numbers
        self._context(0, 1)

    def _begin(self, loop: int, depth: int, fd: int, memory: Bytes) -> dict[int, int]:
        """Prepare one run of loop ``loop``.

        Returns parameters of the loop: byte offset in the parameter block -> value.
        """
        return {
            aio.CONTEXT: self._context(loop, depth),
            aio.SUBMIT: self._submit,
            aio.GETEVENTS: self._getevents,
        }

    def _registered(self, loop: int, depth: int) -> bool:
        """Whether `_begin` registered the memory and the file with the kernel."""
        return False

    def _end(self, loop: int, depth: int) -> None:
        """Release the resources that `_begin` prepared for one run."""

    def run(self, fd: int, memory: Bytes, traffic: Traffic) -> TrafficRecord:
        """Run ``traffic`` as in `Engine.run`.

        If a loop saturates its CPU, the run is repeated with twice as many loops, provided that
        each loop gets a CPU, an I/O in flight and a spare block. A run that writes is not repeated.

        Raises:
            ValueError: the memory has no spare block.
        """
        if memory.size < (traffic.depth + 1) * traffic.block:
            # The loop checks a block before it reuses the block's memory. With no spare block, it
            # could not start an I/O.
            raise ValueError(
                f"{traffic.depth} I/Os in flight need memory for at least {traffic.depth + 1} "
                "blocks"
            )
        loops = 1
        while True:
            trace = self._run(fd, memory, traffic, loops)
            spare = memory.size // traffic.block - traffic.depth
            more = 2 * loops <= min(len(self._cpu.cpus), traffic.depth, spare)
            if trace.busy <= LIMITED or not more or traffic.writes is not None:
                return trace
            loops *= 2

    def _run(self, fd: int, memory: Bytes, traffic: Traffic, loops: int) -> TrafficRecord:
        if loops == 1:
            # The thread is not pinned, because pinning reduced the rate by a quarter while other
            # programs ran.
            return self._loop(self._gate(), 0, fd, memory, traffic)
        depth, spare = traffic.depth, memory.size // traffic.block - traffic.depth
        shares = [depth * n // loops for n in range(loops + 1)]
        cuts = [(shares[n] + spare * n // loops) * traffic.block for n in range(loops + 1)]
        pools = [memory[begin:end] for begin, end in pairwise(cuts)]
        parts = [
            replace(traffic, depth=shares[n + 1] - shares[n], offsets=traffic.offsets[n::loops])
            for n in range(loops)
        ]

        def job(slot: ThreadSlot) -> TrafficRecord:
            n = slot.index
            return self._loop(slot.barrier, n, fd, pools[n], parts[n])

        return joined(self._cpu.launch([job] * loops))

    def _gate(self) -> tuple[int, int, int]:
        """Arguments of a barrier that has only the calling thread."""
        self._alone[:] = 0
        return self._alone.ctypes.data, 0, 1

    def _loop(
        self, barrier: tuple[int, int, int], loop: int, fd: int, memory: Bytes, traffic: Traffic
    ) -> TrafficRecord:
        depth = traffic.depth
        most = int(traffic.seconds * FASTEST) + depth
        most = min(most, traffic.most) if traffic.most else most
        offsets = np.ascontiguousarray(traffic.offsets)
        writes = None if traffic.writes is None else traffic.writes.astype(np.int64)
        landed = np.full(memory.size // traffic.block, NEVER, np.int64)
        latencies, finished, done_at = np.split(np.empty(3 * most, np.int64), 3)
        parts = [aio.IOCB_BYTES // 8 * depth, depth, depth, depth, aio.EVENT_BYTES // 8, 1]
        books = np.split(np.zeros(sum(parts), np.int64), np.cumsum(parts)[:-1])
        iocbs, starts, places, asked, event, pointer = books
        words = np.zeros(aio.WORDS, np.int64)
        for word, value in {
            **self._begin(loop, depth, fd, memory),
            aio.DEPTH: depth,
            aio.SIZE: traffic.block,
            aio.SPAN: int(traffic.seconds * 1e9),
            aio.MOST: most,
            aio.OFFSETS: offsets.ctypes.data,
            aio.COUNT: offsets.size,
            aio.WRITES: 0 if writes is None else writes.ctypes.data,
            aio.MEMORY: memory.ctypes.data,
            aio.SLOTS: landed.size,
            aio.LANDED: landed.ctypes.data,
            aio.FILE: fd,
            aio.STRIDE: BLOCK,
            aio.IOCBS: iocbs.ctypes.data,
            aio.POINTER: pointer.ctypes.data,
            aio.EVENT: event.ctypes.data,
            aio.STARTS: starts.ctypes.data,
            aio.PLACES: places.ctypes.data,
            aio.ASKED: asked.ctypes.data,
            aio.LATENCIES: latencies.ctypes.data,
            aio.FINISHED: finished.ctypes.data,
            aio.DONE_AT: done_at.ctypes.data,
            aio.TAG_KEPT: ~((GENERATIONS - 1) << GENERATION_SHIFT),
            aio.TAG_SET: traffic.generation << GENERATION_SHIFT,
        }.items():
            words[word // 8] = value
        registered = self._registered(loop, depth)
        queued = _queued_ns()
        failure = int(self._entry(*barrier, words.ctypes.data))
        queued = _queued_ns() - queued
        self._end(loop, depth)
        if failure in (aio.SUBMIT_FAILED, aio.GETEVENTS_FAILED):
            self._drop(loop, depth)
        _raise_for(failure, int(words[aio.VALUE // 8]), traffic.block)
        done, begin, end, busy, submitting = (
            int(words[word // 8])
            for word in (aio.DONE, aio.BEGIN, aio.END, aio.BUSY, aio.SUBMITTING)
        )
        return TrafficRecord(
            latency=np.abs(latencies[:done]),
            finished=finished[:done].copy(),
            offset=done_at[:done].copy(),
            wrote=latencies[:done] < 0,
            begin=begin,
            deadline=begin + int(traffic.seconds * 1e9),
            busy=busy / max(1, end - begin),
            loops=1,
            depth=depth,
            landed=landed,
            submitting=submitting / max(1, end - begin),
            queued=queued / max(1, end - begin),
            registered=registered,
        )

    def _context(self, loop: int, depth: int) -> int:
        """The AIO context of loop ``loop`` for ``depth`` I/Os in flight, created at its first use.

        The context is kept, because destroying a context may take longer than a case.
        """
        kept = self._contexts.get((loop, depth))
        if kept is not None:
            return kept
        context = ctypes.c_ulong(0)
        if self._call(self._setup, depth, ctypes.addressof(context)):
            number = ctypes.get_errno()
            why = (
                "other processes have used up the limit fs.aio-max-nr"
                if number == errno.EAGAIN
                else os.strerror(number)
            )
            raise BackendUnavailable(f"the kernel refuses native AIO (io_setup): {why}")
        self._contexts[loop, depth] = context.value
        return context.value

    def _drop(self, loop: int, depth: int) -> None:
        """Destroy the context of ``loop`` for ``depth``. The call waits for the I/Os in flight."""
        self._call(self._destroy, self._contexts.pop((loop, depth)))

    def close(self) -> None:
        for loop, depth in tuple(self._contexts):
            self._drop(loop, depth)

    def _call(self, *arguments: int) -> int:
        return int(self._libc.syscall(*(ctypes.c_long(argument) for argument in arguments)))


def _queued_ns() -> int:
    """Nanoseconds that this thread was runnable but had no CPU; 0 if unknown.

    Source: the second field of /proc/thread-self/schedstat.
    """
    try:
        fields = Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()
    except OSError:
        return 0
    return int(fields[1]) if len(fields) == 3 else 0


def _raise_for(failure: int, value: int, block: int) -> None:
    if failure in (aio.FINE, aio.LATE):  # the thread pool raises the error for late threads
        return
    if failure == aio.WRONG_BLOCK:
        raise VerificationFailed(f"wrong data was read at offset {value}")
    if failure == aio.IO_FAILED and value >= 0:
        raise MembenchError(f"an I/O moved {value} bytes instead of {block}")
    call = {
        aio.SUBMIT_FAILED: "the submission of I/Os",
        aio.GETEVENTS_FAILED: "the wait for an I/O",
    }
    raise MembenchError(f"{call.get(failure, 'an I/O')} failed: {os.strerror(abs(value))}")
