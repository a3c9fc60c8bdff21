"""What an engine is asked to do, and what it saw."""

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
"""A disk may complete all that is under way in one burst: a group is at least so many bursts."""


@dataclass(frozen=True)
class Traffic:
    """I/Os of one size, kept under way a number at a time.

    Attributes:
        block: bytes of an I/O.
        depth: I/Os under way at any time.
        offsets: where, in bytes, one after the other; again from the first after the last.
        seconds: how long new ones are begun.
        most: I/Os in all, at most; 0 for no bound.
        writes: which of them write: one flag an offset, or none where all read.
        generation: of the blocks that are written; see `storage_content`.
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
    """What happened, in the order of completion.

    Attributes:
        latency: nanoseconds from submission to completion, one an I/O.
        finished: when it was completed, monotonic clock, nanoseconds.
        offset: where in the file.
        wrote: whether it was a write.
        begin: when the first one was submitted.
        deadline: when no new ones were begun any more.
        busy: largest share of a CPU that one of the submitting threads used.
        loops: submitting threads.
        depth: I/Os that were under way.
        landed: for each block of memory, the offset of the I/O that it served last, or `NEVER`.
        submitting: largest share of its time that one of the submitting threads spent inside of
            the call that only submits; 0 where the engine has no such call.
        queued: share of its time that this thread waited for a CPU that others used.
        registered: whether the kernel knew memory and file beforehand.
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
        """I/Os that were completed."""
        return int(self.latency.size)

    @property
    def blocked(self) -> bool:
        """Whether submission waited for the disk, so that fewer than ``depth`` were under way.

        It took more than half of the time, and most of that was neither work of the processor nor
        waiting for one.
        """
        waiting = self.submitting - self.busy - self.queued  # at least: not all of them fall there
        return self.depth > 1 and self.submitting > 0.5 and waiting > self.submitting / 2

    def rates(self) -> list[float]:
        """I/Os a second: of successive groups of I/Os, each over the time that it took.

        Those that were completed after the deadline do not count: by then
        fewer and fewer were under way.
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
    """One trace of what several threads did at the same time."""
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
    """How I/Os are submitted."""

    @property
    def name(self) -> str:
        """As it stands in `detail`."""
        ...

    def run(self, fd: int, memory: Bytes, traffic: Traffic) -> TrafficRecord:
        """Do ``traffic`` on ``fd``.

        Args:
            memory: more than ``depth`` blocks, used in turn; before a block is
                written, its stamps get their offsets and generation, and the rest
                must be content already.

        Raises:
            MembenchError: an I/O failed or moved fewer bytes than asked for.
            VerificationFailed: a block that was read is not the one that was asked for.
        """
        ...

    def close(self) -> None:
        """Give back what the kernel holds for it."""
        ...


def shuffled(size: int, block: int, rng: np.random.Generator) -> Longs:
    """The offsets of all whole blocks of a file of ``size`` bytes, each once, in random order."""
    offsets: Longs = rng.permutation(size // block).astype(np.int64)
    return offsets * block


def successive(size: int, block: int, rng: np.random.Generator) -> Longs:
    """The offsets of all whole blocks in their order, from a random one on and around."""
    count = size // block
    offsets: Longs = (np.arange(count, dtype=np.int64) + int(rng.integers(count))) % count
    return offsets * block
