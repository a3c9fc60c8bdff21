"""The state behind the double: one emulated machine, its queues, and what was given out."""

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
"""Work that a capture noted; each call makes it anew."""


class Double:
    """Some GPUs with one memory, as CUDA shows them to a process.

    Args:
        sms: of each GPU.
        gpus: how many there are; all can reach each other.
        ns_per_step: nanoseconds between events for each of the emulator's steps.

    Attributes:
        lock: one thread is at the emulator at a time.
        called: names of the plain functions that were called, in order.
        fails: name of a plain function -> CUDA error that it answers with from now on.
        images: machine code -> what it was compiled with.
        resources, allowed: of a function, by its handle; bytes of dynamic shared memory.
        non_portable: functions that may have clusters of more than 8 blocks.
        carveouts: percent of an SM's memory that a function prefers as shared memory.
        peers: pairs of GPUs of which the first may reach the second.
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

    # Which GPU a thread works with.

    @property
    def current(self) -> int:
        """The calling thread's GPU: 0 until it says otherwise."""
        return int(getattr(self._thread, "gpu", 0))

    def use(self, gpu: int) -> None:
        """From now on the calling thread's GPU is this one."""
        if not 0 <= gpu < self.gpus:
            raise RuntimeFailure(_INVALID_DEVICE)
        self._thread.gpu = gpu

    @property
    def current_stream(self) -> int:
        """What the calling thread's libraries queue on; 0, the one for all, until it says so."""
        return int(getattr(self._thread, "stream", 0))

    def use_stream(self, stream: int) -> None:
        """From now on it is this one."""
        self._thread.stream = stream

    # Calls and handles.

    @contextmanager
    def call(self, name: str) -> Iterator[None]:
        """One plain function at work; it fails where `fails` says so."""
        with self.lock:
            self.called.append(name)
            if status := self.fails.get(name):
                raise RuntimeFailure(status)
            yield

    def compile(self, file: str, options: tuple[str, ...], arch: str) -> Image:
        """As the backend compiles; keeps what was compiled for `Module.load`."""
        image = compile_source(file, options, arch)
        self.images[image.cubin] = image
        return image

    def function(self, resources: Resources) -> int:
        """The handle of a new function."""
        made = self._handle()
        self.resources[made] = resources
        return made

    def stream(self) -> int:
        """The handle of a new queue of the current GPU."""
        made = self._handle()
        self._streams[made] = self.current
        return made

    def _handle(self) -> int:
        self._handles += 16
        return self._handles

    # Queues.

    def refuse_stream_of_another_gpu(self, stream: int) -> None:
        """A kernel is launched where the calling thread is."""
        if self._streams.get(stream) != self.current:
            raise RuntimeFailure(_INVALID_HANDLE)

    def queue(self, stream: int, make: Noted) -> None:
        """Queue work, or note it where the stream is being captured."""
        if stream not in self._streams:
            raise RuntimeFailure(_INVALID_HANDLE)
        if stream in self._captures:
            self._captures[stream].append(make)
        else:
            self._queues.add(stream, make())

    def queue_copy(self, stream: int, target: int, source: int, size: int) -> None:
        """Copy in the order of a stream."""
        self.queue(stream, lambda: run_once(lambda: self.move(target, source, size)))

    def begin_capture(self, stream: int) -> None:
        """From now on what is queued is noted."""
        if stream in self._captures:
            raise RuntimeFailure(_INVALID_VALUE)
        self._captures[stream] = []

    def end_capture(self, stream: int) -> list[Noted]:
        """What was noted."""
        if stream not in self._captures:
            raise RuntimeFailure(_INVALID_VALUE)
        return self._captures.pop(stream)

    def drain(self, stream: int | None = None) -> None:
        """Execute what is queued, on one stream or all."""
        with self.lock:
            if self._captures:
                raise RuntimeFailure(_IN_CAPTURE)
            self._queues.drain(stream)
            self.memory.settle()

    # Copies, by true addresses of either side.

    def move(self, target: int, source: int, size: int) -> None:
        """Copy at once."""
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
        """A copy or fill of ``size`` bytes takes some steps, of which the emulator counts none."""
        self.machine.ticks += 1 + size // 64

    def close(self) -> None:
        """Give the addresses back."""
        self.memory.close()
