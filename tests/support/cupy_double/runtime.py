"""A double of ``cupy.cuda.runtime``: functions. CuPy checks each call first."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import cupy
from asking_gpu import H100
from emulator.device import run_once
from emulator.memory import Allocation

from cupy_double.device import Double
from cupy_double.real import RuntimeFailure, ask
from membench.core.errors import MembenchError

_REAL = cupy.cuda.runtime
_INVALID, _NO_MEMORY, _PEER_ALREADY = 1, 2, 704  # cudaError_t
_MAPPED = 2  # cudaHostAllocMapped

PROPERTIES: dict[str, Any] = {
    "name": b"NVIDIA H100 of the tests",
    "major": 9,
    "minor": 0,
    "l2CacheSize": 1 << 16,
    "sharedMemPerBlockOptin": H100.shared_per_block,
    "sharedMemPerMultiprocessor": H100.shared_per_sm,
    "maxThreadsPerMultiProcessor": H100.threads_per_sm,
    "totalGlobalMem": H100.memory_bytes,
    "memoryClockRate": H100.memory_khz,
    "memoryBusWidth": H100.bus_bits,
    "clockRate": H100.sm_khz,
    "concurrentManagedAccess": 1,
    "pageableMemoryAccess": 1,
    "pageableMemoryAccessUsesHostPageTables": 0,
}
"""The used keys of `getDeviceProperties` in CuPy 14 built for CUDA 13."""

CONSTANTS = ("memcpyDefault", "CUDA_R_32F", "runtimeGetVersion", "CUDARuntimeError")


class Runtime:
    """The effects of the CUDA runtime functions on ``double``."""

    def __init__(self, double: Double) -> None:
        self._double = double
        self._owned: dict[int, Allocation] = {}

    @property
    def functions(self) -> dict[str, Callable[..., Any]]:
        """Name of a function in CuPy -> function with the same effect on the double."""
        double = self._double
        return {
            "getDeviceCount": lambda: double.gpus,
            "getDeviceProperties": lambda _gpu: {**PROPERTIES, "multiProcessorCount": double.sms},
            "setDevice": double.use,
            "deviceCanAccessPeer": lambda one, other: int(one != other),
            "deviceEnablePeerAccess": self._open_peer,
            "malloc": lambda size: self._take(size, "device memory"),
            "mallocManaged": lambda size: self._take(size, "managed memory", known=True),
            "hostAlloc": self._host,
            "hostRegister": lambda _address, _size, _flags: None,
            "hostUnregister": lambda _address: None,
            "free": self._give,
            "freeHost": self._give,
            "memGetInfo": lambda: (H100.memory_bytes // 2, H100.memory_bytes),
            "memcpy": self._copy,
            "memcpyAsync": lambda to, of, size, _, stream: double.queue_copy(stream, to, of, size),
            "memsetAsync": self._fill,
        }

    def _take(self, size: int, what: str, *, known: bool = False) -> int:
        memory = self._double.memory
        try:
            made = memory.allocate(size, what)
        except MembenchError:
            raise RuntimeFailure(_NO_MEMORY) from None
        if known:
            made.array[:] = 0
            memory.mark(made.address, made.size)
        self._owned[made.address] = made
        return made.address

    def _host(self, size: int, flags: int) -> int:
        assert flags & _MAPPED, "page-locked memory that the device does not see"
        return self._take(size, "page-locked memory", known=True)

    def _give(self, address: int) -> None:
        if address not in self._owned:
            raise RuntimeFailure(_INVALID)
        self._double.memory.free(self._owned.pop(address))

    def _open_peer(self, other: int) -> None:
        pair = (self._double.current, other)
        if pair in self._double.peers:
            raise RuntimeFailure(_PEER_ALREADY)
        self._double.peers.add(pair)

    def _copy(self, target: int, source: int, size: int, _kind: int) -> None:
        self._double.drain()
        self._double.move(target, source, size)

    def _fill(self, address: int, value: int, size: int, stream: int) -> None:
        memory = self._double.memory

        def work() -> None:
            memory.span(address, size, "memset")[:] = value
            memory.mark(address, size)
            self._double.pass_time(size)

        self._double.queue(stream, lambda: run_once(work))


def runtime(double: Double) -> SimpleNamespace:
    """The double of the module ``cupy.cuda.runtime``, with the state in ``double``."""

    def doubled(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            ask(getattr(_REAL, name), *args)
            with double.call(name):
                return function(*(int(arg) for arg in args))

        return call

    functions = Runtime(double).functions
    return SimpleNamespace(
        **{name: doubled(name, function) for name, function in functions.items()},
        **{name: getattr(_REAL, name) for name in CONSTANTS},
    )
