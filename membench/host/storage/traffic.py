"""The task of an engine, and the record of what it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Longs = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

NEVER = -1

GROUPS = 32  # rates that one round is divided into, at most
DEPTHS_IN_GROUP = 8
"""Least depths in a group: a disk may complete all I/Os in flight in one burst."""


@dataclass(frozen=True)
class Traffic:
    """I/Os of one size, of which a fixed number is kept in flight.

    Attributes:
        block: bytes of an I/O.
        depth: I/Os in flight at any time.
        offsets: in bytes, used in order and repeated from the first.
        seconds: how long new I/Os are started.
        most: most I/Os in all; 0 for no bound.
        writes: which of them write, one flag per offset; None if all read.
        generation: of the blocks that are written; see `Content`.
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
        finished: time of its completion, monotonic clock, nanoseconds.
        offset: its offset in the file.
        wrote: whether it was a write.
        begin: time of the first submission.
        deadline: time after which none was started.
        busy: largest share of a CPU that one of the submitting threads used.
        loops: submitting threads.
        depth: I/Os in flight.
        landed: for each block of memory, the offset of the I/O that it served last, or `NEVER`.
        submitting: largest share of its time that a submitting thread spent in the submission call;
            0 if the engine has none.
        queued: share of its time that this thread waited for a CPU.
        registered: whether memory and file were registered with the kernel.
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
        """Number of completed I/Os."""
        return int(self.latency.size)

    @property
    def blocked(self) -> bool:
        """Whether submission waited for the disk, so that fewer than ``depth`` I/Os were in flight.

        True if submission took more than half of the time, most of it neither computing nor waiting
        for a CPU.
        """
        waiting = self.submitting - self.busy - self.queued  # at least: not all of them fall there
        return self.depth > 1 and self.submitting > 0.5 and waiting > self.submitting / 2

    def rates(self) -> list[float]:
        """I/Os per second of successive groups of I/Os, each over the time that it took.

        I/Os that completed after the deadline do not count, because the depth falls then.
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
    """One record of what several threads did at the same time."""
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
    """A way of submitting I/Os."""

    @property
    def name(self) -> str:
        """Its name in `detail`."""
        ...

    def run(self, fd: int, memory: Bytes, traffic: Traffic) -> TrafficRecord:
        """Do ``traffic`` on ``fd``.

        Args:
            memory: more than ``depth`` blocks, used in turn, that hold content; the engine sets the
                offset and generation in a block's stamps before it writes the block.

        Raises:
            MembenchError: an I/O failed or moved fewer bytes than asked for.
            VerificationFailed: a block that was read has the wrong content.
        """
        ...

    def close(self) -> None:
        """Free its kernel resources."""
        ...


def shuffled(size: int, block: int, rng: np.random.Generator) -> Longs:
    """The offsets of all whole blocks of a file of ``size`` bytes, each once, in random order."""
    offsets: Longs = rng.permutation(size // block).astype(np.int64)
    return offsets * block


def successive(size: int, block: int, rng: np.random.Generator) -> Longs:
    """The offsets of all whole blocks in order, from a random one on, wrapping around."""
    count = size // block
    offsets: Longs = (np.arange(count, dtype=np.int64) + int(rng.integers(count))) % count
    return offsets * block
