"""The disk as a backend: the scratch file, direct I/O, and proofs that the disk did the work."""

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
from membench.host.storage.content import BLOCK, Content
from membench.host.storage.files import disk_name, evict, requests, resident_share
from membench.host.storage.flow import Flow, TrafficShape
from membench.host.storage.scratch import ScratchHandle
from membench.host.storage.traffic import Engine
from membench.host.storage.write_budget import WriteLedger

SMALL = 64 * KIB
"""Size of an I/O below which one loop may not suffice, and each loop needs a spare block."""

LARGEST_OTHER_FILE = 256 * MIB  # what this process may write beside the scratch file


def open_storage(machine: Machine, scratch: ScratchHandle) -> StorageBackend:
    """The backend on ``scratch``, which the process that created it must still hold open.

    Raises:
        BackendUnavailable: the file cannot be reached.
    """
    return StorageBackend(machine, scratch)


class StorageBackend:
    """A scratch file on a disk.

    Attributes:
        cpu: threads and memory of the host.
        content: the content of the file.
    """

    timer = CpuBackend.timer

    def __init__(self, machine: Machine, scratch: ScratchHandle) -> None:
        self.machine = machine
        self.scratch = scratch
        self.content = Content(scratch.seed)
        with self.opened(direct=True) as fd:
            size = os.fstat(fd).st_size
        if size != scratch.size:
            raise BackendUnavailable(f"the scratch file has {size} bytes, not {scratch.size}")
        self.cpu = CpuBackend(machine)
        self.resolution_ns = self.cpu.resolution_ns
        self._ledger = WriteLedger(scratch.ledger)
        self._limits: tuple[int, int] | None = resource.getrlimit(resource.RLIMIT_FSIZE)
        soft, hard = self._limits
        lower = max(scratch.size, LARGEST_OTHER_FILE)
        if soft == resource.RLIM_INFINITY or lower < soft:  # a write too far is then an error
            resource.setrlimit(resource.RLIMIT_FSIZE, (lower, hard))

    @cached_property
    def kernel_digest(self) -> str:
        """Digest of the sources of all code that moves a byte between two stamps."""
        digest = hashlib.sha256(self.cpu.kernel_digest.encode())
        here = Path(__file__).parent
        for path in sorted(here.glob("*.py")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
        return digest.hexdigest()

    def describe(self) -> Device:
        """The filesystem and its disk: ``ext4 on /dev/vda (virtio_blk)``."""
        disk = disk_name(self.scratch.device)
        return Device("storage", f"{self.scratch.kind} on {disk}" if disk else self.scratch.kind)

    def elapsed_ns(self, run: Callable[[int], None], iterations: int) -> float:
        """See `CpuBackend.elapsed_ns`."""
        return self.cpu.elapsed_ns(run, iterations)

    @cached_property
    def engine(self) -> Engine:
        """The compiled loop if the machine allows it, on io_uring if possible; else threads."""
        if self.cpu.compiles:
            from membench.host.storage.uring_engine import NativeRing

            with suppress(BackendUnavailable):
                return NativeRing(self.cpu)
        return self.plain_engine

    @cached_property
    def plain_engine(self) -> Engine:
        """The same without io_uring, which passes reads of cached file data to kernel threads."""
        from membench.host.storage.thread_engine import Threads

        if self.cpu.compiles:
            from membench.host.storage.native_engine import NativeAio

            with suppress(BackendUnavailable):
                return NativeAio(self.cpu)
        return Threads()

    @contextmanager
    def opened(self, *, direct: bool, write: bool = False) -> Iterator[int]:
        """A descriptor of the file, closed afterwards."""
        fd = self.open(direct=direct, write=write)
        try:
            yield fd
        finally:
            os.close(fd)

    def open(self, *, direct: bool, write: bool = False, flags: int = 0) -> int:
        """A descriptor of the file.

        Raises:
            BackendUnavailable: it cannot be reached.
        """
        mode = os.O_RDWR if write else os.O_RDONLY
        try:
            return os.open(
                self.scratch.path, mode | os.O_CLOEXEC | flags | (os.O_DIRECT if direct else 0)
            )
        except OSError as error:
            raise BackendUnavailable(
                f"the scratch file cannot be reached: {error.strerror}"
            ) from error

    def memory(self, pages: str, size: int, shift: int = 0) -> Bytes:
        """``size`` bytes on ``pages`` (``thp`` or ``4k``), all touched.

        The next call reuses them.

        Args:
            shift: offset of the first byte within its page.
        """
        (memory,) = self.cpu.arrays(pages, [size + shift])
        memory[::BLOCK] = 0
        return memory[shift:]

    def flow(self, shape: TrafficShape, pages: str = "thp", pool: int = 0, shift: int = 0) -> Flow:
        """An I/O pattern of ``shape``.

        Args:
            pages: kind of page of the memory.
            pool: bytes of memory that the blocks are spread over; by default hardly more than can
                be in flight.
            shift: see `memory`.

        Raises:
            Skip: the file is too small for it.
        """
        least = 2 * shape.depth * shape.block  # else it would read the same again and again
        if self.scratch.size < least:
            skip(
                f"needs a scratch file of {about_size(least)}, "
                f"this one has {about_size(self.scratch.size)}"
            )
        # No more than needed: what is spread over more memory falls out of the caches.
        spare = min(len(self.cpu.cpus), shape.depth) if shape.block < SMALL else 1
        room = max((shape.depth + spare) * shape.block, pool // shape.block * shape.block)
        memory = self.memory(pages, room, shift)
        fd = self.open(direct=True, write=shape.reads < 100)
        return Flow(fd, self.scratch.size, self.content, memory, self.engine, shape)

    def seating(self) -> Seating:
        """The CPUs of the host's threads."""
        return self.cpu.seating()

    def evict(self, size: int = 0) -> float:
        """Remove the file from the page cache; return the share of ``size`` bytes that stayed.

        The share of the whole file if ``size`` is 0.
        """
        with self.opened(direct=False) as fd:
            return evict(fd, size or self.scratch.size)

    def resident(self, size: int = 0) -> float:
        """Share of the file, or of its first ``size`` bytes, that is in the page cache."""
        with self.opened(direct=False) as fd:
            return resident_share(fd, size or self.scratch.size)

    def served(self, before: float, moved: int) -> str:
        """The share of direct reads that the page cache may have served, as text.

        The larger one of the share before the reads and of the share that the reads themselves
        left: a filesystem that cannot read directly falls back to the page cache instead of
        failing.

        Args:
            before: share of the file that `evict` left.
            moved: bytes that were read directly since.
        """
        size = self.scratch.size
        after = self.resident() * size / min(moved, size) if moved else 0.0
        return f"{100 * min(1.0, max(before, after)):.1f}%"

    def requests(self) -> tuple[int, int] | None:
        """See `storage_files.requests`; of the file's device."""
        return requests(self.scratch.device) if self.scratch.device else None

    def claim(self, case: str, size: int) -> None:
        """Reserve the bytes that ``case`` writes: ``size`` in every round.

        Raises:
            Skip: the disk budget does not allow it.
        """
        scratch = self.scratch
        if not self._ledger.claim(case, size * scratch.rounds, scratch.budget):
            left = max(0, self._ledger.left(scratch.budget))
            skip(
                f"writes {about_size(size)} in each of {counted(scratch.rounds, 'round')}, "
                f"{about_size(left)} are left of the disk budget (--disk-budget)"
            )

    def wrote(self, size: int) -> None:
        """Count ``size`` bytes as written."""
        self._ledger.wrote(size)

    def reclaim(self) -> None:
        """Does nothing: buffers are kept, as the host's are."""

    def close(self) -> None:
        """Free threads, memory and limits."""
        for name in {"engine", "plain_engine"} & set(vars(self)):
            getattr(self, name).close()
        self.cpu.close()
        if self._limits is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)
            self._limits = None
