"""The I/Os that an engine must do, and the record of the completed I/Os."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Longs = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

NEVER = -1

GROUPS = 32  # maximum number of groups of I/Os in a round; each group gives one rate
DEPTHS_IN_GROUP = 8
"""Minimum size of a group of I/Os, as a multiple of the queue depth.

A disk may complete all I/Os in flight in one burst, so smaller groups would give random rates.
"""


@dataclass(frozen=True)
class Traffic:
    """I/Os of one size, with a fixed number of I/Os in flight.

    Attributes:
        block: bytes per I/O.
        depth: number of I/Os in flight at any time.
        offsets: file offsets in bytes, used in order and then repeated.
        seconds: time in which new I/Os are started.
        most: maximum number of I/Os; 0 for no limit.
        writes: one flag per offset, True for a write; None if all I/Os are reads.
        generation: generation of the written blocks; see `Content`.
    """

    block: int
    depth: int
    offsets: Longs
    seconds: float
    most: int = 0
    writes: npt.NDArray[np.bool_] | None = None
    generation: int = 0


@dataclass(frozen=True)
class TrafficRecord:
    """The completed I/Os, in the order of completion.

    Attributes:
        latency: nanoseconds from submission to completion of each I/O.
        finished: time of each completion in nanoseconds (monotonic clock).
        offset: file offset of each I/O.
        wrote: for each I/O, True for a write.
        begin: time of the first submission in nanoseconds.
        deadline: time in nanoseconds from which on no I/O started, unless a minimum number of I/Os
            was requested.
        busy: share (0 to 1) of a CPU that the busiest submitting thread used. The engine `Threads`
            gives the share that all its threads used together.
        loops: number of submitting threads.
        depth: number of I/Os in flight.
        landed: for each block of memory, the file offset of its last I/O; `NEVER` if it had none.
        submitting: largest share (0 to 1) of time that a submitting thread spent in the submission
            call; 0 if the engine has no separate submission call.
        queued: largest share (0 to 1) of time that a submitting thread waited for a CPU; 0 if
            unknown.
        registered: whether the memory and the file were registered with the kernel.
    """

    latency: Longs
    finished: Longs
    offset: Longs
    wrote: npt.NDArray[np.bool_]
    begin: int
    deadline: int
    busy: float
    loops: int
    depth: int
    landed: Longs
    submitting: float = 0.0
    queued: float = 0.0
    registered: bool = False

    @property
    def count(self) -> int:
        return int(self.latency.size)

    @property
    def blocked(self) -> bool:
        """Whether submission waited for the disk, so fewer than ``depth`` I/Os were in flight."""
        # A lower bound, because busy and queued also include time outside the submission call.
        waiting = self.submitting - self.busy - self.queued
        return self.depth > 1 and self.submitting > 0.5 and waiting > self.submitting / 2

    def rates(self) -> list[float]:
        """I/Os per second in at most `GROUPS` successive parts of the run.

        I/Os that completed after the deadline are left out, because no new I/Os replaced them in
        the queue. If no I/O completed before the deadline, all I/Os count.
        """
        finished = self.finished[self.finished <= self.deadline]
        if not finished.size:
            finished = self.finished
        groups = max(1, min(GROUPS, finished.size // (DEPTHS_IN_GROUP * self.depth)))
        ends = np.linspace(0, finished.size, groups + 1).astype(np.int64)[1:]
        counts = np.diff(ends, prepend=0)
        spans = np.diff(finished[ends - 1], prepend=self.begin)
        rates: list[float] = (counts / spans * 1e9).tolist()
        return rates


def joined(traces: Sequence[TrafficRecord]) -> TrafficRecord:
    """Merge the records of threads that ran at the same time into one record."""
    finished = np.concatenate([trace.finished for trace in traces])
    order = np.argsort(finished, kind="stable")
    return TrafficRecord(
        latency=np.concatenate([trace.latency for trace in traces])[order],
        finished=finished[order],
        offset=np.concatenate([trace.offset for trace in traces])[order],
        wrote=np.concatenate([trace.wrote for trace in traces])[order],
        begin=min(trace.begin for trace in traces),
        deadline=min(trace.deadline for trace in traces),
        busy=max(trace.busy for trace in traces),
        loops=len(traces),
        depth=sum(trace.depth for trace in traces),
        landed=np.concatenate([trace.landed for trace in traces]),
        submitting=max(trace.submitting for trace in traces),
        queued=max(trace.queued for trace in traces),
        registered=all(trace.registered for trace in traces),
    )


class Engine(Protocol):
    """Submits I/Os and waits for them, by io_uring, native AIO or threads."""

    @property
    def name(self) -> str:
        """The engine's name in a row's `detail`."""
        ...

    def run(self, fd: int, memory: Bytes, traffic: Traffic) -> TrafficRecord:
        """Run ``traffic`` on the file ``fd``.

        Args:
            memory: more than ``depth`` blocks, used in turn. For writes, the blocks must have
                content: before each write, the engine sets only the offset and the generation of
                each 4 KiB.

        Raises:
            MembenchError: an I/O failed or moved fewer bytes than requested.
            VerificationFailed: a block that was read contains a wrong file offset.
        """
        ...

    def close(self) -> None:
        """Free the engine's kernel resources."""
        ...


def shuffled(size: int, block: int, rng: np.random.Generator) -> Longs:
    """The offsets of all whole blocks in a file of ``size`` bytes, once each, in random order."""
    offsets: Longs = rng.permutation(size // block).astype(np.int64)
    return offsets * block


def successive(size: int, block: int, rng: np.random.Generator) -> Longs:
    """The offsets of all whole blocks in a file of ``size`` bytes, once each.

    The offsets ascend from a random block to the end of the file, and then from 0.
    """
    count = size // block
    offsets: Longs = (np.arange(count, dtype=np.int64) + int(rng.integers(count))) % count
    return offsets * block
