"""The backend for host memory: it pins threads and allocates memory with a chosen kind of page."""

from __future__ import annotations

import hashlib
import mmap
import os
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from membench.core.backend import Device, Seating
from membench.core.errors import skip
from membench.core.sizes.placement import placement
from membench.core.snapshot import Machine
from membench.core.text import counted
from membench.host.compiled.shared_block import COUNTER
from membench.host.memory.arena import Arenas, Bytes
from membench.host.memory.streams import Streams
from membench.host.memory.thread_pool import Job, ThreadPool

LINE = 64


class CpuBackend:
    """The CPUs and the main memory of this machine.

    ``MEMBENCH_ENGINE=numpy`` in the environment turns compilation off.

    Attributes:
        resolution_ns: smallest step of the clock that this process can see.
        cpus: CPU numbers of the threads, in the order of use.
        span_ns: nanoseconds from the first thread's start to the last thread's end in the last
            launch; 0 if the threads did not read the clock.
    """

    timer = "clock_monotonic"

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.cpus = placement(machine)
        self.resolution_ns = _resolution_ns()
        self._limit = machine.memory.budget
        self._team = ThreadPool(self.cpus)
        self._arenas = Arenas(self._limit, max(1, len(machine.memory.nodes)))
        self._launched: set[int] = set()
        self.span_ns = 0

    @cached_property
    def kernel_digest(self) -> str:
        """Hex SHA-256 digest of the sources of all code that is timed or creates the data."""
        here = Path(__file__).parents[1]
        digest = hashlib.sha256()
        for path in sorted(
            (
                *here.glob("compiled/*.py"),
                *here.glob("memory/*_kernels.py"),
                *here.glob("memory/*_streams.py"),
            )
        ):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
        return digest.hexdigest()

    @cached_property
    def compiles(self) -> bool:
        """Whether Numba is installed and compilation is not turned off."""
        return os.environ.get("MEMBENCH_ENGINE") != "numpy" and find_spec("numba") is not None

    @cached_property
    def streams(self) -> Streams:
        if self.compiles:
            from membench.host.memory.numba_streams import NumbaStreams

            return NumbaStreams()
        from membench.host.memory.numpy_streams import NumpyStreams

        return NumpyStreams()

    @property
    def line_bytes(self) -> int:
        """Size in bytes of the largest cache line of any cache; 64 if unknown."""
        return max((cache.line for cache in self.machine.cpu.caches), default=LINE) or LINE

    def describe(self) -> Device:
        return Device("cpu", self.machine.cpu.model or platform.machine())

    def threads(self, wanted: int | str) -> int:
        """The number of threads for ``wanted`` (a number, or ``all``) on this machine.

        Raises:
            Skip: ``wanted`` is more than the number of usable CPUs.
        """
        count = len(self.cpus) if wanted == "all" else int(wanted)
        if count > len(self.cpus):
            skip(f"needs {counted(count, 'CPU')}, but membench may use only {len(self.cpus)}")
        return count

    def arrays(self, pages: str, sizes: Sequence[int], threads: int = 1) -> list[Bytes]:
        """Arrays of ``sizes`` bytes, possibly with old data.

        The next call for the same ``pages`` may reuse the memory. Each thread should be the first
        thread that touches its share of the arrays.

        Args:
            pages: ``thp`` asks for huge pages, ``4k`` forbids them.
            threads: number of threads of the case that uses the arrays.

        Raises:
            Skip: ``pages`` is ``4k``, but this kernel has larger pages.
            MembenchError: the run may not use so much memory, or the system does not provide it.
        """
        if pages == "4k" and mmap.PAGESIZE != 4096:
            skip(f"needs pages of 4 KiB, but this kernel has pages of {mmap.PAGESIZE // 1024} KiB")
        return self._arenas.take(pages, sizes, (tuple(sizes), threads))

    def touch(self, memory: Bytes, threads: int) -> None:
        """Write to every page of ``memory``, with ``helpers(threads)`` threads."""
        cuts = np.linspace(0, memory.size, self.helpers(threads) + 1).astype(np.int64)
        cuts[1:-1] -= cuts[1:-1] % mmap.PAGESIZE

        def write(helper: int) -> None:
            memory[cuts[helper] : cuts[helper + 1] : mmap.PAGESIZE] = 0

        self.each(self.helpers(threads), write)

    @property
    def contents(self) -> list[object]:
        """The content of each array of the last `arrays` call, as an earlier `vouch` recorded it.

        An entry is None if the content is unknown.
        """
        return self._arenas.contents

    def vouch(self, pages: str, contents: Sequence[object]) -> None:
        """Record the contents after a successful verification; see `Arenas.vouch`."""
        self._arenas.vouch(pages, contents)

    def helpers(self, threads: int) -> int:
        """The number of threads that fill and check the arrays of a case with ``threads`` threads.

        With several NUMA nodes, only the timed threads fill and check, so that each page is on the
        node of the timed thread that uses the page.
        """
        return threads if len(self.machine.memory.nodes) > 1 else len(self.cpus)

    def huge_share(self, pages: str) -> str:
        """Share of the touched memory of kind ``pages`` that is on huge pages, such as ``100%``."""
        return self._arenas.huge_share(pages)

    def launch(self, jobs: Sequence[Job], threads: Sequence[int] | None = None) -> list[Any]:
        """Run one job per thread, all at once, and return the results. Set `span_ns`.

        Args:
            threads: indices in ``cpus`` of the threads to use; by default the first threads.
        """
        self._launched.update(range(len(jobs)) if threads is None else threads)
        results = self._team.run(jobs, threads)
        self.span_ns = self._team.span_ns(len(jobs))
        return results

    def each(self, threads: int | Sequence[int], job: Callable[[int], Any]) -> list[Any]:
        """Run ``job(index)`` on each thread in parallel without timing, and return the results.

        Args:
            threads: number of threads, or indices in ``cpus`` of the threads.
            job: function of the thread's position, 0, 1, 2, ..., among the threads of this call.
        """
        which = range(threads) if isinstance(threads, int) else threads
        return self._team.run([lambda slot: job(slot.index)] * len(which), which)

    def seating(self) -> Seating:
        """The kinds of core that ran threads since `reclaim`, or why a thread was not pinned."""
        refused = self.unpinned(sorted(self._launched))
        if refused:
            return Seating({"unpinned": refused}, ("unpinned",))
        kinds = {core.cpu: core.kind for core in self.machine.cpu.cores}
        used = {kinds.get(self.cpus[thread], 0) for thread in self._launched}
        if len(set(kinds.values())) < 2 or not used:
            return Seating()
        names = (f"slower-{kind}" if kind else "fastest" for kind in sorted(used))
        return Seating({"cores": "+".join(names)})

    def unpinned(self, threads: Iterable[int]) -> str:
        """Why one of ``threads`` (indices in ``cpus``) is not pinned; empty if all are pinned.

        A thread that has not run yet counts as pinned.
        """
        return self._team.unpinned(threads)

    def moved(self, slot: int) -> int:
        """Bytes that the traffic generator on thread ``slot`` counted in the last launch."""
        return self._team.field(slot, COUNTER)

    def elapsed_ns(self, run: Callable[[int], None], iterations: int) -> float:
        """Call ``run(iterations)``, and return `span_ns` of its last launch."""
        self.span_ns = 0
        run(iterations)
        return float(self.span_ns)

    def reclaim(self) -> None:
        """Make `seating` ignore the threads that ran before this call. Keep the touched memory."""
        self._launched.clear()

    def close(self) -> None:
        self._team.close()
        self._arenas.clear()


def _resolution_ns() -> float:
    stamps = np.fromiter((time.monotonic_ns() for _ in range(2000)), np.int64)
    steps = np.diff(stamps)
    steps = steps[steps > 0]
    return float(steps.min()) if steps.size else 1.0
