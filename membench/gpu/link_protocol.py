"""The interface to the links of a GPU: host memory, other GPUs, events in queues, batch copies.

The rules for benches in `membench.gpu.protocol` also apply to this interface.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from membench.gpu.protocol import Buffer, HostBuffer, Stream

MEMORY_KINDS = ("pinned", "wc", "pageable", "registered", "huge", "managed")
"""Kinds of host memory.

- ``pinned``: page-locked, allocated by the driver.
- ``wc``: page-locked and write-combined, allocated by the driver.
- ``pageable``: ordinary memory on pages of 4 KiB.
- ``registered``: ordinary memory on pages of 4 KiB that is page-locked afterwards.
- ``huge``: ordinary memory on huge pages that is page-locked afterwards.
- ``managed``: memory that migrates between host and GPU; initially on the host.
"""


class Event(Protocol):
    """A recorded point in a queue."""


@dataclass(frozen=True)
class Lane:
    """Memory and a queue on one GPU; ``gpu`` is the CUDA ordinal of the GPU in this process."""

    gpu: int
    memory: Buffer
    queue: Stream


@dataclass(frozen=True)
class Multicast:
    """Memory on several GPUs behind one address, provided by the NVLink switch.

    Attributes:
        address: address for multimem instructions only. A load returns the sum over all GPUs. A
            store writes to all GPUs.
        size: bytes per GPU.
        each: the memory of each GPU at its separate address; this GPU's memory is first.
    """

    address: int
    size: int
    each: tuple[Buffer, ...]


class Links(Protocol):
    """The links of one GPU. After the case, membench frees all memory that the bench allocated."""

    @property
    def near(self) -> int | None:
        """The host NUMA node next to the GPU; None if unknown."""
        ...

    @property
    def far(self) -> int | None:
        """The usable host NUMA node farthest from `near`; None if unknown or if there is none."""
        ...

    @property
    def nodes_here(self) -> str:
        """The NUMA nodes of this process's CPUs, as text for `detail`: ``0`` or ``0+1``."""
        ...

    def under_load(self) -> dict[str, str]:
        """The link's state while copies run, such as ``{"pcie": "gen5x16"}``; empty if unknown."""
        ...

    def memory(self, size: int, kind: str, node: int | None = None) -> HostBuffer:
        """Allocate ``size`` bytes of host memory and touch every page.

        Args:
            kind: one of `MEMORY_KINDS`.
            node: NUMA node of the pages, only for ``pageable``, ``registered`` and ``huge``.

        Raises:
            Skip: the pages cannot be bound to ``node``.
            ValueError: ``kind`` is not one of `MEMORY_KINDS`.
            MembenchError: there is not enough memory.
        """
        ...

    def mapped_file(self, fd: int, size: int) -> HostBuffer:
        """The first ``size`` bytes of the file ``fd`` as read-only memory. No page is touched.

        The caller may close ``fd`` immediately.
        """
        ...

    def peer(self, size: int) -> Buffer:
        """``size`` bytes on another GPU. Kernels and copies of this GPU access the memory directly.

        Raises:
            Skip: there is no other GPU, or this GPU cannot access another GPU directly.
        """
        ...

    def every_gpu(self, size: int, *, peers: bool = False) -> tuple[Lane, ...]:
        """``size`` bytes and a queue on every GPU that this process sees; this GPU is first.

        Args:
            peers: whether to enable direct copies between this GPU and every other GPU, and to
                leave out GPUs without direct access.

        Raises:
            Skip: there is no other GPU, or ``peers`` is True and no other GPU has direct access.
        """
        ...

    def multicast(self, size: int) -> Multicast:
        """``size`` bytes on every GPU that this process sees, with one common address.

        Raises:
            Skip: there is no other GPU, or the GPUs cannot provide multicast memory.
        """
        ...

    @property
    def pair(self) -> tuple[int, int]:
        """CUDA's ordinals, in this process, of this GPU and of the GPU that `peer` uses.

        Raises:
            Skip: `peer` would raise `Skip`.
        """
        ...

    def free_bytes(self) -> int:
        """Bytes of device memory that are not in use."""
        ...

    def prefetch(self, buffer: Buffer, *, to_host: bool = False) -> None:
        """Queue a migration of managed memory to the device, or to the host with ``to_host``."""
        ...

    def advise(self, buffer: Buffer, advice: str) -> None:
        """Advise the driver on managed memory.

        ``advice`` is ``read-mostly``, ``prefer-host``, or ``accessed-by`` (by the device).
        """
        ...

    def record(self, stream: Stream | None = None) -> Event:
        """Queue the recording of an event, by default into the measured queue."""
        ...

    def follow(self, event: Event, stream: Stream | None = None) -> None:
        """Make ``stream``, or by default the measured queue, wait for ``event``."""
        ...

    def happened(self, event: Event) -> bool:
        """Whether ``event`` has completed."""
        ...

    def between(self, first: Event, last: Event) -> float:
        """Nanoseconds from the event ``first`` to the event ``last``; both must have completed."""
        ...

    def batch(
        self,
        targets: npt.NDArray[np.uint64],
        sources: npt.NDArray[np.uint64],
        sizes: npt.NDArray[np.uint64],
        order: str = "stream",
        *,
        overlap: bool = False,
    ) -> Callable[[], None]:
        """A function that queues the copies ``sources[i] -> targets[i]`` as one batch copy.

        The copies go into the measured queue. ``sizes[i]`` is in bytes.

        Args:
            order: when the copy may read the sources. ``stream``: in queue order. ``any``: at any
                time; allowed only for host memory that no work in the queue writes.
            overlap: whether to ask the driver to copy without using SMs.

        Raises:
            Skip: the driver has no batch copy.
        """
        ...

    @property
    def batch_version(self) -> str:
        """CUDA version of the batch copy, ``13.0`` or ``12.8``; empty if there is no batch copy."""
        ...


def link_detail(links: Links) -> dict[str, str]:
    """Entries for `detail`: NUMA nodes of the process and the GPU, and the state of the link."""
    where = {"numa_node": links.nodes_here}
    if links.near is not None:
        where["gpu_node"] = str(links.near)
    return where | links.under_load()


def link_flags(links: Links) -> tuple[str, ...]:
    """The flag ``unpinned-numa`` if the process may run on NUMA nodes other than the GPU's node.

    If the GPU's node is unknown, there is no flag.
    """
    known = links.near is not None
    return ("unpinned-numa",) if known and links.nodes_here != str(links.near) else ()
