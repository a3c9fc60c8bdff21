"""The CUDA backend on a double of CuPy: whole benches, two GPUs, threads, and errors."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import cupy
import numpy as np
import pytest
from cupy_double import Double, patched
from cupy_double.library import HANDLE, HOST, DriverLibrary
from cupy_double.real import ask, no_driver
from emulator.faults import BadArgument

from membench.benches import registry
from membench.benches.gpu import decode, smem
from membench.benches.hbm import loaded as hbm_loaded
from membench.benches.link import interference, peer, zerocopy
from membench.core.axes import OMITTED, Value
from membench.core.errors import BackendUnavailable, DeviceLost, MembenchError, Skip
from membench.core.snapshot import Machine
from membench.core.units import KIB, MIB
from membench.core.work import Observed, Timed
from membench.gpu.cuda import backend as cuda
from membench.gpu.cuda import links as cuda_links
from membench.gpu.cuda.backend import CudaBackend, open_cuda
from membench.gpu.cuda.errors import check, explained
from membench.gpu.protocol import KernelVariant
from membench.gpu.verify import walk as gpu_walk
from membench.measure.worker.span import time_span
from membench.workloads import attention as gpu_attention
from membench.workloads import decode_step
from membench.workloads import products as gpu_product
from membench.workloads.model_shapes import MODELS, ModelShard

pytestmark = pytest.mark.skipif(not no_driver(), reason="this machine has a driver")

BENCHES = registry().benches
SIZE = 64 * KIB

SMALL: dict[Any, dict[str, int]] = {
    hbm_loaded: {
        "TRAFFIC_BYTES": 2 * MIB,
        "SAMPLES": 3,
        "IDLE_SAMPLES": 2,
        "WARM_SAMPLES": 2,
        "TURNS": 1,
        "SINGLE_HOPS": 16,
    },
    zerocopy: {"SIZE": 32 * KIB, "HOPS": 64, "LAUNCHES": 2},
    smem: {"HOPS_TURNS": 3, "LAUNCHES": 2},
    peer: {"HOPS": 64, "LAUNCHES": 2},
    gpu_walk: {"SINGLE_HOPS": 16},
    gpu_attention: {"POOL_BYTES": 1 << 17},
    gpu_product: {"TILE": 4099},
    decode: {"WEIGHT_BYTES": 1 << 16},
    decode_step: {"TOKENS": 128},
    cuda_links: {"LOAD_BYTES": 64 * KIB},
    interference: {"CHUNK": 16 * KIB, "RING": 8 * KIB, "TURNS": 2, "PIECES": 4},
}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, values in SMALL.items():
        for name, value in values.items():
            monkeypatch.setattr(module, name, value)
    monkeypatch.setitem(MODELS, "tiny", ModelShard(1, 256, 4, 1, 128, 64))


Opened = tuple[Double, Machine, DriverLibrary]


@pytest.fixture(scope="module")
def opened() -> Iterator[Opened]:
    with patched() as made:
        yield made


@pytest.fixture(scope="module")
def first(opened: Opened) -> Iterator[CudaBackend]:
    _, machine, _ = opened
    backend = open_cuda(machine, 0)
    assert backend.links.under_load() == {}  # NVML does not describe the link here
    yield backend
    backend.close()


@pytest.fixture
def gpu(first: CudaBackend, opened: Opened) -> Iterator[CudaBackend]:
    """The first of two GPUs. After the test, the backend must have freed all buffers."""
    double, _, _ = opened
    before = given(double)
    yield first
    double.fails.clear()
    first.reclaim()
    # The cache flush allocates two buffers of its own at the first cold sample.
    assert len(given(double) - before) in (0, 2)


def given(double: Double) -> set[int]:
    """Addresses of the allocated buffers, without the variables of modules."""
    buffers = double.memory.buffers
    return {each.address for each in buffers if not each.name.startswith("variable")}


LINK: dict[str, Value] = {
    "size": SIZE,
    "mem": "pinned",
    "engine": "ce",
    "streams": 1,
    "numa": OMITTED,
}
KV: dict[str, Value] = {"block": 3 * KIB, "count": 12, "order": "random", "grid": OMITTED}
ATTENTION: dict[str, Value] = {"model": "tiny", "context": 128, "kv": "fp16"}
CASES: list[tuple[str, dict[str, Value]]] = [
    ("hbm/copy", {"size": SIZE, "vec": 16, "config": ""}),
    ("hbm/d2d", {"size": SIZE, "count": "payload", "engine": ""}),
    ("hbm/d2d", {"size": SIZE, "count": "payload", "engine": "tma"}),
    ("smem/multicast", {"cluster": 2}),
    ("hbm/memset", {"size": SIZE}),
    ("gpu/launch", {"kind": "kernel"}),
    ("gpu/launch", {"kind": "graph"}),
    ("gpu/launch", {"kind": "copy"}),
    ("gpu/roundtrip", {"kind": "launch"}),
    ("hbm/loaded", {"size": SIZE, "reads": 50, "load": 100, "sms": 100}),
    ("smem/latency", {"cluster": 2}),
    ("link/h2d", LINK),
    ("link/h2d", LINK | {"engine": "sm"}),
    ("link/h2d", LINK | {"mem": "wc"}),
    ("link/h2d", LINK | {"mem": "pageable"}),
    ("link/h2d", LINK | {"mem": "managed"}),
    ("link/h2d", LINK | {"mem": "registered"}),
    ("link/d2h", LINK | {"engine": "sm"}),
    ("link/d2h", LINK | {"mem": "huge", "streams": 4}),
    ("link/bidir", {"size": SIZE, "dir": "sum", "engine": "ce"}),
    ("zerocopy/read", {"block": 4 * KIB, "grid": 16, "unroll": 4, "order": "rand"}),
    ("zerocopy/chase", {"size": 8 * KIB}),
    ("managed/fault", {"size": SIZE}),
    ("managed/prefetch", {"size": SIZE}),
    ("managed/advise", {"size": SIZE, "advice": "read-mostly"}),
    ("managed/advise", {"size": SIZE, "advice": "accessed-by"}),
    ("link/all", {"size": SIZE, "dir": "h2d"}),
    ("link/all", {"size": SIZE, "dir": "d2h"}),
    ("peer/read", {"size": SIZE, "engine": "ce"}),
    ("peer/write", {"size": SIZE, "engine": "ce"}),
    ("peer/bidir", {"size": SIZE, "engine": "ce"}),
    ("peer/read", {"size": SIZE, "engine": "sm"}),
    ("peer/read", {"size": SIZE, "engine": "tma"}),
    ("peer/all", {"size": SIZE, "dir": "in"}),
    ("peer/all", {"size": SIZE, "dir": "out"}),
    ("peer/multimem", {"size": SIZE, "op": "ld-reduce"}),
    ("peer/multimem", {"size": SIZE, "op": "st"}),
    ("peer/multimem", {"size": SIZE, "op": "red"}),
    ("hbm/bulk", {"size": 8 * KIB}),
    ("peer/latency", {"size": 8 * KIB}),
    ("peer/bulk", {"size": 8 * KIB}),
    ("kv/h2d", KV | {"method": "per-block"}),
    ("kv/h2d", KV | {"method": "batch"}),
    ("kv/h2d", KV | {"method": "sm"}),
    ("kv/h2d", KV | {"method": "bulk"}),
    ("kv/h2d", KV | {"method": "staged"}),
    ("interference/link", {"victim": "chase", "aggressor": "h2d-sm", "grid": 2}),
    ("gpu/gemm/fp32", {"n": 64}),
    ("gpu/gemm/tf32", {"n": 64}),
    ("gpu/gemm/bf16", {"n": 64, "out": "bf16"}),
    ("gpu/gemm/bf16", {"n": 64, "out": "fp32"}),
    ("decode/weights", {"model": "tiny", "batch": 3, "launch": "graph"}),
    ("decode/weights", {"model": "tiny", "batch": 1, "launch": "stream"}),
    ("decode/attn", ATTENTION | {"launch": "graph"}),
    ("decode/attn", ATTENTION | {"launch": "stream"}),
]


EMULATED_LONG = ("hbm/bulk", "smem/multicast")  # about twenty seconds each


@pytest.mark.sampled(15)
@pytest.mark.parametrize(
    ("name", "params"),
    [
        pytest.param(*case, marks=pytest.mark.slow if case[0] in EMULATED_LONG else ())
        for case in CASES
    ],
)
def test_a_bench_goes_its_whole_way(name: str, params: dict[str, Value], gpu: CudaBackend) -> None:
    work = BENCHES[name].build(cast("Any", gpu), params)
    if isinstance(work, Observed):
        observation = work.observe(0.01)
        assert all(observation.samples.values())
        if work.verify is not None:
            work.verify()
    else:
        assert isinstance(work, Timed)
        work.run(1)
        assert time_span(gpu, work.run, 2, cold=True).elapsed_ns > 0
        work.verify(3)
    work.close()


def test_a_copy_from_huge_pages_says_how_many_there_were(gpu: CudaBackend) -> None:
    """The buffer is smaller than a huge page, so no huge page can contain it."""
    work = BENCHES["link/h2d"].build(cast("Any", gpu), LINK | {"mem": "huge"})
    assert work.detail["huge"] == "0%"
    work.close()


def test_a_cluster_is_placed_as_the_driver_says(gpu: CudaBackend) -> None:
    kernel = gpu.kernel(KernelVariant.of("shared.cu", CLUSTER=16), "cluster_chase")
    with pytest.raises(Skip, match="no cluster of 16"):  # the double has two SMs
        BENCHES["smem/latency"].build(cast("Any", replace_sms(gpu, 16)), {"cluster": 16})
    assert gpu.clusters(kernel, 16, 32) == 0
    assert gpu.clusters(kernel, 2, 32) == 1


def test_l1_gets_what_shared_memory_does_not_need(gpu: CudaBackend, opened: Opened) -> None:
    double, _, _ = opened
    kernel = gpu.kernel(KernelVariant.of("cache.cu"), "cache_read")
    gpu.prefer_l1(kernel)
    assert double.carveouts[kernel.function.ptr] == 0


def replace_sms(gpu: CudaBackend, sms: int) -> CudaBackend:
    """A copy of the backend with ``sms`` SMs in its properties."""
    other = copy.copy(gpu)
    other.properties = replace(gpu.properties, sms=sms)
    return other


def test_managed_memory_goes_to_the_host_before_every_sample(
    gpu: CudaBackend, opened: Opened
) -> None:
    _, _, library = opened
    library.places.clear()
    work: Any = BENCHES["managed/prefetch"].build(cast("Any", gpu), {"size": SIZE})
    work.observe(0.01)
    samples = len(library.places) // 2
    assert samples >= 5
    assert library.places == [HOST, HANDLE] * samples


# Requests for a second GPU and from other threads.


def test_the_second_gpu_is_worked_on_from_any_thread(opened: Opened) -> None:
    """The current GPU of a new thread is GPU 0, but the backend must still use GPU 1."""
    double, machine, _ = opened
    before = double.current
    second = open_cuda(machine, 1)
    try:
        assert double.current == 1
        source, target = second.host(SIZE), second.allocate(SIZE)
        source.array[:] = 7
        errors: list[BaseException] = []
        happened: list[bool] = []

        def beside() -> None:
            try:
                assert double.current == 0
                queue = second.stream()
                second.copy(target.address, source.address, SIZE, queue)
                event = second.links.record(queue)
                second.links.follow(event)
                second.wait(queue)
                happened.append(second.links.happened(event))
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=beside)
        thread.start()
        thread.join()
        assert not errors
        assert happened == [True]
        assert (second.download(target, np.uint8, SIZE) == 7).all()
    finally:
        second.close()
        double.use(before)


def test_why_no_other_gpu_can_be_reached_is_said(
    gpu: CudaBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = vars(cuda_links)["cupy"].cuda.runtime  # the module of the double
    monkeypatch.setattr(runtime, "deviceCanAccessPeer", lambda _one, _other: 0)
    for said, told in (
        ("the chipset does not support direct access", ": the chipset"),
        ("", "access)"),
    ):
        monkeypatch.setattr(cuda_links, "peer_access", lambda _one, _other, said=said: said)
        with pytest.raises(Skip, match="peer access") as skipped:
            gpu.links.peer(64)
        assert told in str(skipped.value)


def test_a_gpu_that_cuda_does_not_show_is_said(opened: Opened) -> None:
    _, machine, _ = opened
    gone = replace(machine.gpus.devices[0], uuid="0" * 12)
    hidden = replace(machine, gpus=replace(machine.gpus, devices=(gone,)))
    with pytest.raises(BackendUnavailable, match="does not list the GPU"):
        open_cuda(hidden, 0)


# Errors of CUDA in any function.


def copied(gpu: CudaBackend) -> None:
    gpu.download(gpu.allocate(16), np.uint8, 16)


FAILING: list[tuple[str, int, Callable[[CudaBackend], object], type[MembenchError], str]] = [
    (
        "malloc",
        2,
        lambda gpu: gpu.allocate(64),
        MembenchError,
        "64 B of GPU memory cannot be allocated",
    ),
    ("hostAlloc", 2, lambda gpu: gpu.host(64), MembenchError, "host memory .pinned. cannot"),
    ("memcpy", 700, copied, DeviceLost, "a copy from the GPU failed"),
    (
        "streamSynchronize",
        719,
        lambda gpu: gpu.synchronize(),
        DeviceLost,
        "the work on the GPU failed",
    ),
    ("launchKernel", 701, lambda gpu: gpu.idle(), MembenchError, "control_idle cannot be launched"),
    ("launchKernel", 700, lambda gpu: gpu.idle(), DeviceLost, "control_idle cannot be launched"),
    ("deviceEnablePeerAccess", 217, lambda gpu: gpu.links.peer(64), MembenchError, "on GPU 1"),
    ("hostRegister", 801, lambda gpu: gpu.links.memory(4096, "registered"), MembenchError, "regis"),
    ("streamEndCapture", 901, lambda gpu: gpu.capture(gpu.idle), MembenchError, "captured"),
]


@pytest.mark.parametrize(("name", "status", "act", "kind", "said"), FAILING)
def test_an_error_of_cuda_says_what_failed(
    name: str,
    status: int,
    act: Callable[[CudaBackend], object],
    kind: type[MembenchError],
    said: str,
    gpu: CudaBackend,
    opened: Opened,
) -> None:
    double, _, _ = opened
    double.fails[name] = status
    with pytest.raises(MembenchError, match=said) as failure:
        act(gpu)
    assert type(failure.value) is kind
    double.fails.clear()
    gpu.synchronize()  # the backend still works


def test_peer_access_that_is_open_already_is_no_error(gpu: CudaBackend) -> None:
    for _ in range(2):
        assert gpu.links.peer(64).size == 64


def test_a_lost_device_can_still_be_closed(opened: Opened) -> None:
    double, machine, _ = opened
    backend = open_cuda(machine, 0)
    kept = backend.allocate(64)
    double.fails["streamSynchronize"] = 719
    backend.close()
    double.fails.clear()
    assert double.memory.find(kept.address) is not None


# The double is as strict as CuPy: it detects mistakes of the backend.


def test_cupy_itself_minds_an_argument_before_the_missing_driver(gpu: CudaBackend) -> None:
    runtime = cupy.cuda.runtime
    ask(runtime.memcpyAsync, 1, 2, 3, runtime.memcpyDefault, 0)
    with pytest.raises(TypeError):
        gpu.copy(gpu.allocate(16).address, gpu.allocate(16).address, 16, _Stream(None))
    with pytest.raises(TypeError):
        cast("Any", cuda).cupy.cuda.Stream(urgent=True)


class _Stream:
    def __init__(self, ptr: object) -> None:
        self.ptr = ptr


WRONG: list[tuple[Any, type[Exception]]] = [
    ((), BadArgument),  # an argument is missing
    ((7, np.int32(1), np.uint64(9)), AttributeError),  # a Python int instead of a NumPy scalar
    ((np.uint64(7), np.int64(1), np.uint64(9)), BadArgument),  # eight bytes instead of four
]


@pytest.mark.parametrize(("args", "kind"), WRONG)
def test_arguments_that_a_kernel_does_not_take_are_refused(
    args: Any, kind: type[Exception], gpu: CudaBackend
) -> None:
    hold = gpu.kernel(KernelVariant("control.cu"), "control_hold")
    with pytest.raises(kind):
        gpu.launch(hold, 1, 1, args)


def test_the_double_has_no_name_that_cupy_lacks(opened: Opened) -> None:
    double = cast("Any", cuda).cupy.cuda
    real = cupy.cuda
    for part in ("runtime", "driver"):
        for name in vars(getattr(double, part)):
            assert hasattr(getattr(real, part), name), f"{part}.{name}"
    for name in ("Device", "Stream", "Event", "Module"):
        methods = {each for each in dir(getattr(double, name)) if not each.startswith("_")}
        # Attributes that only the double has.
        methods -= {"double", "gpu", "happened", "image", "loaded"}
        for method in methods:
            assert hasattr(getattr(real, name), method), f"{name}.{method}"
    assert hasattr(real.Graph, "launch")


def test_errors_of_both_kinds_are_explained(opened: Opened) -> None:
    with pytest.raises(DeviceLost, match="it: cudaErrorIllegalAddress"), explained("it"):
        raise cupy.cuda.runtime.CUDARuntimeError(700)
    with pytest.raises(DeviceLost, match="it: CUDA_ERROR 700"), explained("it"):
        check(700)
    check(0)
