"""`membench.gpu.link_protocol.Links` implemented by the emulator.

The emulated links provide host and managed memory, events and batch copies. Streams run in the
order that their events require. No time passes between two events: `between` only returns which
event came first.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emulator.device import Work, run_once
from emulator.faults import EmulationError
from emulator.memory import Allocation
from membench.core.errors import skip
from membench.gpu.link_protocol import MEMORY_KINDS, Lane, Multicast

if TYPE_CHECKING:
    from emulator.gpu import EmulatedGpu


@dataclass(eq=False)
class Moment:
    """An event. After the event, ``number`` is its position in the order of all events."""

    order: list[int] = field(default_factory=list)


class EmulatedLinks:
    """The links, the host memory and the managed memory of an `EmulatedGpu`.

    Args:
        gpus: number of GPUs.
        batches: whether the driver supports batch copies.

    Attributes:
        moved: calls of `prefetch` and `advise`, in order.
    """

    near: int | None = 0
    far: int | None = 1
    nodes_here = "0"

    def __init__(self, gpu: EmulatedGpu, *, gpus: int = 2, batches: bool = True) -> None:
        self._gpu = gpu
        self._gpus = gpus
        self._batches = batches
        self.batches: list[tuple[str, bool]] = []
        self._clock = 0
        self.moved: list[str] = []

    def under_load(self) -> dict[str, str]:
        return {}

    def memory(self, size: int, kind: str, node: int | None = None) -> Allocation:
        if kind not in MEMORY_KINDS:
            raise EmulationError(f"'{kind}' is no kind of memory")
        return self._known(size, f"{kind} memory")

    def mapped_file(self, fd: int, size: int) -> Allocation:
        made = self._known(size, "mapped file")
        made.array[:] = np.frombuffer(os.pread(fd, size, 0), np.uint8)
        return made

    @property
    def pair(self) -> tuple[int, int]:
        if self._gpus < 2:
            skip("needs 2 GPUs, but membench may use only 1")
        return 0, 1

    def peer(self, size: int) -> Allocation:
        assert self.pair
        return self._gpu._take(size, "memory of another GPU")

    def every_gpu(self, size: int, *, peers: bool = False) -> tuple[Lane, ...]:
        assert self.pair
        taken = (self._gpu._take(size, f"memory of GPU {gpu}") for gpu in range(self._gpus))
        return tuple(Lane(gpu, one, self._gpu.stream()) for gpu, one in enumerate(taken))

    def multicast(self, size: int) -> Multicast:
        assert self.pair
        each = tuple(
            self._gpu._take(size, f"multicast memory of GPU {gpu}") for gpu in range(self._gpus)
        )
        return Multicast(self._gpu.machine.memory.multicast(each), size, each)

    def free_bytes(self) -> int:
        return self._gpu.properties.memory_bytes // 2

    def prefetch(self, buffer: Any, *, to_host: bool = False) -> None:
        self.moved.append("prefetch to host" if to_host else "prefetch to device")

    def advise(self, buffer: Any, advice: str) -> None:
        self.moved.append(advice)

    def record(self, stream: Any = None) -> Moment:
        moment = Moment()

        def note() -> None:
            self._clock += 1
            moment.order.append(self._clock)

        self._gpu._queue(stream, lambda: run_once(note))
        return moment

    def follow(self, event: Any, stream: Any = None) -> None:
        def make() -> Work:
            return lambda _budget: bool(event.order)

        self._gpu._queue(stream, make)

    def happened(self, event: Any) -> bool:
        self._gpu._queues.drain()  # a device runs while the host queries the device
        return bool(event.order)

    def between(self, first: Any, last: Any) -> float:
        if not (first.order and last.order):
            raise EmulationError("an event is asked for before it has happened")
        return float(np.sign(last.order[0] - first.order[0]))

    def batch(
        self,
        targets: npt.NDArray[np.uint64],
        sources: npt.NDArray[np.uint64],
        sizes: npt.NDArray[np.uint64],
        order: str = "stream",
        *,
        overlap: bool = False,
    ) -> Callable[[], None]:
        if not self._batches:
            skip("the driver has no batch copy (cuMemcpyBatchAsync)")
        self.batches.append((order, overlap))
        copies = list(zip(targets.tolist(), sources.tolist(), sizes.tolist(), strict=True))

        def run() -> None:
            for target, source, size in reversed(copies):  # the order of the copies is undefined
                self._gpu.copy(target, source, size)

        return run

    @property
    def batch_version(self) -> str:
        return "13.0" if self._batches else ""

    def _known(self, size: int, what: str) -> Allocation:
        made = self._gpu._take(size, what)
        made.array[:] = 0
        self._gpu.machine.memory.mark(made.address, made.size)
        return made
