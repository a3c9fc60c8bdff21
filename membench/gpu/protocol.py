"""The interface of a GPU for benches.

The CUDA backend implements it on hardware. In the tests an emulator implements it and executes the
same PTX, so that every kernel and every byte count is tested on a machine without a GPU. So a bench
does everything through this interface.

Rules for a bench:

* it requests its kernels, buffers and streams while it is built, never while it is timed, because
  the first launch of a kernel loads it and an allocation synchronises;
* everything that it allocated is freed after the case;
* scalars are NumPy scalars of exactly the type that the kernel takes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from membench.core.backend import DeviceBackend
from membench.gpu.link_protocol import Links

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True)
class KernelVariant:
    """A CUDA source and the macros of its compilation.

    Attributes:
        file: name in ``kernels/``.
        defines: pairs (macro, value), sorted by macro; the source has defaults for absent macros.
    """

    file: str
    defines: tuple[tuple[str, int | str], ...] = ()

    @staticmethod
    def of(file: str, **defines: int | str) -> KernelVariant:
        """``KernelVariant.of("stream.cu", VEC=16)``."""
        return KernelVariant(file, tuple(sorted(defines.items())))

    @property
    def options(self) -> tuple[str, ...]:
        """The compiler's options: ``("-DVEC=16",)``."""
        return tuple(f"-D{name}={value}" for name, value in self.defines)


@dataclass(frozen=True)
class Properties:
    """A device as the driver describes it. Sizes are in bytes, clocks in kHz.

    Attributes:
        arch: compute capability without its dot: ``"90"``, ``"120"``.
        shared_per_block: maximum shared memory per block, including the opt-in above 48 KiB.
        bus_bits: width of the memory bus; 0 if unknown.
        concurrent_managed: whether CPU and GPU may use managed memory at the same time.
        pageable_access: whether kernels may read ordinary system memory (HMM or ATS).
        host_page_tables: whether they do so through the host's page tables (ATS).
    """

    name: str
    arch: str
    sms: int
    l2_bytes: int
    shared_per_block: int
    shared_per_sm: int
    threads_per_sm: int
    memory_bytes: int
    memory_khz: int
    bus_bits: int
    sm_khz: int
    concurrent_managed: bool = False
    pageable_access: bool = False
    host_page_tables: bool = False

    @property
    def capability(self) -> int:
        """The compute capability as a number for comparisons: 90, 120."""
        return int(self.arch)

    @property
    def peak_bandwidth(self) -> float | None:
        """Peak memory bandwidth in GB/s: two transfers per clock over the bus; None if unknown."""
        peak = 2 * self.memory_khz * 1e3 * self.bus_bits / 8 / 1e9
        return peak or None


class Buffer(Protocol):
    """An allocation of device memory, or of page-locked host memory that the device can address."""

    @property
    def address(self) -> int:
        """Address of its first byte for kernels and copies; aligned to 256 bytes."""
        ...

    @property
    def size(self) -> int:
        """The requested number of bytes."""
        ...


class HostBuffer(Buffer, Protocol):
    """Host memory that the device can address."""

    @property
    def array(self) -> npt.NDArray[np.uint8]:
        """The memory as a NumPy array on the host."""
        ...


class Kernel(Protocol):
    """A loaded entry function of a compiled source."""

    @property
    def entry(self) -> str:
        """The function's name in the source."""
        ...

    @property
    def registers(self) -> int:
        """Registers per thread."""
        ...

    @property
    def shared_bytes(self) -> int:
        """Static shared memory per block in bytes."""
        ...


class Stream(Protocol):
    """A queue in addition to the measured queue."""


Argument = Any
"""A `Buffer` (passed as its address) or a NumPy scalar."""


