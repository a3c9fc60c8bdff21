"""The interface of a GPU for benches.

The CUDA backend implements it on hardware. The tests implement it by an emulator that executes the
same PTX, which proves every kernel and every byte count on a machine without a GPU. So a bench does
everything through this interface, which hides no arithmetic about the device.

Rules for a bench:

* it requests its kernels, buffers and streams while it is built, never while it is timed, because
    the first launch of a kernel loads it and an allocation synchronises;
* everything that it allocated is freed after the case;
* scalars are NumPy scalars of the very type that the kernel takes.
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
        defines: (macro, value), sorted by macro; a macro that is absent has the source's default.
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
    """A device as the driver describes it.  Sizes are bytes, clocks kHz.

    Attributes:
        arch: compute capability without its dot: ``"90"``, ``"120"``.
        shared_per_block: with the opt-in above 48 KiB.
        bus_bits: width of the memory bus; 0 if unknown.
        concurrent_managed: managed memory may be used by CPU and GPU at once.
        pageable_access: kernels may read ordinary system memory (HMM or ATS).
        host_page_tables: they do so through the host's page tables (ATS).
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
        """The architecture as a number to compare: 90, 120."""
        return int(self.arch)

    @property
    def peak_bandwidth(self) -> float | None:
        """Peak of the device's memory in GB/s: two transfers a clock over the whole bus."""
        peak = 2 * self.memory_khz * 1e3 * self.bus_bits / 8 / 1e9
        return peak or None


class Buffer(Protocol):
    """An allocation of device memory, or page-locked host memory with one address for both."""

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
        """The same bytes for the host."""
        ...


class Kernel(Protocol):
    """A loaded entry function of a compiled source."""

    @property
    def entry(self) -> str:
        """Its name in the source."""
        ...

    @property
    def registers(self) -> int:
        """Registers per thread."""
        ...

    @property
    def shared_bytes(self) -> int:
        """Bytes of a block's static shared memory."""
        ...


class Stream(Protocol):
    """A queue in addition to the measured one."""


Argument = Any
"""A `Buffer` (passed as its address) or a NumPy scalar."""


class Gpu(DeviceBackend, Protocol):
    """One GPU. Without a stream, work goes into the queue that is measured."""

    @property
    def properties(self) -> Properties:
        """What the driver says of the device."""
        ...

    def allocate(self, size: int) -> Buffer:
        """``size`` bytes of device memory, an allocation of its own; nothing is written.

        Raises:
            MembenchError: there is not enough memory.
        """
        ...

    def host(self, size: int, kind: str = "pinned") -> HostBuffer:
        """Host memory: ``pinned``, or ``wc`` for write-combined; both mapped for the device."""
        ...

    def upload(self, target: Buffer, data: npt.NDArray[Any], offset: int = 0) -> None:
        """Copy ``data`` to ``target`` from byte ``offset`` on, and wait for it."""
        ...

    def download(
        self, source: Buffer, dtype: npt.DTypeLike, count: int, offset: int = 0
    ) -> npt.NDArray[Any]:
        """``count`` elements from byte ``offset`` of ``source`` on, after all queued work."""
        ...

    def fill(self, target: Buffer, byte: int, stream: Stream | None = None) -> None:
        """Queue: set every byte of ``target``."""
        ...

    def copy(self, target: int, source: int, size: int, stream: Stream | None = None) -> None:
        """Queue: copy ``size`` bytes between two addresses, of device or page-locked memory."""
        ...

    def kernel(self, variant: KernelVariant, entry: str) -> Kernel:
        """Compile (once per process and variant), load, and prepare for any size of shared memory.

        Raises:
            MembenchError: it does not compile, spills registers, or uses local memory.
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
        """Queue: ``grid`` blocks of ``block`` threads with ``shared`` bytes of dynamic memory."""
        ...

    def occupancy(self, kernel: Kernel, block: int, shared: int = 0) -> int:
        """Blocks that are resident on one SM at the same time."""
        ...

    def prefer_l1(self, *kernels: Kernel) -> None:
        """Ask that ``kernels`` get as much L1 as possible of the memory that L1 shares.

        Otherwise the driver divides it at its own discretion, and L1 is smaller than the card's. It
        is a request: shared memory that a kernel's blocks use remains theirs.
        """
        ...

    def clusters(self, kernel: Kernel, size: int, block: int, shared: int = 0) -> int:
        """Clusters of ``size`` blocks of ``kernel`` that are resident at once; 0: none fits.

        Raises:
            Skip: the device or its driver has no clusters.
        """
        ...

    def stream(self, *, urgent: bool = False) -> Stream:
        """A further queue; an ``urgent`` one's blocks are placed first."""
        ...

    def wait(self, stream: Stream) -> None:
        """Wait until ``stream`` is empty."""
        ...

    def capture(self, run: Callable[[], None]) -> Callable[[], None]:
        """The work that ``run`` queues, as a graph that each call of the result launches."""
        ...

    @property
    def links(self) -> Links:
        """Its links: the host's memory, other GPUs, events in queues."""
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
        """A matrix product by the vendor's library; each call of the result queues it.

        y = x w': of ``shape`` (m, n, k), w is m x k, x is n x k and y is n x m, rows after each
        other.  The sums are in single precision.

        Args:
            kind: format of w and x: ``fp32``, ``tf32`` (fp32 in memory), ``bf16``, ``fp8`` (E4M3),
                ``mxfp8``: E4M3 with a scale for each 32 numbers along k, all of them 1, or
                ``nvfp4``: E2M1, two a byte, with a scale for each 16 numbers, all of them 1.
            out: format of y: ``fp32``; of narrower operands ``bf16``, too, and of FP8 and FP4
                ``fp16``.
            fast: for FP8: partial sums may have fewer bits (fast accumulation).

        Raises:
            Skip: the library is missing, or has no such product for this device.
        """
        ...

    def energy(self) -> Callable[[], float]:
        """A reader of the joules that the device has used so far.

        Raises:
            Skip: the device does not count energy.
        """
        ...
