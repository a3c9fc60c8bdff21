"""The interface through which benches use a GPU.

The CUDA backend implements the interface on hardware. In the tests, an emulator implements it and
executes the PTX of the same sources. A bench must use the GPU only through this interface.

Rules for a bench:

* The bench function requests kernels, buffers and streams before it returns the work, never in the
  timed work, because the first launch of a kernel loads the kernel, and an allocation waits for the
  GPU.
* After the case, membench frees all memory that the bench allocated.
* Scalars are NumPy scalars of exactly the type that the kernel takes.
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
    """A CUDA source file, and the macros with which membench compiles the file.

    Attributes:
        file: name of a file in ``kernels/``.
        defines: pairs (macro, value), sorted by macro. The source has a default for each absent
            macro.
    """

    file: str
    defines: tuple[tuple[str, int | str], ...] = ()

    @staticmethod
    def of(file: str, **defines: int | str) -> KernelVariant:
        """Make a variant from keywords, as in ``KernelVariant.of("stream.cu", VEC=16)``."""
        return KernelVariant(file, tuple(sorted(defines.items())))

    @property
    def options(self) -> tuple[str, ...]:
        """The compiler's options for the macros, such as ``("-DVEC=16",)``."""
        return tuple(f"-D{name}={value}" for name, value in self.defines)


@dataclass(frozen=True)
class Properties:
    """A device's properties as the driver reports them. Sizes are in bytes, clocks in kHz.

    Attributes:
        arch: compute capability without its dot: ``"90"``, ``"120"``.
        shared_per_block: maximum shared memory per block, including the opt-in above 48 KiB.
        bus_bits: width of the memory bus; 0 if unknown.
        concurrent_managed: whether CPU and GPU may use managed memory at the same time.
        pageable_access: whether kernels may read ordinary system memory (HMM or ATS).
        host_page_tables: whether kernels read system memory through the host's page tables (ATS).
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
        """The compute capability as a number, such as 90 or 120, for comparisons."""
        return int(self.arch)

    @property
    def peak_bandwidth(self) -> float | None:
        """Peak memory bandwidth in GB/s, at two transfers per clock; None if unknown."""
        peak = 2 * self.memory_khz * 1e3 * self.bus_bits / 8 / 1e9
        return peak or None


class Buffer(Protocol):
    """An allocation of device memory, or of host memory for transfers."""

    @property
    def address(self) -> int:
        """Address of the buffer's first byte, for kernels and copies; aligned to 256 bytes."""
        ...

    @property
    def size(self) -> int:
        """The requested number of bytes."""
        ...


class HostBuffer(Buffer, Protocol):
    """Host memory for transfers.

    Kernels can access pageable memory only if `Properties.pageable_access` is True.
    """

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
    """A queue of the GPU in addition to the measured queue."""


Argument = Any
"""A `Buffer` (passed as its address) or a NumPy scalar."""


class Gpu(DeviceBackend, Protocol):
    """One GPU. Work without a stream goes into the measured queue."""

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
        """``size`` bytes of page-locked host memory: ``pinned``, or ``wc`` (write-combined)."""
        ...

    def upload(self, target: Buffer, data: npt.NDArray[Any], offset: int = 0) -> None:
        """Copy ``data`` to byte ``offset`` of ``target``.

        The method waits for the measured queue before the copy, and for the end of the copy.
        """
        ...

    def download(
        self, source: Buffer, dtype: npt.DTypeLike, count: int, offset: int = 0
    ) -> npt.NDArray[Any]:
        """Copy ``count`` elements from byte ``offset`` of ``source`` to the host.

        The method waits for the measured queue before the copy.
        """
        ...

    def fill(self, target: Buffer, byte: int, stream: Stream | None = None) -> None:
        """Queue the work that sets every byte of ``target`` to ``byte``."""
        ...

    def copy(self, target: int, source: int, size: int, stream: Stream | None = None) -> None:
        """Queue a copy of ``size`` bytes between two addresses of device or host memory."""
        ...

    def kernel(self, variant: KernelVariant, entry: str) -> Kernel:
        """Compile and load the kernel ``entry``, once per process and variant.

        The kernel may use the maximum dynamic shared memory.

        Raises:
            MembenchError: the source does not compile, spills registers, or uses local memory.
            Skip: the compiler is too old for the kernel.
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
        """Queue a launch of ``grid`` blocks of ``block`` threads.

        ``shared`` is the dynamic shared memory per block in bytes.
        """
        ...

    def occupancy(self, kernel: Kernel, block: int, shared: int = 0) -> int:
        """Maximum number of blocks that one SM runs at once.

        A block has ``block`` threads and ``shared`` bytes of dynamic shared memory.
        """
        ...

    def prefer_l1(self, *kernels: Kernel) -> None:
        """Request as much L1 as possible for ``kernels``.

        L1 and shared memory share one on-chip memory. A kernel still gets the shared memory that it
        uses.
        """
        ...

    def clusters(self, kernel: Kernel, size: int, block: int, shared: int = 0) -> int:
        """Number of clusters of ``size`` blocks that are resident at once; 0 if no cluster fits.

        A block has ``block`` threads and ``shared`` bytes of dynamic shared memory.

        Raises:
            Skip: the device or its driver does not support clusters.
        """
        ...

    def stream(self, *, urgent: bool = False) -> Stream:
        """Create another queue. The GPU schedules the blocks of an ``urgent`` queue first."""
        ...

    def wait(self, stream: Stream) -> None:
        """Wait until ``stream`` is empty."""
        ...

    def capture(self, run: Callable[[], None]) -> Callable[[], None]:
        """Make a CUDA graph of the work that ``run`` queues.

        Each call of the returned function launches the graph.
        """
        ...

    @property
    def links(self) -> Links:
        """The links of this GPU: host memory, other GPUs, events in queues."""
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
        """A function that queues a matrix product by the vendor's library.

        The product is y = x w', where w' is the transpose of w. With ``shape`` (m, n, k), w is m x
        k, x is n x k and y is n x m, all in row-major order. Sums are in single precision. All
        scales are 1.

        Args:
            kind: format of w and x. ``fp32``; ``tf32`` (fp32 in memory); ``bf16``; ``fp8`` (E4M3);
                ``mxfp8`` (E4M3 with one scale per 32 numbers along k); ``nvfp4`` (E2M1, two numbers
                per byte, with one scale per 16 numbers along k).
            out: format of y. ``fp32`` for every format of w and x; ``bf16`` for bf16, FP8 and FP4;
                ``fp16`` for FP8 and FP4.
            fast: whether the hardware may keep partial sums of FP8 products with fewer bits (fast
                accumulation).

        Raises:
            Skip: the library is missing, or has no such product for this device.
        """
        ...

    def energy(self) -> Callable[[], float]:
        """A function that reads the device's energy counter, in joules.

        Raises:
            Skip: the device has no energy counter.
        """
        ...
