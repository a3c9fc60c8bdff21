"""Run an I/O pattern on the scratch file, and verify the data."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from membench.core.errors import VerificationFailed
from membench.host.storage.content import BLOCK, GENERATIONS, Content
from membench.host.storage.traffic import (
    NEVER,
    Bytes,
    Engine,
    Longs,
    Traffic,
    TrafficRecord,
    shuffled,
    successive,
)

CHECKED_BYTES = 8 << 20  # bytes of memory that are compared completely after a round
CHECKED_WRITES = 64  # number of written blocks that are read back after a round


@dataclass(frozen=True, kw_only=True)
class TrafficShape:
    """An I/O pattern.

    Attributes:
        pattern: ``rand``: random order, every block once before a block is repeated. ``seq``:
            ascending order from a random offset, wrapping around.
        block: bytes per I/O.
        depth: number of I/Os in flight.
        reads: percentage of the I/Os that are reads; all other I/Os are writes.
        most: maximum number of bytes that a round writes on average; 0 for no limit. A round does
            at least one I/O.
    """

    pattern: str
    block: int
    depth: int
    reads: int = 100
    most: int = 0


class Flow:
    """I/Os with one pattern. Every `Flow` has new random offsets.

    Args:
        fd: the scratch file, opened for direct I/O, and for writing if the pattern writes.
        size: bytes of the file.
        memory: buffers for reads and writes, more than ``depth`` blocks.
    """

    def __init__(
        self,
        fd: int,
        size: int,
        content: Content,
        memory: Bytes,
        engine: Engine,
        shape: TrafficShape,
    ) -> None:
        rng = np.random.default_rng()
        self._fd, self._content, self._memory, self._engine = fd, content, memory, engine
        self._shape = shape
        choose = shuffled if shape.pattern == "rand" else successive
        self._offsets = choose(size, shape.block, rng)
        self._writes = _writers(self._offsets.size, shape.reads, rng)
        self._generation = int(rng.integers(1, GENERATIONS))
        self._trace: TrafficRecord | None = None
        if self._writes is not None:
            start = int(rng.integers(size // BLOCK)) * BLOCK
            content.fill(memory.data, start)

    def run(self, seconds: float) -> TrafficRecord:
        """Run the pattern for about ``seconds``, or until `TrafficShape.most` bytes are written."""
        shape = self._shape
        share = (100 - shape.reads) / 100
        most = max(1, int(shape.most / shape.block / share)) if shape.most and share else 0
        traffic = Traffic(
            block=shape.block,
            depth=shape.depth,
            offsets=self._offsets,
            seconds=seconds,
            most=most,
            writes=self._writes,
            generation=self._generation,
        )
        self._trace = self._engine.run(self._fd, self._memory, traffic)
        return self._trace

    def verify(self) -> None:
        """Verify a sample of the blocks: in memory if all I/Os are reads, else on the disk.

        The engine has already checked the offset at the start of every block that it read.

        Raises:
            VerificationFailed: a block is wrong, or no I/O completed.
        """
        trace = self._trace
        if trace is None or not trace.count:
            raise VerificationFailed("the case completed no reads and no writes")
        if self._writes is None:
            self._check_memory(trace.landed)
        if trace.wrote.any():
            self._check_file(trace.offset[trace.wrote])

    def _check_memory(self, landed: Longs) -> None:
        block = self._shape.block
        slots = np.flatnonzero(landed != NEVER)
        count = max(1, CHECKED_BYTES // block)
        if slots.size > count:
            slots = np.random.default_rng().choice(slots, count, replace=False)
        view = self._memory.data
        for slot in slots.tolist():
            wrong = self._content.wrong(view[slot * block : (slot + 1) * block], int(landed[slot]))
            if wrong != NEVER:
                raise VerificationFailed(f"wrong data was read at offset {wrong}")

    def _check_file(self, written: Longs) -> None:
        rng = np.random.default_rng()
        at = rng.choice(written, min(CHECKED_WRITES, written.size), replace=False)
        inside = rng.integers(self._shape.block // BLOCK, size=at.size) * BLOCK
        page = self._memory[:BLOCK]
        for offset in (at + inside).tolist():
            os.preadv(self._fd, [page.data], offset)
            found = self._content.generation(page.data, offset)
            if found != self._generation:
                raise VerificationFailed(
                    f"the data at offset {offset} differ from the written data"
                )

    def close(self) -> None:
        """Flush writes to the device and close the file."""
        if self._fd >= 0:
            if self._writes is not None:
                os.fdatasync(self._fd)
            os.close(self._fd)
            self._fd = -1


def _writers(count: int, reads: int, rng: np.random.Generator) -> npt.NDArray[np.bool_] | None:
    """One flag per I/O, True for a write; None if all ``count`` I/Os are reads."""
    if reads == 100:
        return None
    numbers = np.arange(count)
    writes = (numbers + 1) * (100 - reads) // 100 > numbers * (100 - reads) // 100
    return rng.permutation(writes)
