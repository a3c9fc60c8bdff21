"""The interface to the links of a GPU: other memory, events in queues, batch copies.

It is a part of the interface `membench.gpu.protocol.Gpu`, with the same rules.
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

The driver allocates ``pinned`` and ``wc`` (write-combined). ``pageable`` is ordinary memory on
pages of 4 KiB. ``registered`` is such memory that is page-locked afterwards; ``huge`` is the same
on huge pages. ``managed`` memory migrates and is initially on the host.
"""


class Event(Protocol):
    """A recorded point in a queue."""


@dataclass(frozen=True)
class Lane:
    """Memory and a queue on one GPU; ``gpu`` is its CUDA ordinal in this process."""

    gpu: int
    memory: Buffer
    queue: Stream


@dataclass(frozen=True)
class Multicast:
    """Memory on several GPUs behind one address, provided by the NVLink switch.

    Attributes:
        address: for multimem instructions only: a load returns the sum over all GPUs, a store
            writes to all GPUs.
        size: bytes per GPU.
        each: the memory of each GPU at its separate address, this GPU's first.
    """

    address: int
    size: int
    each: tuple[Buffer, ...]


class Links(Protocol):
    """The links of one GPU. Allocations made here are freed when the GPU's allocations are."""

    @property
    def near(self) -> int | None:
        """The host NUMA node that the GPU is attached to; None if unknown."""
        ...

    @property
    def far(self) -> int | None:
        """The host NUMA node that is farthest from the GPU; None if there is only one node."""
        ...

    @property
    def nodes_here(self) -> str:
        """The nodes whose CPUs this process may use, as text for `detail`: ``0`` or ``0+1``."""
        ...

    def under_load(self) -> dict[str, str]:
        """The link's state while copies run, such as ``{"pcie": "gen5x16"}``; empty if unknown."""
        ...

    def memory(self, size: int, kind: str, node: int | None = None) -> HostBuffer:
        """``size`` bytes of host memory, with every page touched.

        Args:
            kind: one of `MEMORY_KINDS`.
            node: NUMA node of the pages; only for ``registered`` and ``huge``.

        Raises:
            Skip: this machine has no memory of that kind.
        """
        ...

    def mapped_file(self, fd: int, size: int) -> HostBuffer:
        """The first ``size`` bytes of a file as read-only memory; no page is touched.

        ``array`` of the result is read-only. The descriptor may be closed at once.
        """
        ...

    def peer(self, size: int) -> Buffer:
        """``size`` bytes on another GPU that kernels and copies of this GPU access directly.

        Raises:
            Skip: there is no other GPU, or no direct access to it.
        """
        ...

    def every_gpu(self, size: int, *, peers: bool = False) -> tuple[Lane, ...]:
        """``size`` bytes and a queue on every GPU that this process sees, this GPU first.

        Args:
            peers: enable direct copies between this GPU and the others, and leave out GPUs without
                direct access.

        Raises:
            Skip: there is no other GPU.
        """
        ...

    def multicast(self, size: int) -> Multicast:
        """``size`` bytes on every GPU that this process sees, with one common address.

        Raises:
            Skip: there is no other GPU, or no NVLink switch with multicast.
        """
        ...

    @property
    def pair(self) -> tuple[int, int]:
        """CUDA's ordinals, in this process, of this GPU and of the GPU that `peer` uses.

        Raises:
            Skip: under the conditions of `peer`.
        """
        ...

    def free_bytes(self) -> int:
        """Free device memory in bytes."""
        ...

    def prefetch(self, buffer: Buffer, *, to_host: bool = False) -> None:
        """Queue a move of managed memory to the device, or to the host."""
        ...

    def advise(self, buffer: Buffer, advice: str) -> None:
        """Advise the driver on managed memory.

        The advice is ``read-mostly``, ``prefer-host`` or ``accessed-by`` (the device).
        """
        ...

    def record(self, stream: Stream | None = None) -> Event:
        """Queue the recording of an event; in the measured queue unless a stream is given."""
        ...

    def follow(self, event: Event, stream: Stream | None = None) -> None:
        """Queue a wait for ``event``."""
        ...

    def happened(self, event: Event) -> bool:
        """Whether ``event`` has completed."""
        ...

    def between(self, first: Event, last: Event) -> float:
        """Nanoseconds from one event to another; both must have completed."""
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
        """A function that queues all these copies as one batch copy in the measured queue.

        Args:
            order: when the sources may be read: ``stream`` (in queue order), or ``any`` (at any
                time), for host memory that nothing in the queue writes.
            overlap: ask the driver to copy without using SMs.

        Raises:
            Skip: the driver has no batch copy.
        """
        ...

    @property
    def batch_version(self) -> str:
        """CUDA version of the batch copy's signature: ``13.0`` or ``12.8``; empty if missing."""
        ...


def link_detail(links: Links) -> dict[str, str]:
    """The NUMA nodes of the process and of its GPU, for the `detail` of rows about links."""
    where = {"numa_node": links.nodes_here}
    if links.near is not None:
        where["gpu_node"] = str(links.near)
    return where | links.under_load()


def link_flags(links: Links) -> tuple[str, ...]:
    """The flag ``unpinned-numa`` if the process may run on a node other than its GPU's."""
    known = links.near is not None
    return ("unpinned-numa",) if known and links.nodes_here != str(links.near) else ()
