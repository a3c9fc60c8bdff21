"""The emulator as an implementation of `membench.gpu.protocol.Gpu`.

The emulator executes kernels and counts their events. The emulator has no clock: a request for a
duration raises an error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from asking_gpu import H100

from emulator.counters import Counts
from emulator.device import Loaded, Queues, Work, prepare, run_once
from emulator.faults import EmulationError, OutOfBounds
from emulator.handles import EmulatedKernel, EmulatedStream, Event, Ran
from emulator.launching import Launch
from emulator.library import product
from emulator.links import EmulatedLinks
from emulator.machine import Machine
from emulator.memory import Allocation, raw_bytes
from emulator.occupancy import blocks_per_sm
from membench.core.backend import Device, Edge, Stamps
from membench.core.errors import MembenchError, skip
from membench.gpu.cuda.compile import Image, compile_source
from membench.gpu.protocol import Argument, Buffer, Kernel, KernelVariant, Properties, Stream


def small(sms: int = 4, arch: str = "90", **others: Any) -> Properties:
    """Properties of a GPU with few SMs, so that tests need only small grids."""
    return replace(H100, name=f"emulated sm_{arch}, {sms} SMs", sms=sms, arch=arch, **others)


_MEASURED = EmulatedStream(0, urgent=False)


class EmulatedGpu:
    """A `Gpu` that executes PTX on the CPU.

    Args:
        properties: properties of the emulated device.
        races, unwritten: whether to refuse races in shared memory, and reads of unwritten global
            memory.
        gpcs: number of SMs of each GPC (GPU processing cluster); by default, one GPC has all SMs.
        fuel: maximum number of steps of a launch.
        between: function that is called between slices of work during a wait; plays the host.
        compile_: function that compiles a variant; by default from ``kernels/``.

    Attributes:
        log: the requests to the GPU, in order.
        ran: the completed launches, in order.
        counts: sums of the counts for each entry.
        links: the links of the GPU.
    """

    timer = "none"
    resolution_ns = float("nan")
    kernel_digest = "emulated"

    def __init__(
        self,
        properties: Properties | None = None,
        *,
        races: bool = True,
        unwritten: bool = True,
        gpcs: tuple[int, ...] = (),
        fuel: int = 1_000_000,
        between: Callable[[], None] | None = None,
        compile_: Callable[[str, tuple[str, ...], str], Image] = compile_source,
    ) -> None:
        self._properties = properties or small()
        self.machine = Machine(
            sms=self._properties.sms,
            gpcs=gpcs,
            resident=self._properties.threads_per_sm,
            shared_per_block=self._properties.shared_per_block,
            races=races,
            unwritten=unwritten,
        )
        self.log: list[Event] = []
        self.ran: list[Ran] = []
        self.counts: dict[str, Counts] = {}
        self._fuel = fuel
        self._compile = compile_
        self._modules: dict[KernelVariant, Loaded] = {}
        self._queues = Queues()
        self._queues.between = between
        self._streams = 1
        self._given: list[Allocation] = []
        self.links = EmulatedLinks(self)
        self._recording: list[tuple[int, Callable[[], Work]]] | None = None

    # -- Backend -----------------------------------------------------------------------------

    def describe(self) -> Device:
        """The device description; no results file has rows of the backend "emulated"."""
        return Device(backend="emulated", name=self._properties.name)

    def reclaim(self) -> None:
        """Finish all queued work, and free all buffers that the case allocated."""
        self.synchronize()
        for buffer in self._given:
            self.machine.memory.free(buffer)
        self._given.clear()
        self._note("reclaim")

    def close(self) -> None:
        """Free all buffers and modules. A second call does nothing."""
        self.reclaim()
        self._modules.clear()

    # -- DeviceBackend -----------------------------------------------------------------------

    def flush(self) -> None:
        """Log the request; the emulator has no cache to flush."""
        self._note("flush")

    def synchronize(self) -> None:
        """Execute all queued work of all streams."""
        self._note("synchronize")
        self._queues.drain()
        self.machine.memory.settle()

    def block(self) -> None:
        """Log the request; the emulator executes work only in a wait."""
        self._note("block")

    def release(self) -> None:
        """Log the request."""
        self._note("release")

    def probe(self, edge: Edge) -> None:
        """Log the request."""
        self._note("probe", edge.name.lower())

    def mark(self, edge: Edge) -> None:
        """Log the request."""
        self._note("mark", edge.name.lower())

    def idle(self) -> None:
        """Log the request."""
        self._note("idle")

    def stamps(self) -> Stamps:
        """Raise an error, because the emulator has no time stamps.

        Raises:
            EmulationError: always.
        """
        raise EmulationError("an emulator has no clock")

    # -- Gpu ---------------------------------------------------------------------------------

    @property
    def properties(self) -> Properties:
        return self._properties

    def allocate(self, size: int) -> Allocation:
        """Allocate ``size`` bytes of device memory, filled with poison.

        An unused gap follows the buffer.
        """
        self._note("allocate", str(size))
        return self._take(size, "device buffer")

    def host(self, size: int, kind: str = "pinned") -> Allocation:
        """Allocate ``size`` bytes of host memory. Host and device use the same address."""
        if kind not in ("pinned", "wc"):
            raise MembenchError(f"'{kind}' is not a kind of host memory: pinned, wc")
        self._note("host", f"{kind} {size}")
        made = self._take(size, f"{kind} buffer")
        # The host writes through its own array, which is not checked.
        made.array[:] = 0
        self.machine.memory.mark(made.address, made.size)
        return made

    def _take(self, size: int, what: str) -> Allocation:
        made = self.machine.memory.allocate(size, f"{what} {len(self._given)}")
        self._given.append(made)
        return made

    def upload(self, target: Buffer, data: npt.NDArray[Any], offset: int = 0) -> None:
        """Execute all queued work, then copy ``data`` to byte ``offset`` of ``target``."""
        self.synchronize()
        raw = raw_bytes(data)
        self._bytes(target, offset, raw.size, "upload")[:] = raw
        self.machine.memory.mark(target.address + offset, raw.size)
        self._note("upload", str(raw.size))

    def download(
        self, source: Buffer, dtype: npt.DTypeLike, count: int, offset: int = 0
    ) -> npt.NDArray[Any]:
        """Execute all queued work, then copy ``count`` elements from ``source``."""
        self.synchronize()
        size = count * np.dtype(dtype).itemsize
        self._note("download", str(size))
        return self._bytes(source, offset, size, "download").copy().view(dtype)

    def _bytes(self, buffer: Buffer, offset: int, size: int, what: str) -> npt.NDArray[np.uint8]:
        if offset < 0 or offset + size > buffer.size:
            raise OutOfBounds(
                f"{what} of {size} bytes at byte {offset} of a buffer of {buffer.size} bytes"
            )
        if not size:
            return np.empty(0, np.uint8)
        return self.machine.memory.span(buffer.address + offset, size, what)

    def fill(self, target: Buffer, byte: int, stream: Stream | None = None) -> None:
        memory = self.machine.memory

        def fill() -> None:
            memory.span(target.address, target.size, "fill")[:] = byte
            memory.mark(target.address, target.size)

        self._queue(stream, lambda: run_once(fill))
        self._note("fill", str(target.size))

    def copy(self, target: int, source: int, size: int, stream: Stream | None = None) -> None:
        """Queue a copy of ``size`` bytes. Source and target must each lie within one buffer."""
        memory = self.machine.memory
        memory.span(source, size, "source of a copy")
        memory.span(target, size, "target of a copy")

        def copy() -> None:
            memory.span(target, size, "copy")[:] = memory.span(source, size, "copy").copy()
            memory.mark_as(target, source, size)

        self._queue(stream, lambda: run_once(copy))
        self._note("copy", str(size))

    def kernel(self, variant: KernelVariant, entry: str) -> EmulatedKernel:
        """Compile ``variant`` at first use, and decode ``entry``."""
        image = self._compile(variant.file, variant.options, self._properties.arch)
        if variant not in self._modules:
            self._modules[variant] = Loaded(self.machine, image.ptx)
        module = self._modules[variant]
        if entry not in module.entries:
            raise MembenchError(f"{variant.file} has no kernel '{entry}'")
        module.program(entry)  # raises now if the emulator does not know an instruction
        return EmulatedKernel(entry, variant, module, image.resources[entry])

    def launch(
        self,
        kernel: Kernel,
        grid: int,
        block: int,
        args: Sequence[Argument],
        *,
        shared: int = 0,
        stream: Stream | None = None,
        cluster: int = 0,
    ) -> None:
        """Queue a launch. The arguments are checked and copied now."""
        assert isinstance(kernel, EmulatedKernel)
        prepared = prepare(
            self.machine,
            kernel.module,
            kernel.entry,
            grid,
            block,
            args,
            shared,
            cluster,
            self._fuel,
        )

        def make() -> Work:
            launch = prepared.again()

            def work(budget: int) -> bool:
                if not launch.advance(budget):
                    return False
                self._ended(launch, grid, block, shared)
                return True

            return work

        self._queue(stream, make)
        self._note("launch", kernel.entry)

    def _ended(self, launch: Launch, grid: int, block: int, shared: int) -> None:
        entry = launch.program.name
        self.ran.append(Ran(entry, grid, block, shared, launch.counts))
        self.counts.setdefault(entry, Counts()).add(launch.counts)

    def occupancy(self, kernel: Kernel, block: int, shared: int = 0) -> int:
        """Resident blocks per SM, limited by registers, threads and shared memory."""
        return blocks_per_sm(
            self._properties.arch,
            block,
            kernel.registers,
            kernel.shared_bytes + shared,
            self._properties.threads_per_sm,
            self._properties.shared_per_sm,
        )

    def prefer_l1(self, *kernels: Kernel) -> None:
        """Log the request; the emulator has no cache."""
        for kernel in kernels:
            self._note("prefer l1", kernel.entry)

    def clusters(self, kernel: Kernel, size: int, block: int, shared: int = 0) -> int:
        """Number of resident clusters, limited by the SMs of each GPC."""
        if self._properties.capability < 90:
            skip("clusters of blocks need compute capability 9.0 or newer")
        return self.machine.clusters(size, self.occupancy(kernel, block, shared))

    def stream(self, *, urgent: bool = False) -> EmulatedStream:
        """Create a further queue. Kernels of different queues run interleaved."""
        self._streams += 1
        return EmulatedStream(self._streams - 1, urgent)

    def wait(self, stream: Stream) -> None:
        """Execute until ``stream`` is empty. Other streams progress too."""
        assert isinstance(stream, EmulatedStream)
        self._note("wait", str(stream.number))
        self._queues.drain(stream.number)

    def capture(self, run: Callable[[], None]) -> Callable[[], None]:
        """Record the work that ``run`` queues.

        Each call of the result queues the recorded work again.
        """
        if self._recording is not None:
            raise EmulationError("a capture within a capture")
        recorded: list[tuple[int, Callable[[], Work]]] = []
        self._recording = recorded
        try:
            run()
        finally:
            self._recording = None
        self._note("capture", str(len(recorded)))

        def replay() -> None:
            for number, make in recorded:
                self._queues.add(number, make())
            self._note("graph", str(len(recorded)))

        return replay

    def gemm(
        self,
        kind: str,
        shape: tuple[int, int, int],
        w: Buffer,
        x: Buffer,
        y: Buffer,
        *,
        out: str = "fp32",
        fast: bool = False,
    ) -> Callable[[], None]:
        """Compute the matrix product with NumPy.

        The kernels of the vendor library are not tested here.
        """
        once = product(self.machine.memory, kind, shape, (w, x, y), out)

        def queue() -> None:
            self._queue(None, lambda: run_once(once))
            self._note("gemm", f"{kind} {'x'.join(map(str, shape))}")

        return queue

    def energy(self) -> Callable[[], float]:
        """Skip the case, because the emulator has no energy counter."""
        skip("an emulator uses no energy")

    def forget_counts(self) -> None:
        self.counts.clear()
        self.ran.clear()

    def _queue(self, stream: Stream | None, make: Callable[[], Work]) -> None:
        chosen = _MEASURED if stream is None else stream
        assert isinstance(chosen, EmulatedStream)
        if self._recording is not None:
            self._recording.append((chosen.number, make))
        else:
            self._queues.add(chosen.number, make())

    def _note(self, kind: str, detail: str = "") -> None:
        self.log.append(Event(kind, detail))
