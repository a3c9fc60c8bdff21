"""The backend for transfers between a GPU and a disk."""

from __future__ import annotations

import ctypes
import hashlib
import mmap
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from membench.core.backend import Device
from membench.core.errors import MembenchError, skip
from membench.gpu.link_protocol import Event
from membench.gpu.protocol import Buffer, Gpu, HostBuffer
from membench.host.memory.arena import Bytes

if TYPE_CHECKING:
    from membench.host.storage.backend import StorageBackend

_CHUNK = 4 << 20


class CudaStorage:
    """One backend that combines the backend of a GPU and the backend of a disk.

    The column `device` of the rows names the GPU.

    Args:
        storage: the disk; None if the run has no scratch file.
    """

    def __init__(self, gpu: Gpu, storage: StorageBackend | None) -> None:
        self.gpu = gpu
        self._storage = storage
        self.timer = gpu.timer
        self.resolution_ns = gpu.resolution_ns

    @property
    def storage(self) -> StorageBackend:
        """The backend of the disk.

        Raises:
            Skip: the run has no scratch file.
        """
        if self._storage is None:
            skip("this run has no scratch file")
        return self._storage

    @property
    def kernel_digest(self) -> str:
        """Hex SHA-256 digest of the kernel digests of the GPU and the disk.

        Without a disk, the digest is of the GPU's kernel digest alone.
        """
        parts = [self.gpu.kernel_digest]
        parts += [self._storage.kernel_digest] if self._storage is not None else []
        return hashlib.sha256("".join(parts).encode()).hexdigest()

    def describe(self) -> Device:
        return self.gpu.describe()

    def warm(self, size: int) -> None:
        """Read the first ``size`` bytes of the file into the page cache."""
        with self.storage.opened(direct=False) as fd:
            buffer = bytearray(_CHUNK)
            for offset in range(0, size, _CHUNK):
                os.preadv(fd, [buffer], offset)

    def evict_mapped(self, mapped: Bytes) -> float:
        """Unmap the pages of ``mapped`` and drop the pages from the page cache.

        Returns:
            The share (0 to 1) of the pages that stayed in the page cache.

        Raises:
            MembenchError: the kernel does not unmap the pages.
        """
        libc = ctypes.CDLL(None, use_errno=True)
        address = ctypes.c_void_p(int(mapped.ctypes.data))
        if libc.madvise(address, ctypes.c_size_t(mapped.size), mmap.MADV_DONTNEED):
            raise MembenchError(
                f"Linux cannot unmap pages of the file: {os.strerror(ctypes.get_errno())}"
            )
        return self.storage.evict(mapped.size)

    def reclaim(self) -> None:
        self.gpu.reclaim()
        if self._storage is not None:
            self._storage.reclaim()

    def close(self) -> None:
        self.gpu.close()
        if self._storage is not None:
            self._storage.close()


class PoolSink:
    """Copies pages from slots in page-locked memory into a pool on the GPU, as a `pager.Sink`.

    Args:
        slots: page-locked memory with one page per slot.
        block: bytes per page.
    """

    def __init__(self, gpu: Gpu, slots: HostBuffer, pool: Buffer, block: int) -> None:
        self._gpu = gpu
        self._slots = slots
        self._pool = pool
        self._block = block
        self._stream = gpu.stream()
        self._going: dict[int, Event] = {}

    @property
    def places(self) -> int:
        return self._pool.size // self._block

    def begin(self, slot: int, place: int) -> None:
        source = self._slots.address + slot * self._block
        target = self._pool.address + place * self._block
        self._gpu.copy(target, source, self._block, self._stream)
        self._going[slot] = self._gpu.links.record(self._stream)

    def done(self, slot: int) -> bool:
        return self._gpu.links.happened(self._going[slot])

    def wait(self, slot: int) -> None:
        if not self.done(slot):
            self._gpu.wait(self._stream)


def landed_pages(gpu: Gpu, pool: Buffer, block: int, places: Sequence[int]) -> list[Any]:
    """Copy the pages ``places`` of a GPU pool to the host: ``block`` bytes of uint8 per page.

    Before the call, the caller must wait for the copies in all queues except the measured queue.
    """
    return [gpu.download(pool, np.uint8, block, place * block) for place in places]
