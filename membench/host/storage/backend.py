"""The backend for disks: it uses the scratch file, and checks that the disk did the work."""

from __future__ import annotations

import hashlib
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path

from membench.core.backend import Device, Seating
from membench.core.errors import BackendUnavailable, skip
from membench.core.snapshot import Machine
from membench.core.text import counted
from membench.core.units import KIB, MIB, about_size
from membench.host.memory.arena import Bytes
from membench.host.memory.backend import CpuBackend
from membench.host.storage.content import Content
from membench.host.storage.files import disk_name, evict, requests, resident_share
from membench.host.storage.flow import Flow, TrafficShape
from membench.host.storage.scratch import ScratchHandle
from membench.host.storage.traffic import Engine
from membench.host.storage.write_budget import WriteLedger

SMALL = 64 * KIB
"""I/O size in bytes below which several loops may be needed. Each loop then needs a spare block."""

LARGEST_OTHER_FILE = 256 * MIB  # size that files other than the scratch file may reach


def open_storage(
    machine: Machine, scratch: ScratchHandle, host: CpuBackend | None = None
) -> StorageBackend:
    """Open the backend for ``scratch``; the process that created the file must not have closed it.

    Args:
        host: an open backend whose threads and memory to use; None for new threads and memory.

    Raises:
        BackendUnavailable: this process cannot open the file, or the file has the wrong size.
    """
    return StorageBackend(machine, scratch, host)