class Gpu(DeviceBackend, Protocol):
    """One GPU. Without a stream, work goes into the queue that is measured."""

    @property
    def properties(self) -> Properties:
        """The device's properties, read from the driver."""
        ...

    def allocate(self, size: int) -> Buffer:
        """A separate allocation of ``size`` bytes of device memory, uninitialised.

        Raises:
            MembenchError: there is not enough memory.
        """
        ...

    def host(self, size: int, kind: str = "pinned") -> HostBuffer:
        """Page-locked host memory for the device: ``pinned``, or ``wc`` (write-combined)."""
        ...

    def upload(self, target: Buffer, data: npt.NDArray[Any], offset: int = 0) -> None:
        """Copy ``data`` to byte ``offset`` of ``target``, and wait until the copy is done."""
        ...

    def download(
        self, source: Buffer, dtype: npt.DTypeLike, count: int, offset: int = 0
    ) -> npt.NDArray[Any]:
        """Return ``count`` elements from byte ``offset`` of ``source``, after all queued work."""
        ...

    def fill(self, target: Buffer, byte: int, stream: Stream | None = None) -> None:
        """Queue a fill of ``target`` with ``byte``."""
        ...

    def copy(self, target: int, source: int, size: int, stream: Stream | None = None) -> None:
        """Queue a copy of ``size`` bytes between two addresses of device or page-locked memory."""
        ...

    def kernel(self, variant: KernelVariant, entry: str) -> Kernel:
        """Compile (once per process and variant) and load; allow the maximum dynamic shared memory.

        Raises:
            MembenchError: the source does not compile, spills registers, or uses local memory.
        """
        ...

    def launch(
        self,
        kernel: Kernel,
        grid: int,
        block: int,
        args: Sequence[Argument],
        *,
        shared: int = 0,
        stream: Stream | None = None,
    ) -> None:
        """Queue ``grid`` blocks of ``block`` threads with ``shared`` bytes of dynamic memory."""
        ...

    def occupancy(self, kernel: Kernel, block: int, shared: int = 0) -> int:
        """Maximum number of blocks that are resident on one SM at the same time."""
        ...

    def prefer_l1(self, *kernels: Kernel) -> None:
        """Ask the driver to use as much on-chip memory as possible as L1 for ``kernels``.

        L1 and shared memory divide the same on-chip memory, and by default the driver chooses the
        division. This is only a request: kernels keep the shared memory that they use.
        """
        ...

    def clusters(self, kernel: Kernel, size: int, block: int, shared: int = 0) -> int:
        """Number of clusters of ``size`` blocks that are resident at once; 0 if none fits.

        Raises:
            Skip: the device or its driver does not support clusters.
        """
        ...

    def stream(self, *, urgent: bool = False) -> Stream:
        """A further queue; the GPU schedules blocks of an ``urgent`` queue first."""
        ...

    def wait(self, stream: Stream) -> None:
        """Wait until ``stream`` is empty."""
        ...

    def capture(self, run: Callable[[], None]) -> Callable[[], None]:
        """Capture the work that ``run`` queues as a graph; each call of the result launches it."""
        ...

    @property
    def links(self) -> Links:
        """The GPU's links: host memory, other GPUs, events in queues."""
        ...

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
        """A matrix product with the vendor's library; each call of the result queues it.

        The product is y = x w'. With ``shape`` (m, n, k), w is m x k, x is n x k and y is n x m,
        all in row-major order. Sums are in single precision.

        Args:
            kind: format of w and x: ``fp32``, ``tf32`` (fp32 in memory), ``bf16``, ``fp8`` (E4M3),
                ``mxfp8`` (E4M3 with one scale per 32 numbers along k) or ``nvfp4`` (E2M1, two
                numbers per byte, with one scale per 16 numbers along k). All scales are 1.
            out: format of y: ``fp32``; also ``bf16`` for narrower operands, and ``fp16`` for FP8
                and FP4.
            fast: for FP8: whether partial sums may have fewer bits (fast accumulation).

        Raises:
            Skip: the library is missing, or has no such product for this device.
        """
        ...

    def energy(self) -> Callable[[], float]:
        """A function that returns the joules that the device has used so far.

        Raises:
            Skip: the device does not count energy.
        """
        ...
