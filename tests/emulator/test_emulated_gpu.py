"""The emulated GPU as a backend: memory, queues, graphs, log, and requests that it refuses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from emulator import (
    H100,
    BadArgument,
    EmulatedGpu,
    EmulationError,
    FuelExhausted,
    OutOfBounds,
    Race,
    Uninitialised,
    small,
)
from emulator.occupancy import blocks_per_sm
from ptx_snippets import compiled

from membench.core.backend import Backend, DeviceBackend, Edge
from membench.core.errors import MembenchError
from membench.gpu.cuda.compile import Image
from membench.gpu.protocol import Gpu, KernelVariant
from membench.results.schema import is_cell

TEXT = """
extern "C" __global__ void twice(unsigned* a, unsigned n) {
    for (unsigned i = blockDim.x * blockIdx.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x)
        a[i] *= 2;
}
extern "C" __global__ void spin(volatile unsigned* flag, unsigned* out) {
    while (*flag == 0) {}
    *out = *flag;
}
extern "C" __global__ void raise(volatile unsigned* flag, unsigned value) { *flag = value; }
extern "C" __global__ void __launch_bounds__(256) tiled(unsigned* out) {
    __shared__ unsigned tile[1024];
    tile[threadIdx.x] = threadIdx.x;
    out[threadIdx.x] = tile[threadIdx.x ^ 1];
}
"""
SOURCE = KernelVariant.of("test.cu")


def from_text(file: str, options: tuple[str, ...], arch: str) -> Image:
    return compiled(TEXT, arch)


@pytest.fixture
def gpu() -> EmulatedGpu:
    return EmulatedGpu(small(4), compile_=from_text)


def test_it_is_a_gpu_that_measures_nothing(gpu: EmulatedGpu) -> None:
    as_gpu: Gpu = gpu  # the type checker compares EmulatedGpu with the protocol
    as_backend: Backend = gpu
    assert isinstance(as_gpu, DeviceBackend)
    assert not is_cell("backend", as_backend.describe().backend)
    with pytest.raises(EmulationError, match="an emulator has no clock"):
        gpu.stamps()


def test_its_properties_are_those_of_a_real_device() -> None:
    peak = H100.peak_bandwidth
    assert peak is not None
    assert abs(peak - 3352) < 1  # GB/s, from NVIDIA's data sheet of the SXM version
    assert small(2, "120").sms == 2
    assert small(2, "120").capability == 120


def test_what_is_asked_is_logged_in_order(gpu: EmulatedGpu) -> None:
    a = gpu.allocate(64)
    gpu.fill(a, 1)
    gpu.flush()
    gpu.block()
    gpu.probe(Edge.BEFORE)
    gpu.mark(Edge.BEFORE)
    gpu.launch(gpu.kernel(SOURCE, "twice"), 1, 32, [a, np.uint32(16)])
    gpu.mark(Edge.AFTER)
    gpu.probe(Edge.AFTER)
    gpu.release()
    gpu.synchronize()
    assert [str(event) for event in gpu.log] == [
        "allocate 64",
        "fill 64",
        "flush",
        "block",
        "probe before",
        "mark before",
        "launch twice",
        "mark after",
        "probe after",
        "release",
        "synchronize",
    ]
    assert [ran.entry for ran in gpu.ran] == ["twice"]
    assert gpu.counts["twice"].loaded == 64


def test_nothing_runs_before_it_is_waited_for(gpu: EmulatedGpu) -> None:
    a = gpu.allocate(64)
    gpu.upload(a, np.arange(16, dtype=np.uint32))
    gpu.launch(gpu.kernel(SOURCE, "twice"), 1, 32, [a, np.uint32(16)])
    assert a.array.view(np.uint32)[3] == 3
    assert gpu.download(a, np.uint32, 2, 12).tolist() == [6, 8]


def test_copies_and_fills_stay_within_their_buffers(gpu: EmulatedGpu) -> None:
    a, b = gpu.allocate(64), gpu.allocate(64)
    host = gpu.host(64, "wc")
    host.array[:] = 9
    gpu.copy(a.address, host.address, 32)
    gpu.fill(b, 5)
    gpu.copy(a.address + 32, b.address, 32)
    assert gpu.download(a, np.uint8, 64).tolist() == [9] * 32 + [5] * 32
    for target, source, size in [
        (a.address + 40, b.address, 32),
        (a.address, b.address + 40, 32),
        (a.address - 1, b.address, 1),
    ]:
        with pytest.raises(OutOfBounds, match="of a copy"):
            gpu.copy(target, source, size)
    with pytest.raises(OutOfBounds, match="upload of 64 bytes at byte 4"):
        gpu.upload(a, np.zeros(16, np.uint32), 4)
    with pytest.raises(OutOfBounds, match="download"):
        gpu.download(a, np.uint32, 17)
    with pytest.raises(MembenchError, match="not a kind of host memory"):
        gpu.host(64, "fast")


def test_copies_carry_what_was_never_written(gpu: EmulatedGpu) -> None:
    a, b = gpu.allocate(64), gpu.allocate(64)
    gpu.fill(b, 0)
    gpu.copy(b.address, a.address, 16)
    gpu.launch(gpu.kernel(SOURCE, "twice"), 1, 32, [b, np.uint32(16)])
    with pytest.raises(Uninitialised, match="byte 0 of device buffer 1"):
        gpu.synchronize()


def test_what_was_given_is_taken_back(gpu: EmulatedGpu) -> None:
    a = gpu.allocate(64)
    gpu.fill(a, 1)
    gpu.reclaim()
    gpu.launch(gpu.kernel(SOURCE, "twice"), 1, 32, [a, np.uint32(16)])
    with pytest.raises(OutOfBounds):
        gpu.synchronize()
    gpu.close()
    gpu.close()


def test_memory_ends() -> None:
    gpu = EmulatedGpu(small(4), compile_=from_text)
    with pytest.raises(MembenchError, match="out of device memory: 4294967296 bytes do not fit"):
        gpu.allocate(1 << 32)


def test_a_graph_is_queued_again_and_again(gpu: EmulatedGpu) -> None:
    a = gpu.allocate(64)
    gpu.upload(a, np.ones(16, np.uint32))
    kernel = gpu.kernel(SOURCE, "twice")

    def queue() -> None:
        for _ in range(3):
            gpu.launch(kernel, 1, 32, [a, np.uint32(16)])

    again = gpu.capture(queue)
    assert gpu.download(a, np.uint32, 1)[0] == 1  # recorded, not executed
    again()
    again()
    assert gpu.download(a, np.uint32, 1)[0] == 64
    assert len(gpu.ran) == 6
    with pytest.raises(EmulationError, match="a capture within a capture"):
        gpu.capture(lambda: _captured(gpu, queue))


def _captured(gpu: EmulatedGpu, queue: Callable[[], None]) -> None:
    gpu.capture(queue)


def test_kernels_of_two_streams_run_beside_each_other(gpu: EmulatedGpu) -> None:
    flag, out = gpu.allocate(4), gpu.allocate(4)
    gpu.fill(flag, 0)
    other = gpu.stream(urgent=True)
    gpu.launch(gpu.kernel(SOURCE, "spin"), 1, 1, [flag, out])
    gpu.launch(gpu.kernel(SOURCE, "raise"), 1, 1, [flag, np.uint32(7)], stream=other)
    gpu.synchronize()
    assert out.array.view(np.uint32)[0] == 7
    # In one stream, the second kernel would wait for the first kernel for ever.
    alone = EmulatedGpu(small(4), compile_=from_text, fuel=2000)
    flag, out = alone.allocate(4), alone.allocate(4)
    alone.fill(flag, 0)
    alone.launch(alone.kernel(SOURCE, "spin"), 1, 1, [flag, out])
    alone.launch(alone.kernel(SOURCE, "raise"), 1, 1, [flag, np.uint32(7)])
    with pytest.raises(FuelExhausted, match="spin: fuel exhausted"):
        alone.synchronize()
    alone.synchronize()  # the error emptied the queue


def test_one_stream_can_be_waited_for_alone(gpu: EmulatedGpu) -> None:
    flag, out = gpu.allocate(4), gpu.allocate(4)
    gpu.fill(flag, 0)
    gpu.synchronize()
    other = gpu.stream()
    gpu.launch(gpu.kernel(SOURCE, "spin"), 1, 1, [flag, out])
    gpu.launch(gpu.kernel(SOURCE, "raise"), 1, 1, [flag, np.uint32(7)], stream=other)
    gpu.wait(other)
    assert [ran.entry for ran in gpu.ran] == ["raise"]
    gpu.synchronize()
    assert [ran.entry for ran in gpu.ran] == ["raise", "spin"]


def test_arguments_are_checked_when_they_are_given(gpu: EmulatedGpu) -> None:
    a = gpu.allocate(64)
    kernel = gpu.kernel(SOURCE, "twice")
    with pytest.raises(BadArgument, match="argument 1 is 8 bytes, the kernel takes 4"):
        gpu.launch(kernel, 1, 32, [a, np.uint64(16)])
    with pytest.raises(BadArgument, match="232449 bytes of shared memory"):
        gpu.launch(kernel, 1, 32, [a, np.uint32(16)], shared=232449)
    with pytest.raises(MembenchError, match="has no kernel 'thrice'"):
        gpu.kernel(SOURCE, "thrice")


def test_races_may_be_left_to_others() -> None:
    for races in (True, False):
        gpu = EmulatedGpu(small(4), races=races, compile_=from_text)
        out = gpu.allocate(1024)
        gpu.launch(gpu.kernel(SOURCE, "tiled"), 1, 256, [out])
        if races:
            with pytest.raises(Race):
                gpu.synchronize()
        else:
            assert gpu.download(out, np.uint32, 4).tolist() == [1, 0, 3, 2]


@pytest.mark.parametrize(
    ("arch", "threads", "registers", "shared", "blocks"),
    [
        ("90", 256, 32, 0, 8),  # threads: 2048 / 256
        ("90", 256, 64, 0, 4),  # registers: 65536 / (256 x 64)
        ("90", 1024, 64, 0, 1),
        ("90", 32, 16, 0, 32),  # the limit of blocks per SM
        ("90", 128, 32, 100 * 1024, 2),  # shared memory: 228 KiB / (100 + 1) KiB
        ("90", 128, 32, 227 * 1024, 1),
        ("90", 33, 255, 0, 4),  # 2 warps of 8192 registers
    ],
)
def test_occupancy_by_resources(
    arch: str, threads: int, registers: int, shared: int, blocks: int
) -> None:
    assert blocks_per_sm(arch, threads, registers, shared, 2048, 228 * 1024) == blocks


def test_a_kernel_tells_what_it_needs(gpu: EmulatedGpu) -> None:
    kernel = gpu.kernel(SOURCE, "tiled")
    # The assembler does not include the shared memory that the system reserves.
    assert kernel.shared_bytes == 4096
    assert 4 <= kernel.registers <= 64
    assert gpu.occupancy(kernel, 256, 223 * 1024) == 1
