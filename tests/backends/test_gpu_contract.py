"""One contract for every GPU implementation: the emulator, the CuPy double, and hardware."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from cupy_double import patched
from cupy_double.real import no_driver
from emulator import EmulatedGpu, EmulationError, small

from membench.benches import registry
from membench.core.backend import DeviceBackend
from membench.core.errors import MembenchError
from membench.core.work import Timed
from membench.gpu.cuda.backend import open_cuda
from membench.gpu.protocol import Gpu, KernelVariant
from membench.gpu.verify.pattern import Patterns, pattern
from membench.machine import snapshot
from membench.measure.backends import open_backend
from membench.measure.worker.span import time_span
from membench.measure.worker.stopwatch import Stopwatches

CONTROL = KernelVariant.of("control.cu")
STREAM = KernelVariant.of("stream.cu")


@pytest.fixture(
    scope="module", params=["emulated", "double", pytest.param("cuda", marks=pytest.mark.gpu)]
)
def gpu(request: pytest.FixtureRequest) -> Iterator[Gpu]:
    if request.param == "emulated":
        yield EmulatedGpu(small(2))
        return
    if request.param == "double":  # the CUDA backend on the CuPy double
        if not no_driver():
            pytest.skip("this machine has a driver")
        with patched() as (_, machine, _):
            double = open_cuda(machine, 0)
            yield double  # type: ignore[misc]
            double.close()
        return
    machine = snapshot()
    if machine.gpus.problem or not machine.gpus.present:
        pytest.skip(machine.gpus.problem or "no NVIDIA GPU was found")
    backend = open_backend("cuda", machine)
    yield backend  # type: ignore[misc]
    backend.close()


@pytest.fixture(autouse=True)
def given_back(gpu: Gpu) -> Iterator[None]:
    yield
    gpu.reclaim()


def test_it_is_a_device(gpu: Gpu) -> None:
    assert isinstance(gpu, DeviceBackend)
    assert gpu.describe().backend in ("cuda", "emulated")
    assert gpu.properties.sms > 0
    assert gpu.properties.capability >= 75
    assert gpu.properties.peak_bandwidth is None or gpu.properties.peak_bandwidth > 10


def test_what_goes_up_comes_down(gpu: Gpu) -> None:
    buffer = gpu.allocate(4000)
    assert buffer.address % 256 == 0
    data = np.arange(1000, dtype=np.uint32)
    gpu.upload(buffer, data)
    assert np.array_equal(gpu.download(buffer, np.uint32, 1000), data)
    gpu.upload(buffer, np.array([7, 8], np.uint32), offset=400)
    assert list(gpu.download(buffer, np.uint32, 4, offset=396)) == [99, 7, 8, 102]


def test_a_copy_beyond_a_buffer_is_refused(gpu: Gpu) -> None:
    buffer = gpu.allocate(16)
    with pytest.raises((ValueError, EmulationError)):
        gpu.upload(buffer, np.zeros(5, np.uint32))
    with pytest.raises((ValueError, EmulationError)):
        gpu.download(buffer, np.uint32, 2, offset=12)


def test_fills_and_copies_keep_the_order_of_the_queue(gpu: Gpu) -> None:
    first, second = gpu.allocate(64), gpu.allocate(64)
    gpu.fill(first, 0x11)
    gpu.copy(second.address, first.address, 64)
    gpu.fill(first, 0x22)
    gpu.copy(second.address + 32, first.address, 16)
    found = gpu.download(second, np.uint8, 64)
    assert list(found) == [0x11] * 32 + [0x22] * 16 + [0x11] * 16


def test_host_memory_is_one_for_both_sides(gpu: Gpu) -> None:
    for kind in ("pinned", "wc"):
        host = gpu.host(4096, kind)
        host.array[:] = 3
        device = gpu.allocate(4096)
        gpu.copy(device.address, host.address, 4096)
        assert (gpu.download(device, np.uint8, 4096) == 3).all()
        gpu.fill(device, 9)
        gpu.copy(host.address, device.address, 4096)
        gpu.synchronize()
        assert (host.array == 9).all()


def test_a_kernel_gets_the_very_arguments(gpu: Gpu) -> None:
    target = gpu.allocate(16 * 1000)
    gpu.fill(target, 0)
    kernel = gpu.kernel(STREAM, "stream_write")
    assert 0 < kernel.registers <= 255
    gpu.launch(kernel, 3, 64, (target, np.uint32(0xC0FFEE), np.uint64(999)))
    words = gpu.download(target, np.uint32, 4000)
    assert (words[:3996] == 0xC0FFEE).all()
    assert (words[3996:] == 0).all()


def test_the_same_kernel_is_loaded_once(gpu: Gpu) -> None:
    again = gpu.kernel(STREAM, "stream_write")
    assert again.registers == gpu.kernel(STREAM, "stream_write").registers
    with pytest.raises(MembenchError, match="stream_nothing"):
        gpu.kernel(STREAM, "stream_nothing")


def test_occupancy_is_that_of_the_resources(gpu: Gpu) -> None:
    kernel = gpu.kernel(STREAM, "stream_copy")
    per_sm = gpu.occupancy(kernel, 256)
    assert 1 <= per_sm <= gpu.properties.threads_per_sm // 256
    assert gpu.occupancy(kernel, 512) <= per_sm
    assert gpu.occupancy(kernel, 256, shared=100 * 1024) <= 2


def test_clusters_are_counted_within_the_sms(gpu: Gpu) -> None:
    if gpu.properties.capability < 90:
        pytest.skip("no clusters before compute capability 9.0")
    kernel = gpu.kernel(KernelVariant.of("shared.cu", CLUSTER=2), "cluster_chase")
    half = gpu.properties.shared_per_sm // 2  # one block per SM
    assert 1 <= gpu.clusters(kernel, 2, 32, half) <= gpu.properties.sms // 2


def test_streams_run_beside_each_other(gpu: Gpu) -> None:
    # A blocking kernel in one queue does not stop the other queue.
    words = gpu.host(64)
    words.array[:] = 0
    word = words.array.view(np.int32)
    other = gpu.stream(urgent=True)
    hold = gpu.kernel(CONTROL, "control_hold")
    target = gpu.allocate(64)
    gpu.launch(hold, 1, 1, (words, np.int32(1), np.uint64(2_000_000_000)))
    gpu.fill(target, 7, stream=other)
    gpu.wait(other)
    word[0] = 1
    gpu.synchronize()
    assert word[1] == 0
    assert (gpu.download(target, np.uint8, 64) == 7).all()


def test_a_graph_repeats_what_was_queued(gpu: Gpu) -> None:
    sums = gpu.allocate(4 * 2)
    source = gpu.allocate(16 * 64)
    gpu.upload(source, pattern(0, 256, 5))
    gpu.fill(sums, 0)
    kernel = gpu.kernel(STREAM, "stream_read")
    args = (sums, source, np.uint64(64))
    graph = gpu.capture(lambda: gpu.launch(kernel, 2, 32, args))
    for _ in range(3):
        graph()
    found = int(gpu.download(sums, np.uint32, 2).sum(dtype=np.uint64)) % 2**32
    assert found == 3 * int(pattern(0, 256, 5).sum(dtype=np.uint64)) % 2**32


def test_large_dynamic_shared_memory_is_opted_into(gpu: Gpu) -> None:
    assert gpu.properties.shared_per_block > 48 * 1024
    out, took, memory = gpu.allocate(24), gpu.allocate(4 * 20_000), gpu.allocate(256)
    gpu.upload(memory, np.array([memory.address], np.uint64))
    gpu.upload(memory, np.array([memory.address], np.uint64), offset=128)
    hops = gpu.kernel(KernelVariant.of("chase.cu"), "chase_hops")
    args = (out, took, np.uint64(memory.address), np.uint32(100))
    gpu.launch(hops, 1, 1, args, shared=80_000)
    assert int(gpu.download(out, np.uint64, 1)[0]) == memory.address


def test_patterns_are_those_of_the_host(gpu: Gpu) -> None:
    patterns = Patterns(gpu)
    buffer = gpu.allocate(4 * 5000)
    patterns.fill(buffer, 21)
    assert np.array_equal(gpu.download(buffer, np.uint32, 5000), pattern(0, 5000, 21))
    patterns.check("it", buffer, 21)


def test_the_measuring_order_has_a_clock_or_says_that_it_has_none(gpu: Gpu) -> None:
    work = registry().benches["hbm/copy"].build(gpu, {"size": 1 << 16, "vec": 16, "config": ""})
    assert isinstance(work, Timed)
    if gpu.describe().backend != "cuda":
        with pytest.raises(EmulationError, match="no clock"):
            time_span(gpu, work.run, 1)
        return
    span = time_span(gpu, work.run, 50, cold=True)
    assert span.elapsed_ns > 0
    assert span.sm_mhz is None or 100 < span.sm_mhz < 5000
    assert Stopwatches().floor_ns(gpu) > 0
    work.verify(50)
