"""An implementation of the interface `membench.gpu.link_protocol.Links` with CuPy."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import cupy
import numpy as np
import numpy.typing as npt

from membench.core.errors import BackendUnavailable, skip
from membench.core.snapshot import Machine, NodeKind
from membench.core.units import MIB, about_size
from membench.gpu.cuda.batch_copy import BatchCopy, find_batch_copy
from membench.gpu.cuda.driver import open_driver
from membench.gpu.cuda.errors import check, explained
from membench.gpu.cuda.managed import ManagedMemory
from membench.gpu.cuda.memory import HOST_FLAGS, give_back, host_memory
from membench.gpu.cuda.multicast import multicast_memory
from membench.gpu.link_protocol import MEMORY_KINDS, Lane, Multicast
from membench.host.memory.arena import map_pages
from membench.machine.gpus.links import pcie_now, peer_access

if TYPE_CHECKING:
    from membench.gpu.protocol import Buffer, Stream

PAGE = 4096
LOAD_BYTES = 64 * MIB
LOAD_COPIES = 16
"""Number of copies that run while membench reads the state of the PCI Express link.

The copies take about 20 ms on PCI Express 5.0. The traffic ends the power-saving state of the link.
"""

_REGISTER = 3  # cudaHostRegisterPortable | cudaHostRegisterMapped
_ALREADY_OPEN = 704  # cudaErrorPeerAccessAlreadyEnabled


@dataclass(frozen=True)
class LinkMemory:
    """An allocation for transfers over the links. ``free`` releases it."""

    address: int
    size: int
    free: Callable[[], None]
    keep: object = None

    @cached_property
    def array(self) -> npt.NDArray[np.uint8]:
        if isinstance(self.keep, np.ndarray):
            return self.keep
        return np.ctypeslib.as_array((ctypes.c_uint8 * self.size).from_address(self.address))


class CudaLinks:
    """The links of one GPU: host memory, other GPUs, events, batch copies.

    Args:
        uuid: hash of the GPU's UUID, as in the snapshot.
        ordinal: CUDA's ordinal of the GPU.
        queue: the measured stream.
    """

    def __init__(self, machine: Machine, uuid: str, ordinal: int, queue: Any) -> None:
        self._machine = machine
        self._uuid = uuid
        self._ordinal = ordinal
        self._queue = queue
        self._given: list[LinkMemory] = []

    # Placement.

    @property
    def near(self) -> int | None:
        return next((one.node for one in self._machine.links if one.uuid == self._uuid), None)

    @property
    def far(self) -> int | None:
        memory, near = self._machine.memory, self.near
        if near is None:
            return None
        others = [
            (memory.distance(near, node.node) or 0, node.node)
            for node in memory.grantable
            if node.kind is NodeKind.HOST and node.node != near
        ]
        return max(others, default=(0, None))[1]

    @property
    def nodes_here(self) -> str:
        mask = os.sched_getaffinity(0)
        found = {one.node for one in self._machine.memory.nodes if mask & set(one.cpus)}
        return "+".join(str(node) for node in sorted(found))

    def under_load(self) -> dict[str, str]:
        return dict(self._pcie)

    @cached_property
    def _pcie(self) -> dict[str, str]:
        host = self.memory(LOAD_BYTES, "pinned")
        device = cupy.cuda.runtime.malloc(LOAD_BYTES)
        try:
            for _ in range(LOAD_COPIES):
                cupy.cuda.runtime.memcpyAsync(
                    device,
                    host.address,
                    LOAD_BYTES,
                    cupy.cuda.runtime.memcpyDefault,
                    self._queue.ptr,
                )
            shown = pcie_now(self._uuid)
            self._queue.synchronize()
        finally:
            cupy.cuda.runtime.free(device)
        return {"pcie": shown} if shown else {}

    # Memory.

    def memory(self, size: int, kind: str, node: int | None = None) -> LinkMemory:
        if kind not in MEMORY_KINDS:
            raise ValueError(
                f"'{kind}' is not a kind of host memory; the kinds are {', '.join(MEMORY_KINDS)}"
            )
        with explained(f"{about_size(size)} of host memory ({kind}) cannot be allocated"):
            if kind in HOST_FLAGS:
                locked = host_memory(size, kind)
                return self._keep(LinkMemory(locked.address, size, lambda: give_back(locked)))
            if kind == "managed":
                address = cupy.cuda.runtime.mallocManaged(size)
                made = self._keep(
                    LinkMemory(address, size, lambda: cupy.cuda.runtime.free(address))
                )
                made.array[::PAGE] = 0
                return made
            pages = map_pages(size, "thp" if kind == "huge" else "4k", node)
            pages[::PAGE] = 0
            address = int(pages.ctypes.data)
            if kind == "pageable":
                return self._keep(LinkMemory(address, size, lambda: None, pages))
            cupy.cuda.runtime.hostRegister(address, size, _REGISTER)
            return self._keep(
                LinkMemory(address, size, lambda: cupy.cuda.runtime.hostUnregister(address), pages)
            )

    def mapped_file(self, fd: int, size: int) -> LinkMemory:
        mapping = mmap.mmap(fd, size, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
        array = np.frombuffer(mapping, np.uint8)
        return self._keep(LinkMemory(int(array.ctypes.data), size, lambda: None, array))

    def peer(self, size: int) -> LinkMemory:
        _, other = self.pair
        with explained(f"{about_size(size)} cannot be allocated on GPU {other}"):
            self._open_peer(other)
            cupy.cuda.runtime.setDevice(other)
            try:
                address = cupy.cuda.runtime.malloc(size)
            finally:
                cupy.cuda.runtime.setDevice(self._ordinal)
        return self._keep(LinkMemory(address, size, lambda: cupy.cuda.runtime.free(address)))

    def every_gpu(self, size: int, *, peers: bool = False) -> tuple[Lane, ...]:
        others = self._others()
        if peers:
            assert self.pair  # raises if there is no other GPU with direct access
            others = [one for one in others if self._open_both_ways(one)]
        return tuple(self._lane(size, gpu) for gpu in (self._ordinal, *others))

    def _others(self) -> list[int]:
        count = cupy.cuda.runtime.getDeviceCount()
        if count < 2:
            skip("needs 2 GPUs, but membench may use only 1")
        return [one for one in range(count) if one != self._ordinal]

    def _open_both_ways(self, other: int) -> bool:
        """Enable direct access to and from GPU ``other``; False if a direction is impossible."""
        ask = cupy.cuda.runtime.deviceCanAccessPeer
        if not (ask(self._ordinal, other) and ask(other, self._ordinal)):
            return False
        with explained(f"direct access to GPU {other} failed"):
            self._open_peer(other)
            with cupy.cuda.Device(other):
                self._open_peer(self._ordinal)
        return True

    def multicast(self, size: int) -> Multicast:
        gpus = (self._ordinal, *self._others())
        try:
            made = multicast_memory(open_driver(), gpus, size)
        except BackendUnavailable as missing:
            skip(str(missing))
        self._keep(LinkMemory(made.address, size, made.free))
        return Multicast(
            made.address, size, tuple(LinkMemory(one, size, lambda: None) for one in made.each)
        )

    def _lane(self, size: int, gpu: int) -> Lane:
        with (
            explained(f"{about_size(size)} cannot be allocated on GPU {gpu}"),
            cupy.cuda.Device(gpu),
        ):
            address = cupy.cuda.runtime.malloc(size)
            memory = LinkMemory(address, size, lambda: cupy.cuda.runtime.free(address))
            return Lane(gpu, self._keep(memory), cupy.cuda.Stream(non_blocking=True))

    @property
    def pair(self) -> tuple[int, int]:
        reached = cupy.cuda.runtime.deviceCanAccessPeer
        other = next((one for one in self._others() if reached(self._ordinal, one)), -1)
        if other < 0:
            devices = self._machine.gpus.devices
            found = (peer_access(self._uuid, one.uuid) for one in devices if one.uuid != self._uuid)
            reason = next((f": {said}" for said in found if said not in ("", "ok")), "")
            skip(f"needs another GPU with direct access (peer access){reason}")
        return self._ordinal, other

    @staticmethod
    def _open_peer(other: int) -> None:
        try:
            cupy.cuda.runtime.deviceEnablePeerAccess(other)
        except cupy.cuda.runtime.CUDARuntimeError as error:
            if error.status != _ALREADY_OPEN:
                raise

    def free_bytes(self) -> int:
        return int(cupy.cuda.runtime.memGetInfo()[0])

    def prefetch(self, buffer: Buffer, *, to_host: bool = False) -> None:
        queue = self._queue.ptr
        with explained("managed memory cannot be prefetched"):
            check(self._managed.prefetch(buffer.address, buffer.size, queue, to_host=to_host))

    def advise(self, buffer: Buffer, advice: str) -> None:
        with explained(f"the driver rejected the advice {advice} for managed memory"):
            check(self._managed.advise(buffer.address, buffer.size, advice))

    @cached_property
    def _managed(self) -> ManagedMemory:
        return ManagedMemory(self._ordinal)

    # Events.

    def record(self, stream: Stream | None = None) -> Any:
        queue: Any = stream or self._queue
        # another device may be the current device of this thread
        with cupy.cuda.Device(queue.device_id):
            event = cupy.cuda.Event()
        event.record(queue)
        return event

    def follow(self, event: Any, stream: Stream | None = None) -> None:
        queue: Any = stream or self._queue
        queue.wait_event(event)

    @staticmethod
    def happened(event: Any) -> bool:
        return bool(event.done)

    @staticmethod
    def between(first: Any, last: Any) -> float:
        with explained("the times of the CUDA events cannot be read"):
            return float(cupy.cuda.get_elapsed_time(first, last)) * 1e6

    # Batch copies.

    def batch(
        self,
        targets: npt.NDArray[np.uint64],
        sources: npt.NDArray[np.uint64],
        sizes: npt.NDArray[np.uint64],
        order: str = "stream",
        *,
        overlap: bool = False,
    ) -> Callable[[], None]:
        found = self._batch_copy
        if isinstance(found, str):
            skip(found)
        run = found.prepare(targets, sources, sizes, order, overlap=overlap)
        return lambda: run(self._queue.ptr)

    @property
    def batch_version(self) -> str:
        found = self._batch_copy
        return (
            ""
            if isinstance(found, str)
            else f"{found.version // 1000}.{found.version % 1000 // 10}"
        )

    @cached_property
    def _batch_copy(self) -> BatchCopy | str:
        try:
            return find_batch_copy()
        except BackendUnavailable as missing:
            return str(missing)

    # Helpers.

    def _keep(self, memory: LinkMemory) -> LinkMemory:
        self._given.append(memory)
        return memory

    def reclaim(self) -> None:
        """Free all memory of the last case. The queues of the case must be empty."""
        while self._given:
            with explained("memory of the case cannot be freed"):
                self._given.pop().free()
