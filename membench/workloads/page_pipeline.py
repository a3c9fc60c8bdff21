"""Moves pages from the disk into GPU memory over one of three paths, and verifies the pages."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from membench.core.errors import MembenchError, VerificationFailed, skip
from membench.core.units import MIB, about_size
from membench.gpu.cuda.gds import GdsReader
from membench.host.storage.pager import Nowhere, Pager, Sink
from membench.host.storage.traffic import TrafficRecord, shuffled
from membench.workloads.gpu_disk import CudaStorage, PoolSink, landed_pages

if TYPE_CHECKING:
    from membench.gpu.protocol import Buffer

CHECKED_BYTES = 8 * MIB
"""Maximum total bytes of the pages in GPU memory that a check compares; at least one page."""


@dataclass(frozen=True)
class Pipeline:
    """A prepared path from the disk to the GPU.

    Attributes:
        read: the first stage: a function that reads a page. The arguments are the slot, and the
            file offset of the page.
        sink: the second stage, which copies a page to the GPU. None if the first stage reads
            directly into GPU memory.
        memory: GPU memory that receives the pages.
        offsets: file offsets of the pages, in the order of the transfers.
        detail: key-value pairs for the `detail` of a row.
    """

    pager: Pager
    read: Callable[[int, int], None]
    sink: Sink | None
    memory: Buffer
    offsets: Any
    detail: dict[str, str | int | float]
    close: Callable[[], None]


def open_pipeline(
    both: CudaStorage, path: str, block: int, *, readers: int, slots: int, pool: int
) -> Pipeline:
    """Open the pipeline ``path`` for pages of ``block`` bytes.

    Args:
        path: `bounce` (direct reads into page-locked memory), `mmap` (copies from a mapping), or
            `gds` (reads directly to the GPU).
        readers: maximum number of reads in flight.
        slots: maximum number of pages in flight.
        pool: bytes of GPU memory that receive pages, a multiple of ``block``. `gds` uses one page
            of GPU memory per slot instead.

    Raises:
        Skip: the scratch file is missing or too small, or ``path`` is `gds` and KvikIO cannot read
            the file.
    """
    storage = both.storage
    least = 4 * block * readers
    if storage.scratch.size < least:
        skip(
            f"needs a scratch file of {about_size(least)}, but the scratch file has "
            f"{about_size(storage.scratch.size)}"
        )
    offsets = shuffled(storage.scratch.size, block, np.random.default_rng())
    if path == "gds":
        return _direct(both, block, readers, slots, offsets)
    return _bounced(both, path, block, readers, slots, pool, offsets)


def _direct(both: CudaStorage, block: int, readers: int, slots: int, offsets: Any) -> Pipeline:
    memory = both.gpu.allocate(slots * block)
    reader = GdsReader(both.storage.scratch.path, memory, block)
    with ExitStack() as closing:
        closing.callback(reader.close)
        pager = Pager(reader.read, Nowhere(), readers=readers, slots=slots)
        detail: dict[str, str | int | float] = {"engine": "kvikio", "mode": reader.mode}
        close = closing.pop_all().close
    return Pipeline(pager, reader.read, None, memory, offsets, detail, close)


def _bounced(
    both: CudaStorage, path: str, block: int, readers: int, slots: int, pool: int, offsets: Any
) -> Pipeline:
    gpu, storage = both.gpu, both.storage
    memory = gpu.allocate(pool)
    pages = gpu.links.memory(slots * block, "pinned")
    views = [pages.array[n * block : (n + 1) * block] for n in range(slots)]
    with ExitStack() as closing:
        fd = storage.open(direct=path == "bounce")
        closing.callback(os.close, fd)
        if path == "bounce":

            def read(slot: int, offset: int) -> None:
                got = os.preadv(fd, [views[slot].data], offset)
                if got != block:
                    raise MembenchError(
                        f"a read of {block} bytes at offset {offset} returned {got} bytes"
                    )

        else:
            mapped = gpu.links.mapped_file(fd, storage.scratch.size).array

            def read(slot: int, offset: int) -> None:
                np.copyto(views[slot], mapped[offset : offset + block])

        sink = PoolSink(gpu, pages, memory, block)
        pager = Pager(read, sink, readers=readers, slots=slots)
        engine = "preadv" if path == "bounce" else "mmap"
        detail: dict[str, str | int | float] = {"engine": engine, "slots": slots}
        close = closing.pop_all().close
    return Pipeline(pager, read, sink, memory, offsets, detail, close)


def check_landed(
    both: CudaStorage, memory: Buffer, block: int, trace: TrafficRecord | None
) -> None:
    """Compare a sample of the pages in GPU memory with the expected content of the file.

    ``trace`` is the record of the transfers; None if no transfer ran.

    Raises:
        VerificationFailed: no page arrived in GPU memory, or a page differs.
    """
    if trace is None or not trace.count:
        raise VerificationFailed("no page arrived in GPU memory")
    places = np.flatnonzero(trace.landed >= 0)
    most = max(1, CHECKED_BYTES // block)
    if places.size > most:
        places = np.random.default_rng().choice(places, most, replace=False)
    chosen = places.tolist()
    for place, page in zip(chosen, landed_pages(both.gpu, memory, block, chosen), strict=True):
        wrong = both.storage.content.wrong(page.data, int(trace.landed[place]))
        if wrong >= 0:
            raise VerificationFailed(f"the data from file offset {wrong} is wrong in GPU memory")
