"""The CUDA backend: the class `CudaBackend` implements the interface `Gpu` with CuPy."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cupy
import numpy as np
import numpy.typing as npt

from membench.core.backend import Device, Edge, Stamps, Tick
from membench.core.errors import BackendUnavailable, MembenchError, skip
from membench.core.snapshot import Machine
from membench.gpu.cuda.compile import (
    Image,
    Resources,
    compile_ahead,
    compile_source,
    kernel_headers,
    target,
)
from membench.gpu.cuda.cublaslt import SCALES, WORKSPACE_BYTES
from membench.gpu.cuda.device import ordinal_of, properties_of, uuid_hashes
from membench.gpu.cuda.driver import open_driver, resident_clusters
from membench.gpu.cuda.errors import explained
from membench.gpu.cuda.kernel_files import kernel_names, read_kernel
from membench.gpu.cuda.kernel_variants import variants_of
from membench.gpu.cuda.links import CudaLinks
from membench.gpu.cuda.memory import (
    DeviceMemory,
    HostMemory,
    check_within,
    copy_and_wait,
    device_memory,
    give_back,
    host_memory,
)
from membench.gpu.cuda.products import NARROW_CAPABILITY, narrow_product, product
from membench.gpu.protocol import Argument, Buffer, KernelVariant
from membench.machine.gpus.energy import energy_counter

HOLD_DEADLINE_NS = 10_000_000_000
"""Nanoseconds after which a blocked queue continues without `release`; the sample is invalid."""

FLUSH_FACTOR = 2
"""Multiple of the L2 size that a flush writes and reads, to replace the lines in all L2 slices."""

PORTABLE_CLUSTER = 8
"""Maximum blocks per cluster on every device with clusters (CUDA programming guide)."""

_CARVEOUT = 9  # CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT
_NON_PORTABLE_CLUSTER = 14  # CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED
_CONTROL = KernelVariant("control.cu")
_TICK = np.dtype([("sm", np.uint64), ("ns", np.uint64), ("cycles", np.uint64)])
_URGENT = -5  # lower numbers have priority; CUDA raises this number to the lowest valid number


def open_cuda(machine: Machine, index: int, benches: Iterable[str] = ()) -> CudaBackend:
    """Open the backend on the GPU ``machine.gpus.devices[index]``.

    Args:
        benches: names of the benches whose kernels are compiled now, in parallel.

    Raises:
        BackendUnavailable: CUDA does not list the GPU, this process cannot use CUDA, or NVRTC is
            missing or does not support the GPU.
        MembenchError: an operation on the GPU failed.
    """
    wanted = machine.gpus.devices[index].uuid
    ordinal = ordinal_of(wanted)
    with explained("the GPU cannot be used"):
        opened = CudaBackend(machine, ordinal, wanted)
    arch = opened.properties.arch
    ahead = variants_of(benches, arch)
    compile_ahead([(variant.file, variant.options) for variant in ahead], arch)
    return opened


@dataclass(frozen=True)
class CudaKernel:
    entry: str
    resources: Resources
    function: Any

    @property
    def registers(self) -> int:
        return self.resources.registers

    @property
    def shared_bytes(self) -> int:
        return self.resources.shared_bytes


class CudaBackend:
    """One GPU in this process; implements the interfaces `DeviceBackend` and `Gpu`.

    Attributes:
        resolution_ns: resolution in ns of the time between two events. CuPy returns this time as
            milliseconds in single precision.
    """

    timer = "cuda_event"
    resolution_ns = 500.0

    def __init__(self, machine: Machine, ordinal: int, uuid: str = "") -> None:
        self.machine = machine
        self._device = cupy.cuda.Device(ordinal)
        self._device.use()
        self.properties = properties_of(ordinal)
        self._queue = cupy.cuda.Stream(non_blocking=True)
        self.links = CudaLinks(machine, uuid, ordinal, self._queue)
        self._events = {edge: cupy.cuda.Event() for edge in Edge}
        self._kernels: dict[tuple[KernelVariant, str], CudaKernel] = {}
        self._modules: dict[KernelVariant, tuple[Image, Any]] = {}
        self._given: list[DeviceMemory | HostMemory] = []
        self._ticket = 0
        self._words = host_memory(64, "pinned")
        self._words.array[:] = 0
        self._ticks = host_memory(len(Edge) * _TICK.itemsize * self.properties.sms, "pinned")
        self._control = {
            entry: self.kernel(_CONTROL, f"control_{entry}")
            for entry in ("hold", "probe", "idle", "sweep")
        }

    @cached_property
    def kernel_digest(self) -> str:
        """SHA-256 (hex) of the CUDA sources, of their headers and of the compiler's version."""
        digest = hashlib.sha256(self._modules[_CONTROL][0].compiler.encode())
        sources = {name: read_kernel(name) for name in kernel_names()} | kernel_headers()
        for name, text in sources.items():
            digest.update(name.encode() + b"\0" + text.encode())
        return digest.hexdigest()

    def describe(self) -> Device:
        version = cupy.cuda.runtime.runtimeGetVersion()
        cuda = f"{version // 1000}.{version % 1000 // 10}"
        return Device("cuda", self.properties.name, self.machine.gpus.driver, cuda)

    # The interface `DeviceBackend`.

    def flush(self) -> None:
        scratch, sink = self._flushed
        self.fill(scratch, 0)
        args = (scratch, sink, np.uint64(scratch.size // 16))
        self.launch(self._control["sweep"], 4 * self.properties.sms, 256, args)

    def synchronize(self) -> None:
        with explained("the work on the GPU failed"):
            self._queue.synchronize()

    def block(self) -> None:
        self._ticket += 1
        args = (self._words, np.int32(self._ticket), np.uint64(HOLD_DEADLINE_NS))
        self.launch(self._control["hold"], 1, 1, args)

    def release(self) -> None:
        self._words.array.view(np.int32)[0] = self._ticket

    def probe(self, edge: Edge) -> None:
        half = _TICK.itemsize * self.properties.sms
        begin = edge.value * half
        self._ticks.array[begin : begin + half] = 0
        args = (np.uint64(self._ticks.address + begin),)
        self.launch(self._control["probe"], self.properties.sms, 1, args)

    def mark(self, edge: Edge) -> None:
        self._events[edge].record(self._queue)

    def idle(self) -> None:
        self.launch(self._control["idle"], 1, 1, ())

    def stamps(self) -> Stamps:
        """The time between the two events, and the clocks of one SM before and after the work.

        This SM is the one with the lowest number of the SMs that both probes reached. If there is
        no such SM, all clocks are 0.
        """
        with explained("the times of the CUDA events cannot be read"):
            elapsed = cupy.cuda.get_elapsed_time(
                self._events[Edge.BEFORE], self._events[Edge.AFTER]
            )
        before, after = (_ticks(half) for half in self._ticks.array.view(_TICK).reshape(2, -1))
        both = sorted(before.keys() & after.keys())
        nothing = Tick(0, 0)
        return Stamps(
            elapsed_ns=elapsed * 1e6,
            before=before[both[0]] if both else nothing,
            after=after[both[0]] if both else nothing,
            overdue=int(self._words.array.view(np.int32)[1]) == self._ticket > 0,
        )

    # The interface `Gpu`.

    def allocate(self, size: int) -> DeviceMemory:
        memory = device_memory(size)
        self._given.append(memory)
        return memory

    def host(self, size: int, kind: str = "pinned") -> HostMemory:
        memory = host_memory(size, kind)
        self._given.append(memory)
        return memory

    def upload(self, target: Buffer, data: npt.NDArray[Any], offset: int = 0) -> None:
        self.synchronize()
        data = np.ascontiguousarray(data)
        check_within(target, offset, data.nbytes)
        what = "a copy to the GPU failed"
        copy_and_wait(target.address + offset, data.ctypes.data, data.nbytes, what)

    def download(
        self, source: Buffer, dtype: npt.DTypeLike, count: int, offset: int = 0
    ) -> npt.NDArray[Any]:
        self.synchronize()
        data = np.empty(count, dtype)
        check_within(source, offset, data.nbytes)
        what = "a copy from the GPU failed"
        copy_and_wait(data.ctypes.data, source.address + offset, data.nbytes, what)
        return data

    def fill(self, target: Buffer, byte: int, stream: Any = None) -> None:
        queue = stream or self._queue
        cupy.cuda.runtime.memsetAsync(target.address, byte, target.size, queue.ptr)

    def copy(self, target: int, source: int, size: int, stream: Any = None) -> None:
        queue = stream or self._queue
        kind = cupy.cuda.runtime.memcpyDefault
        cupy.cuda.runtime.memcpyAsync(target, source, size, kind, queue.ptr)

    def kernel(self, variant: KernelVariant, entry: str) -> CudaKernel:
        key = (variant, entry)
        if key not in self._kernels:
            image, module = self._module(variant)
            if entry not in image.resources and target(self.properties.arch).isdigit():
                skip(f"NVRTC {image.compiler} cannot compile {entry} for this GPU")
            with explained(f"{variant.file} has no entry {entry}"):
                function = module.get_function(entry)
                resources = image.resources[entry]
                _opt_in(function, self.properties.shared_per_block - resources.shared_bytes)
            self._kernels[key] = CudaKernel(entry, resources, function)
        return self._kernels[key]

    def launch(
        self,
        kernel: CudaKernel,
        grid: int,
        block: int,
        args: Sequence[Argument],
        *,
        shared: int = 0,
        stream: Any = None,
    ) -> None:
        passed = tuple(
            arg if isinstance(arg, np.generic) else np.uint64(arg.address) for arg in args
        )
        with explained(f"{kernel.entry} cannot be launched"):
            kernel.function((grid,), (block,), passed, shared, stream or self._queue)

    def occupancy(self, kernel: CudaKernel, block: int, shared: int = 0) -> int:
        return int(
            cupy.cuda.driver.occupancyMaxActiveBlocksPerMultiprocessor(
                kernel.function.ptr, block, shared
            )
        )

    def prefer_l1(self, *kernels: CudaKernel) -> None:
        for kernel in kernels:
            with explained(f"the L1 cache cannot be enlarged for the kernel {kernel.entry}"):
                cupy.cuda.driver.funcSetAttribute(kernel.function.ptr, _CARVEOUT, 0)

    def clusters(self, kernel: CudaKernel, size: int, block: int, shared: int = 0) -> int:
        function = kernel.function.ptr
        try:
            if size > PORTABLE_CLUSTER:
                with explained(f"clusters of {size} blocks cannot be enabled"):
                    cupy.cuda.driver.funcSetAttribute(function, _NON_PORTABLE_CLUSTER, 1)
            return resident_clusters(open_driver(), function, size, block, shared)
        except MembenchError as missing:
            skip(str(missing))

    def stream(self, *, urgent: bool = False) -> Any:
        with self._device:  # another device may be the current device of this thread
            return cupy.cuda.Stream(non_blocking=True, priority=_URGENT if urgent else 0)

    def wait(self, stream: Any) -> None:
        with explained("the work on the GPU failed"):
            stream.synchronize()

    def capture(self, run: Callable[[], None]) -> Callable[[], None]:
        with explained("the work cannot be captured as a CUDA graph"):
            self._queue.begin_capture()
            try:
                run()
            finally:
                graph = self._queue.end_capture()
        return lambda: graph.launch(self._queue)

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
        try:
            if (least := NARROW_CAPABILITY.get(kind)) is not None:
                if int(self.properties.arch) < least:
                    skip(
                        f"{kind.upper()} needs compute capability "
                        f"{least // 10}.{least % 10} or newer"
                    )
                workspace = self.allocate(WORKSPACE_BYTES)
                once = narrow_product(
                    *(kind, shape, (w, x, y), self._queue, workspace, out),
                    fast=fast,
                    scales=self._scales(kind, shape) if kind in SCALES else None,
                )
            else:
                once = product(kind, shape, (w, x, y), self._queue, out)
        except BackendUnavailable as missing:
            skip(str(missing))
        once()  # the library loads its code
        self.synchronize()
        return once

    def _scales(self, kind: str, shape: tuple[int, int, int]) -> tuple[Buffer, Buffer]:
        """Scales of 1 for w and x. Because all scales are equal, their layout does not matter."""
        m, n, k = shape
        scale = SCALES[kind]
        both = self.allocate(scale.bytes_of(m, k)), self.allocate(scale.bytes_of(n, k))
        for scales in both:
            self.fill(scales, scale.one)
        return both

    def energy(self) -> Callable[[], float]:
        hashes = uuid_hashes(self._device.id)
        devices = self.machine.gpus.devices
        uuid = next((device.uuid for device in devices if device.uuid in hashes), "")
        try:
            return energy_counter(uuid)
        except BackendUnavailable as missing:
            skip(str(missing))

    def reclaim(self) -> None:
        self.synchronize()
        while self._given:
            give_back(self._given.pop())
        self.links.reclaim()

    def close(self) -> None:
        """Free the memory of the cases. The driver frees all other memory when the process ends."""
        self.release()
        with suppress(MembenchError):  # the memory of a lost device cannot be freed
            self.reclaim()

    # Helpers.

    @cached_property
    def _flushed(self) -> tuple[DeviceMemory, DeviceMemory]:
        size = FLUSH_FACTOR * self.properties.l2_bytes
        return device_memory(size), device_memory(16)

    def _module(self, variant: KernelVariant) -> tuple[Image, Any]:
        if variant not in self._modules:
            image = compile_source(variant.file, variant.options, self.properties.arch)
            # RawModule can load only from a path.
            module = cupy.cuda.Module()
            with explained(
                f"{variant.file} was compiled by NVRTC {image.compiler}, but cannot be loaded"
            ):
                module.load(image.cubin)
            self._modules[variant] = (image, module)
        return self._modules[variant]


def _ticks(probed: npt.NDArray[Any]) -> dict[int, Tick]:
    """SM number (from 1 on) -> clocks. Entries with number 0 are left out: no block wrote them."""
    return {int(one["sm"]): Tick(int(one["ns"]), int(one["cycles"])) for one in probed if one["sm"]}


def _opt_in(function: Any, shared: int) -> None:
    """Allow ``function`` to use ``shared`` bytes of dynamic shared memory, even above 48 KiB."""
    attribute = cupy.cuda.driver.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
    cupy.cuda.driver.funcSetAttribute(function.ptr, attribute, shared)
