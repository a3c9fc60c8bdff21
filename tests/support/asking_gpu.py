"""A GPU double that runs nothing, but records the compilations that benches request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, cast
from unittest.mock import patch

import numpy as np
import numpy.typing as npt

from membench.benches import registry
from membench.core.backend import Device, Edge, Stamps
from membench.core.case import PROFILES, Needs
from membench.core.errors import Skip
from membench.core.snapshot import Machine
from membench.gpu.link_protocol import Lane, Multicast
from membench.gpu.protocol import Argument, Buffer, Gpu, KernelVariant, Properties
from membench.gpu.verify.content import random_numbers
from membench.workloads import attention as gpu_attention
from membench.workloads import products as gpu_product
from membench.workloads.gpu_disk import CudaStorage

H100 = Properties(
    name="a GPU of the tests",
    arch="90",
    sms=132,
    l2_bytes=50 << 20,
    shared_per_block=227 << 10,
    shared_per_sm=228 << 10,
    threads_per_sm=2048,
    memory_bytes=80 << 30,
    memory_khz=2_619_000,
    bus_bits=5120,
    sm_khz=1_980_000,
    concurrent_managed=True,
)
"""The properties of an H100 SXM."""


@dataclass(frozen=True)
class Named:
    """A buffer, kernel or stream that has only a name."""

    address: int = 1 << 20
    size: int = 1 << 40
    entry: str = ""
    registers: int = 32
    shared_bytes: int = 0

    @property
    def array(self) -> npt.NDArray[np.uint8]:
        return np.zeros(min(self.size, 1 << 16), np.uint8)


class AskingLinks:
    """GPU links that do nothing."""

    near: int | None = 0
    far: int | None = 1
    nodes_here = "0"
    batch_version = "13.0"
    pair = (0, 1)

    def under_load(self) -> dict[str, str]:
        return {}

    def memory(self, size: int, kind: str, node: int | None = None) -> Named:
        return Named(size=size)

    def mapped_file(self, fd: int, size: int) -> Named:
        return Named(size=size)

    def peer(self, size: int) -> Named:
        return Named(size=size)

    def multicast(self, size: int) -> Multicast:
        return Multicast(1 << 20, size, (Named(size=size), Named(size=size)))

    def every_gpu(self, size: int, *, peers: bool = False) -> tuple[Lane, ...]:
        return tuple(Lane(gpu, Named(size=size), Named()) for gpu in range(2))

    def free_bytes(self) -> int:
        return 70 << 30

    def record(self, stream: object = None) -> Named:
        return Named()

    def happened(self, event: object) -> bool:
        return True

    def between(self, first: object, last: object) -> float:
        return 1.0

    def batch(
        self,
        targets: npt.NDArray[np.uint64],
        sources: npt.NDArray[np.uint64],
        sizes: npt.NDArray[np.uint64],
        order: str = "stream",
        *,
        overlap: bool = False,
    ) -> Callable[[], None]:
        return lambda: None

    def prefetch(self, buffer: object, *, to_host: bool = False) -> None: ...
    def advise(self, buffer: object, advice: str) -> None: ...
    def follow(self, event: object, stream: object = None) -> None: ...


@dataclass
class AskingGpu:
    """A GPU double that records every compilation requested from it."""

    properties: Properties
    asked: set[KernelVariant] = field(default_factory=set)
    links: AskingLinks = field(default_factory=AskingLinks)

    timer = "none"
    resolution_ns = 1.0
    kernel_digest = ""

    def describe(self) -> Device:
        return Device("asked", self.properties.name)

    def allocate(self, size: int) -> Named:
        return Named(size=size)

    def host(self, size: int, kind: str = "pinned") -> Named:
        return Named(size=size)

    def kernel(self, variant: KernelVariant, entry: str) -> Named:
        self.asked.add(variant)
        return Named(entry=entry)

    def download(
        self, source: Buffer, dtype: npt.DTypeLike, count: int, offset: int = 0
    ) -> npt.NDArray[Any]:
        return np.zeros(count, dtype)

    def occupancy(self, kernel: Named, block: int, shared: int = 0) -> int:
        return 2

    def clusters(self, kernel: Named, size: int, block: int, shared: int = 0) -> int:
        return 1

    def stream(self, *, urgent: bool = False) -> Named:
        return Named()

    def capture(self, run: Callable[[], None]) -> Callable[[], None]:
        run()
        return run

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
        return lambda: None

    def energy(self) -> Callable[[], float]:
        return lambda: 0.0

    def stamps(self) -> Stamps:
        raise AssertionError("nothing is timed here")

    def upload(self, target: Buffer, data: npt.NDArray[Any], offset: int = 0) -> None: ...
    def fill(self, target: Buffer, byte: int, stream: object = None) -> None: ...
    def copy(self, target: int, source: int, size: int, stream: object = None) -> None: ...
    def launch(
        self,
        kernel: Named,
        grid: int,
        block: int,
        args: Sequence[Argument],
        *,
        shared: int = 0,
        stream: object = None,
    ) -> None: ...
    def prefer_l1(self, *kernels: Named) -> None: ...
    def wait(self, stream: object) -> None: ...
    def flush(self) -> None: ...
    def synchronize(self) -> None: ...
    def block(self) -> None: ...
    def release(self) -> None: ...
    def probe(self, edge: Edge) -> None: ...
    def mark(self, edge: Edge) -> None: ...
    def idle(self) -> None: ...
    def reclaim(self) -> None: ...
    def close(self) -> None: ...


def variants_of_all_profiles(arch: str, machine: Machine) -> dict[str, set[KernelVariant]]:
    """Bench -> all compilations that cases of any profile request on a GPU of ``arch``.

    Hundreds of cases use matrices with the same few tiles, so each random tile is created only
    once.
    """
    drawn = cache(random_numbers)
    with (
        patch.object(gpu_attention, "random_numbers", drawn),
        patch.object(gpu_product, "random_numbers", drawn),
    ):
        return _asked(arch, machine)


def _asked(arch: str, machine: Machine) -> dict[str, set[KernelVariant]]:
    asked: dict[str, set[KernelVariant]] = {}
    for profile in PROFILES:
        for case in registry().cases(profile, machine):
            bench = registry().benches[case.bench]
            if Needs.GPU not in case.needs:
                continue
            gpu = AskingGpu(replace(H100, arch=arch))
            gpu.asked = asked.setdefault(case.bench, set())
            params = dict(case.params)
            backend: Any = (
                CudaStorage(cast("Gpu", gpu), None) if bench.backend == "cuda-storage" else gpu
            )
            configs = bench.candidates(backend, params) if case.tuned else ({},)
            for config in configs:
                with suppress(Skip):
                    bench.build(backend, params, config)
    return asked