class StorageBackend:
    """The scratch file on a disk, as a backend.

    Attributes:
        content: the expected content of the file.
    """

    timer = CpuBackend.timer

    def __init__(
        self, machine: Machine, scratch: ScratchHandle, host: CpuBackend | None = None
    ) -> None:
        self.machine = machine
        self.scratch = scratch
        self.content = Content(scratch.seed)
        with self.opened(direct=True) as fd:
            size = os.fstat(fd).st_size
        if size != scratch.size:
            raise BackendUnavailable(f"the scratch file has {size} bytes, not {scratch.size}")
        self._owns_cpu = host is None
        self.cpu = CpuBackend(machine) if host is None else host
        self.resolution_ns = self.cpu.resolution_ns
        self._ledger = WriteLedger(scratch.ledger)
        self._limits: tuple[int, int] | None = resource.getrlimit(resource.RLIMIT_FSIZE)
        soft, hard = self._limits
        lower = max(scratch.size, LARGEST_OTHER_FILE)
        # A write far beyond the end of the scratch file is then an error.
        if soft == resource.RLIM_INFINITY or lower < soft:
            resource.setrlimit(resource.RLIMIT_FSIZE, (lower, hard))

    @cached_property
    def kernel_digest(self) -> str:
        """Hex SHA-256 digest of the sources of all code that moves data in timed sections."""
        digest = hashlib.sha256(self.cpu.kernel_digest.encode())
        here = Path(__file__).parent
        for path in sorted(here.glob("*.py")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
        return digest.hexdigest()

    def describe(self) -> Device:
        """The filesystem and the disk, such as ``ext4 on /dev/vda (virtio_blk)``."""
        disk = disk_name(self.scratch.device)
        return Device("storage", f"{self.scratch.kind} on {disk}" if disk else self.scratch.kind)

    def elapsed_ns(self, run: Callable[[int], None], iterations: int) -> float:
        return self.cpu.elapsed_ns(run, iterations)

    @cached_property
    def engine(self) -> Engine:
        """The fastest engine that works on this machine: io_uring, native AIO or threads."""
        if self.cpu.compiles:
            from membench.host.storage.uring_engine import NativeRing

            with suppress(BackendUnavailable):
                return NativeRing(self.cpu)
        return self.plain_engine

    @cached_property
    def plain_engine(self) -> Engine:
        """The engine for reads from the page cache: native AIO or threads.

        io_uring may pass such reads to kernel threads.
        """
        from membench.host.storage.thread_engine import Threads

        if self.cpu.compiles:
            from membench.host.storage.native_engine import NativeAio

            with suppress(BackendUnavailable):
                return NativeAio(self.cpu)
        return Threads()

    @contextmanager
    def opened(self, *, direct: bool, write: bool = False) -> Iterator[int]:
        """A context with a descriptor from `open`, which is closed at the end."""
        fd = self.open(direct=direct, write=write)
        try:
            yield fd
        finally:
            os.close(fd)

    def open(self, *, direct: bool, write: bool = False, flags: int = 0) -> int:
        """Open a descriptor for the file, with O_DIRECT if ``direct``.

        Args:
            flags: further flags of open(2).

        Raises:
            BackendUnavailable: the file cannot be opened.
        """
        mode = os.O_RDWR if write else os.O_RDONLY
        try:
            return os.open(
                self.scratch.path, mode | os.O_CLOEXEC | flags | (os.O_DIRECT if direct else 0)
            )
        except OSError as error:
            raise BackendUnavailable(
                f"the scratch file cannot be opened: {error.strerror}"
            ) from error

    def memory(self, pages: str, size: int, shift: int = 0) -> Bytes:
        """``size`` bytes of memory on ``pages`` (``thp`` or ``4k``), with every page touched.

        The next call for the same ``pages`` reuses the same memory.

        Args:
            shift: offset in bytes of the first byte from the start of its page.
        """
        (memory,) = self.cpu.arrays(pages, [size + shift])
        self.cpu.touch(memory, 1)
        return memory[shift:]

    def flow(self, shape: TrafficShape, pages: str = "thp", pool: int = 0, shift: int = 0) -> Flow:
        """A flow of I/Os with the pattern ``shape``; ``pages`` and ``shift`` are as in `memory`.

        Args:
            pool: minimum bytes of memory over which the blocks are spread. The memory always has
                room for the I/Os in flight and at least one spare block.

        Raises:
            Skip: the file is too small for this pattern.
            BackendUnavailable: the file cannot be opened.
        """
        least = 2 * shape.depth * shape.block  # a smaller file would be read repeatedly
        if self.scratch.size < least:
            skip(
                f"needs a scratch file of {about_size(least)}, but the scratch file has "
                f"{about_size(self.scratch.size)}"
            )
        # With more memory, the buffers would not stay in the caches.
        spare = min(len(self.cpu.cpus), shape.depth) if shape.block < SMALL else 1
        room = max((shape.depth + spare) * shape.block, pool // shape.block * shape.block)
        memory = self.memory(pages, room, shift)
        fd = self.open(direct=True, write=shape.reads < 100)
        return Flow(fd, self.scratch.size, self.content, memory, self.engine, shape)

    def seating(self) -> Seating:
        return self.cpu.seating()

    def evict(self, size: int = 0) -> float:
        """Remove the file from the page cache.

        Returns the share (0 to 1) of the first ``size`` bytes (0: all) that stayed in the cache.
        """
        with self.opened(direct=False) as fd:
            return evict(fd, size or self.scratch.size)

    def resident(self, size: int = 0) -> float:
        """Share (0 to 1) of the first ``size`` bytes (0: all) that is in the page cache."""
        with self.opened(direct=False) as fd:
            return resident_share(fd, size or self.scratch.size)

    def served(self, before: float, moved: int) -> str:
        """The share of direct reads that may have come from the page cache, such as ``0.0%``.

        Some filesystems use the page cache for direct reads. The result is the larger of two
        shares: the share of the file that was cached before the reads, and the share of the read
        bytes that are cached after the reads.

        Args:
            before: share of the file (0 to 1) that `evict` left in the cache.
            moved: bytes that direct reads have moved since `evict`.
        """
        size = self.scratch.size
        after = self.resident() * size / min(moved, size) if moved else 0.0
        return f"{100 * min(1.0, max(before, after)):.1f}%"

    def requests(self) -> tuple[int, int] | None:
        """Reads and writes that the file's device has completed since boot; None if unknown."""
        return requests(self.scratch.device) if self.scratch.device else None

    def claim(self, case: str, size: int) -> None:
        """Reserve the bytes that ``case`` writes in all rounds: ``size`` bytes per round.

        Raises:
            Skip: the disk budget is too small.
        """
        scratch = self.scratch
        if not self._ledger.claim(case, size * scratch.rounds, scratch.budget):
            left = max(0, self._ledger.left(scratch.budget))
            total = about_size(size * scratch.rounds)
            skip(
                f"writes {total} in {counted(scratch.rounds, 'round')}, but the run may write "
                f"only {about_size(left)} more: use a larger --disk-budget"
            )

    def wrote(self, size: int) -> None:
        self._ledger.wrote(size)

    def reclaim(self) -> None:
        self.cpu.reclaim()

    def close(self) -> None:
        """Close the engines and the backend's own `CpuBackend`; restore the file size limit."""
        for name in {"engine", "plain_engine"} & set(vars(self)):
            getattr(self, name).close()
        if self._owns_cpu:
            self.cpu.close()
        if self._limits is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)
            self._limits = None
