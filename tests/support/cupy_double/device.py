"""The state of the CuPy double: one emulated machine, its queues, and its handles."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from asking_gpu import H100
from emulator.device import Queues, Work, run_once
from emulator.machine import Machine

from cupy_double.memory import TrueMemory
from cupy_double.real import RuntimeFailure
from membench.gpu.cuda.compile import Image, Resources, compile_source

_INVALID_VALUE, _INVALID_DEVICE, _INVALID_HANDLE, _IN_CAPTURE = 1, 101, 400, 900  # cudaError_t

Noted = Callable[[], Work]
"""Work that a stream capture recorded. Each call creates new work."""


class Double:
    """Several GPUs with one memory, as CUDA shows them to a process.

    Args:
        sms: number of SMs of each GPU.
        gpus: number of GPUs; each can access all others.
        ns_per_step: nanoseconds between events for each step of the emulator.

    Attributes:
        lock: only the thread that has the lock may use the emulator.
        called: names of the functions that were called, in order.
        fails: name of a function -> CUDA error that all later calls raise.
        images: machine code -> the compilation that produced it.
        resources, allowed: handle of a function -> its resources, and its allowed bytes of dynamic
            shared memory.
        non_portable: functions that may use clusters of more than 8 blocks.
        carveouts: function -> preferred percentage of an SM's memory used as shared memory.
        peers: pairs (a, b) of GPUs if a may access b.
    """

    def __init__(self, sms: int = 2, gpus: int = 2, ns_per_step: int = 1) -> None:
        self.sms = sms
        self.gpus = gpus
        self.ns_per_step = ns_per_step
        self.lock = threading.RLock()
        self.memory = TrueMemory()
        self.machine = Machine(memory=self.memory, sms=sms, shared_per_block=H100.shared_per_block)
        self.called: list[str] = []
        self.fails: dict[str, int] = {}
        self.images: dict[bytes, Image] = {}
        self.resources: dict[int, Resources] = {}
        self.allowed: dict[int, int] = {}
        self.non_portable: set[int] = set()
        self.carveouts: dict[int, int] = {}
        self.peers: set[tuple[int, int]] = set()
        self._queues = Queues()
        self._captures: dict[int, list[Noted]] = {}
        self._streams: dict[int, int] = {}  # handle -> GPU
        self._handles = 0x1000
        self._thread = threading.local()

    # The GPU of each thread.

    @property
    def current(self) -> int:
        """The calling thread's GPU; initially 0."""
        return int(getattr(self._thread, "gpu", 0))

    def use(self, gpu: int) -> None:
        """Make ``gpu`` the current GPU of the calling thread.

        Raises:
            RuntimeFailure: no such GPU.
        """
        if not 0 <= gpu < self.gpus:
            raise RuntimeFailure(_INVALID_DEVICE)
        self._thread.gpu = gpu

    @property
    def current_stream(self) -> int:
        """The calling thread's current stream; initially 0, the default stream."""
        return int(getattr(self._thread, "stream", 0))

    def use_stream(self, stream: int) -> None:
        self._thread.stream = stream

    # Calls and handles.

    @contextmanager
    def call(self, name: str) -> Iterator[None]:
        """Record the call of function ``name``.

        Raises the error in `fails` if `fails` contains ``name``.
        """
        with self.lock:
            self.called.append(name)
            if status := self.fails.get(name):
                raise RuntimeFailure(status)
            yield

    def compile(self, file: str, options: tuple[str, ...], arch: str) -> Image:
        """Compile like the backend, and keep the result for `Module.load`."""
        image = compile_source(file, options, arch)
        self.images[image.cubin] = image
        return image

    def function(self, resources: Resources) -> int:
        """Create a function with ``resources`` and return its handle."""
        made = self._handle()
        self.resources[made] = resources
        return made

    def stream(self) -> int:
        """Create a queue of the current GPU and return its handle."""
        made = self._handle()
        self._streams[made] = self.current
        return made

    def _handle(self) -> int:
        self._handles += 16
        return self._handles

    # Queues.

    def refuse_stream_of_another_gpu(self, stream: int) -> None:
        """Raise an error if ``stream`` belongs to another GPU than the calling thread's."""
        if self._streams.get(stream) != self.current:
            raise RuntimeFailure(_INVALID_HANDLE)

    def queue(self, stream: int, make: Noted) -> None:
        """Queue work. If the stream is being captured, record the work instead."""
        if stream not in self._streams:
            raise RuntimeFailure(_INVALID_HANDLE)
        if stream in self._captures:
            self._captures[stream].append(make)
        else:
            self._queues.add(stream, make())

    def queue_copy(self, stream: int, target: int, source: int, size: int) -> None:
        """Queue a copy of ``size`` bytes in stream order."""
        self.queue(stream, lambda: run_once(lambda: self.move(target, source, size)))

    def begin_capture(self, stream: int) -> None:
        """Record all later work of ``stream`` instead of queueing the work."""
        if stream in self._captures:
            raise RuntimeFailure(_INVALID_VALUE)
        self._captures[stream] = []

    def end_capture(self, stream: int) -> list[Noted]:
        """Stop the capture of ``stream``, and return the recorded work."""
        if stream not in self._captures:
            raise RuntimeFailure(_INVALID_VALUE)
        return self._captures.pop(stream)

    def drain(self, stream: int | None = None) -> None:
        """Execute the queued work of ``stream``; None means all streams."""
        with self.lock:
            if self._captures:
                raise RuntimeFailure(_IN_CAPTURE)
            self._queues.drain(stream)
            self.memory.settle()

    # Copies between real addresses of host and device.

    def move(self, target: int, source: int, size: int) -> None:
        """Copy ``size`` bytes immediately between addresses of host or device."""
        memory = self.memory
        for address in (target, source):
            if memory.owns(address):
                memory.span(address, size, "copy")
        ctypes.memmove(target, source, size)
        self.pass_time(size)
        if memory.owns(target):
            if memory.owns(source):
                memory.mark_as(target, source, size)
            else:
                memory.mark(target, size)

    def pass_time(self, size: int) -> None:
        """Advance the clock for a copy or fill of ``size`` bytes.

        Copies and fills take no emulator steps.
        """
        self.machine.ticks += 1 + size // 64

    def close(self) -> None:
        """Unmap the emulated memory of all GPUs."""
        self.memory.close()
