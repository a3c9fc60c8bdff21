"""The interface to the links around a GPU: other memory, events in queues, batch copies.

A part of the interface `membench.gpu.protocol.Gpu`, with the same rules.
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

``pinned`` and ``wc`` (write-combined) are the driver's; ``pageable`` is ordinary memory on pages of
4 KiB; ``registered`` is the same, page-locked afterwards, and ``huge`` on huge pages; ``managed``
migrates, and is on the host at first.
"""


class Event(Protocol):
    """A recorded point in a queue."""


@dataclass(frozen=True)
class Lane:
    """Memory and a queue of one GPU, which is named by CUDA's ordinal in this process."""

    gpu: int
    memory: Buffer
    queue: Stream


@dataclass(frozen=True)
class Multicast:
    """Memory of several GPUs behind one address, by NVLink's switch.

    Attributes:
        address: for multimem instructions only: a load returns the sum over all, a store goes to
            all.
        size: bytes of each.
        each: the memory of every GPU, this one's first, at addresses of its own.
    """

    address: int
    size: int
    each: tuple[Buffer, ...]


class Links(Protocol):
    """The links of one GPU. Its allocations are freed together with the GPU's own."""

    @property
    def near(self) -> int | None:
        """The host's NUMA node that the GPU is attached to; None if unknown."""
        ...

    @property
    def far(self) -> int | None:
        """The node that is farthest from it; None if there is only one."""
        ...

    @property
    def nodes_here(self) -> str:
        """The nodes whose CPUs this process may use, in the form of `detail`: ``0`` or ``0+1``."""
        ...

    def under_load(self) -> dict[str, str]:
        """The link's state while copies run: ``{"pcie": "gen5x16"}``; empty if unknown."""
        ...

    def memory(self, size: int, kind: str, node: int | None = None) -> HostBuffer:
        """``size`` bytes of host memory, every page touched.

        Args:
            kind: one of `MEMORY_KINDS`.
            node: NUMA node of its pages; only for ``registered`` and ``huge``.

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
        """Memory of another GPU that this one's kernels and copies reach directly.

        Raises:
            Skip: there is no other GPU, or no direct way to it.
        """
        ...

    def every_gpu(self, size: int, *, peers: bool = False) -> tuple[Lane, ...]:
        """``size`` bytes and a queue on every GPU that this process sees, this one's first.

        Args:
            peers: copies go directly between this GPU and the others; GPUs that it cannot reach are
                left out.

        Raises:
            Skip: there is no other GPU.
        """
        ...

    def multicast(self, size: int) -> Multicast:
        """``size`` bytes on every GPU that this process sees, with one address for all of them.

        Raises:
            Skip: there is no other GPU, or no NVLink switch with multicast.
        """
        ...

    @property
    def pair(self) -> tuple[int, int]:
        """This GPU and that of `peer`, as CUDA's ordinals in this process.

        Raises:
            Skip: as `peer`.
        """
        ...

    def free_bytes(self) -> int:
        """Bytes of device memory that are free now."""
        ...

    def prefetch(self, buffer: Buffer, *, to_host: bool = False) -> None:
        """Queue: move managed memory to the device, or to the host."""
        ...

    def advise(self, buffer: Buffer, advice: str) -> None:
        """``read-mostly``, ``prefer-host`` or ``accessed-by`` (the device) for managed memory."""
        ...

    def record(self, stream: Stream | None = None) -> Event:
        """Queue: record an event; in the measured queue unless a stream is given."""
        ...

    def follow(self, event: Event, stream: Stream | None = None) -> None:
        """Queue: wait for ``event``."""
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
        """All these copies as one call of the driver's batch copy, in the measured queue.

        Args:
            order: when the sources may be read: ``stream``, or ``any`` time, for host memory that
                nothing in the queue writes.
            overlap: ask the driver to leave the SMs to kernels.

        Raises:
            Skip: the driver has no batch copy.
        """
        ...

    @property
    def batch_version(self) -> str:
        """Signature of the batch copy: ``13.0`` or ``12.8``; empty if there is none."""
        ...


def link_detail(links: Links) -> dict[str, str]:
    """The nodes of the process and its GPU, for the `detail` of every row of a link."""
    where = {"numa_node": links.nodes_here}
    if links.near is not None:
        where["gpu_node"] = str(links.near)
    return where | links.under_load()


def link_flags(links: Links) -> tuple[str, ...]:
    """``unpinned-numa`` if the process may run on another node than its GPU's."""
    known = links.near is not None
    return ("unpinned-numa",) if known and links.nodes_here != str(links.near) else ()
