"""The classes of ``cupy.cuda``: Device, Stream, Event, Module, Function and Graph."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import cupy
import numpy as np
from emulator.device import Loaded, Work, prepare, run_once

from cupy_double.device import Double, Noted
from cupy_double.real import DriverFailure, RuntimeFailure, ask

_CUDA = cupy.cuda
_INVALID_HANDLE, _NOT_READY = 400, 600  # cudaError_t
_INVALID_VALUE, _NOT_FOUND = 1, 500  # CUresult
_ALLOWED = 48 << 10
"""Default limit of dynamic shared memory per block, in bytes."""

_FUEL = 2_000_000


class OfDouble:
    """Base of the classes that use one `Double`."""

    double: ClassVar[Double]


class Device(OfDouble):
    """A GPU. `use` selects the GPU for the calling thread, ``with`` only within the block."""

    def __init__(self, device: int) -> None:
        _CUDA.Device(device)
        self.id = device

    def use(self) -> None:
        self.double.use(self.id)

    def __enter__(self) -> Self:
        self._before = self.double.current
        self.double.use(self.id)
        return self

    def __exit__(self, *_: object) -> None:
        self.double.use(self._before)


class Event(OfDouble):
    """An event. Its time is the number of emulator steps so far."""

    def __init__(self) -> None:
        self.gpu = self.double.current
        self.happened: list[int] = []

    def record(self, stream: Any = None) -> None:
        inspect.signature(_CUDA.Event.record).bind(self, stream)
        if self.gpu != stream.device_id:
            raise RuntimeFailure(_INVALID_HANDLE)
        self.happened = []

        def work() -> None:
            self.happened = [self.double.machine.ticks]

        with self.double.lock:
            self.double.queue(stream.ptr, lambda: run_once(work))

    @property
    def done(self) -> bool:
        self.double.drain()  # a device runs without a request
        return bool(self.happened)


class Stream(OfDouble):
    """A queue of the GPU that was current when the stream was created."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        given = inspect.signature(_CUDA.Stream).bind(*args, **kwargs).arguments
        flags, priority = int(given.get("non_blocking", False)), given.get("priority") or 0
        ask(_CUDA.runtime.streamCreateWithPriority, flags, priority)
        self.ptr = self.double.stream()
        self.device_id = self.double.current

    def __enter__(self) -> Self:
        if self.device_id != self.double.current:
            raise RuntimeError("the stream is of another device than the current one")
        self._before = self.double.current_stream
        self.double.use_stream(self.ptr)
        return self

    def __exit__(self, *_: object) -> None:
        self.double.use_stream(self._before)

    def synchronize(self) -> None:
        ask(_CUDA.runtime.streamSynchronize, self.ptr)
        with self.double.call("streamSynchronize"):
            self.double.drain(self.ptr)

    def wait_event(self, event: Event) -> None:
        def make() -> Work:
            return lambda _budget: bool(event.happened)

        with self.double.lock:
            self.double.queue(self.ptr, make)

    def begin_capture(self) -> None:
        with self.double.call("streamBeginCapture"):
            self.double.begin_capture(self.ptr)

    def end_capture(self) -> Graph:
        noted = self.double.end_capture(self.ptr)  # ends the capture even if it fails
        with self.double.call("streamEndCapture"):
            return Graph(noted)


class Graph:
    """The work that a stream capture recorded."""

    def __init__(self, noted: Sequence[Noted]) -> None:
        self._noted = noted

    def launch(self, stream: Stream) -> None:
        with stream.double.call("graphLaunch"):
            for make in self._noted:
                stream.double.queue(stream.ptr, make)


class Module(OfDouble):
    """A loaded image. The emulator executes the PTX of the same compilation."""

    def __init__(self) -> None:
        _CUDA.Module()

    def load(self, cubin: bytes) -> None:
        ask(_CUDA.Module().load, cubin)
        with self.double.call("moduleLoadData"):
            self.image = self.double.images[cubin]
            self.loaded = Loaded(self.double.machine, self.image.ptx)

    def get_function(self, name: str) -> Function:
        ask(_CUDA.Module().get_function, name)
        if name not in self.loaded.entries:
            raise DriverFailure(_NOT_FOUND)
        return Function(self, name)


class Function:
    """A kernel. The kernel keeps its module alive, as in CuPy."""

    def __init__(self, module: Module, name: str) -> None:
        self._module, self._name = module, name
        self.ptr = module.double.function(module.image.resources[name])
        module.loaded.program(name)  # raises now if the emulator does not know an instruction

    def __call__(
        self,
        grid: tuple[int],
        block: tuple[int],
        args: Sequence[Any],
        shared_mem: int = 0,
        stream: Any = None,
    ) -> None:
        assert type(grid) is type(block) is tuple  # CuPy accepts nothing else
        for arg in args:  # CuPy would pass a Python number as eight bytes
            assert isinstance(arg, np.generic), f"{self._name}: {arg!r}"
        double = self._module.double
        with double.call("launchKernel"):
            if shared_mem > double.allowed.get(self.ptr, _ALLOWED):
                raise DriverFailure(_INVALID_VALUE)
            double.refuse_stream_of_another_gpu(stream.ptr)
            prepared = prepare(
                *(double.machine, self._module.loaded, self._name, grid[0], block[0], args),
                *(shared_mem, 0, _FUEL),
            )
            double.queue(stream.ptr, lambda: prepared.again().advance)


def elapsed(start_event: Event, end_event: Event) -> float:
    """Milliseconds between two events, rounded to single precision as in CuPy."""
    if not (start_event.happened and end_event.happened):
        raise RuntimeFailure(_NOT_READY)
    steps = end_event.happened[0] - start_event.happened[0]
    return float(np.float32(steps * start_event.double.ns_per_step / 1e6))


def classes(double: Double) -> dict[str, Any]:
    """Class name in CuPy -> class that uses ``double``.

    The result also contains the function `get_elapsed_time`.
    """
    bound = {
        one.__name__: type(one.__name__, (one,), {"double": double})
        for one in (Device, Event, Stream, Module)
    }
    return {**bound, "get_elapsed_time": elapsed}
